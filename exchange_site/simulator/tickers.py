"""The public endpoints: time, symbols and prices, as far as ccxt's `binance` class uses them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.errors import UNKNOWN_SYMBOL, VenueError
from exchange_site.simulator.markets import describe
from exchange_site.simulator.suffering import suffer
from exchange_site.simulator.venue import VENUE

_BASE: Final = "/api/v3"
_DAY_MILLISECONDS: Final = 86_400_000


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{_BASE}/ping", _ping),
        web.get(f"{_BASE}/time", _time),
        web.get(f"{_BASE}/exchangeInfo", _exchange_info),
        web.get(f"{_BASE}/ticker/24hr", _ticker_24hr),
        web.get(f"{_BASE}/ticker/price", _ticker_price),
        web.get(f"{_BASE}/ticker/bookTicker", _book_ticker),
    ]


async def _ping(request: web.Request) -> web.Response:
    await suffer(request, "ticker", None)
    return web.json_response({})


async def _time(request: web.Request) -> web.Response:
    await suffer(request, None, None)
    return web.json_response({"serverTime": now_milliseconds()})


async def _exchange_info(request: web.Request) -> web.Response:
    await suffer(request, None, None)
    book = request.app[VENUE].book
    return web.json_response(
        {
            "timezone": "UTC",
            "serverTime": now_milliseconds(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [
                describe(symbol, book.listings.filters(symbol), status=book.listings.status(symbol))
                for symbol in book.listings.prices()
            ],
        }
    )


async def _ticker_24hr(request: web.Request) -> web.Response:
    return await _tickers(request, _day_ticker)


async def _ticker_price(request: web.Request) -> web.Response:
    return await _tickers(request, lambda symbol, price: {"symbol": symbol, "price": _text(price)})


async def _book_ticker(request: web.Request) -> web.Response:
    return await _tickers(request, _best_prices)


async def _tickers(request: web.Request, write: Callable[[str, Decimal], dict[str, Any]]) -> web.Response:
    symbol = request.query.get("symbol")
    await suffer(request, "ticker", symbol)
    prices = request.app[VENUE].book.listings.prices()
    if symbol is not None:
        if symbol not in prices:
            raise VenueError(*UNKNOWN_SYMBOL)
        return web.json_response(write(symbol, prices[symbol]))
    wanted = request.query.get("symbols", "").strip("[]").replace('"', "").split(",")
    chosen = [name for name in wanted if name] or list(prices)
    if not set(chosen) <= prices.keys():
        raise VenueError(*UNKNOWN_SYMBOL)
    return web.json_response([write(name, prices[name]) for name in chosen])


def _best_prices(symbol: str, price: Decimal) -> dict[str, Any]:
    text = _text(price)
    return {"symbol": symbol, "bidPrice": text, "bidQty": "1000.0", "askPrice": text, "askQty": "1000.0"}


def _day_ticker(symbol: str, price: Decimal) -> dict[str, Any]:
    text, now = _text(price), now_milliseconds()
    return {
        **_best_prices(symbol, price),
        "priceChange": "0.0",
        "priceChangePercent": "0.0",
        "weightedAvgPrice": text,
        "prevClosePrice": text,
        "lastPrice": text,
        "lastQty": "1.0",
        "openPrice": text,
        "highPrice": text,
        "lowPrice": text,
        "volume": "1000.0",
        "quoteVolume": "1000.0",
        "openTime": now - _DAY_MILLISECONDS,
        "closeTime": now,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


def _text(price: Decimal) -> str:
    """Write a price with eight places, or with more if it has more: Binance's have at most eight, other venues' not."""
    text = f"{price:.8f}"
    return text if Decimal(text) == price else f"{price:f}"
