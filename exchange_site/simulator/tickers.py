"""The public endpoints: time, symbols and prices, as far as ccxt's `binance` class uses them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.market_state import Ticker
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.errors import UNKNOWN_SYMBOL, VenueError
from exchange_site.simulator.levels import ENDLESS
from exchange_site.simulator.markets import describe
from exchange_site.simulator.signing import needed
from exchange_site.simulator.suffering import said, suffer
from exchange_site.simulator.venue import VENUE

_BASE: Final = "/api/v3"
_DAY_MILLISECONDS: Final = 86_400_000
_ENDLESS_QUANTITY: Final = "1000.0"


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{_BASE}/ping", _ping),
        web.get(f"{_BASE}/time", _time),
        web.get(f"{_BASE}/exchangeInfo", _exchange_info),
        web.get(f"{_BASE}/ticker/24hr", _ticker_24hr),
        web.get(f"{_BASE}/ticker/price", _ticker_price),
        web.get(f"{_BASE}/ticker/bookTicker", _book_ticker),
        web.get(f"{_BASE}/depth", _depth),
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
                for symbol in book.listings.symbols()
            ],
        }
    )


async def _ticker_24hr(request: web.Request) -> web.Response:
    return await _tickers(request, _day_ticker)


async def _ticker_price(request: web.Request) -> web.Response:
    return await _tickers(request, lambda symbol, ticker: {"symbol": symbol, "price": _text(ticker.last)})


async def _book_ticker(request: web.Request) -> web.Response:
    return await _tickers(request, _best_prices)


async def _tickers(request: web.Request, write: Callable[[str, Ticker], dict[str, Any]]) -> web.Response:
    symbol = request.query.get("symbol")
    fault = await suffer(request, "ticker", symbol)
    tickers = request.app[VENUE].book.pricing.tickers(now=now_milliseconds())
    if symbol is not None:
        if symbol not in tickers:
            raise VenueError(*UNKNOWN_SYMBOL)
        return said(write(symbol, tickers[symbol]), fault)
    wanted = request.query.get("symbols", "").strip("[]").replace('"', "").split(",")
    chosen = [name for name in wanted if name] or list(tickers)
    if not set(chosen) <= tickers.keys():
        raise VenueError(*UNKNOWN_SYMBOL)
    return said([write(name, tickers[name]) for name in chosen], fault)


async def _depth(request: web.Request) -> web.Response:
    """Answer with the levels that orders meet. A frozen ticker does not freeze them."""
    symbol = needed(request.query, "symbol")
    fault = await suffer(request, "ticker", symbol)
    now, market = now_milliseconds(), request.app[VENUE].book.pricing.market(symbol)
    asks = [level for level in market.levels(now) if level.quantity]
    answer = {
        "lastUpdateId": now,
        "bids": [[_text(market.now(now).bid), _ENDLESS_QUANTITY]],
        "asks": [
            [_text(level.price), _ENDLESS_QUANTITY if level.quantity == ENDLESS else f"{level.quantity:f}"]
            for level in asks
        ],
    }
    return said(answer, fault)


def _best_prices(symbol: str, ticker: Ticker) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "bidPrice": _text(ticker.bid),
        "bidQty": _ENDLESS_QUANTITY,
        "askPrice": _text(ticker.ask),
        "askQty": f"{ticker.ask_quantity:f}",
    }


def _day_ticker(symbol: str, ticker: Ticker) -> dict[str, Any]:
    text = _text(ticker.last)
    return {
        **_best_prices(symbol, ticker),
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
        "openTime": ticker.at - _DAY_MILLISECONDS,
        "closeTime": ticker.at,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


def _text(price: Decimal) -> str:
    """Write a price with eight places, or with more if it has more: Binance's have at most eight, other venues' not."""
    text = f"{price:.8f}"
    return text if Decimal(text) == price else f"{price:f}"
