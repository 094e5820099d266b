"""The public endpoints about the venue and its tickers ("General endpoints", "Symbol price ticker", Binance)."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.market_state import Ticker
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.describing import PERMISSIONS, describe
from exchange_site.simulator.endpoints import BASE
from exchange_site.simulator.errors import BAD_COMBINATION, VenueError
from exchange_site.simulator.numbers import text
from exchange_site.simulator.parameters import check_ticker_type
from exchange_site.simulator.selecting import select_symbols
from exchange_site.simulator.signing import read_request
from exchange_site.simulator.suffering import said, suffer
from exchange_site.simulator.venue import VENUE, Venue

SHOWN_QUANTITY: Final = "1000.00000000"
"""What is shown of a side without an end."""
_DAY_MILLISECONDS: Final = 86_400_000
_LONG_ONLY: Final = (
    "priceChange",
    "priceChangePercent",
    "weightedAvgPrice",
    "prevClosePrice",
    "lastQty",
    "bidPrice",
    "bidQty",
    "askPrice",
    "askQty",
)
"""What a mini ticker leaves out."""


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{BASE}ping", _ping),
        web.get(f"{BASE}time", _time),
        web.get(f"{BASE}exchangeInfo", _exchange_info),
        web.get(f"{BASE}ticker/24hr", _ticker_24hr),
        web.get(f"{BASE}ticker/price", _ticker_price),
        web.get(f"{BASE}ticker/bookTicker", _book_ticker),
    ]


async def _ping(request: web.Request) -> web.Response:
    await read_request(request)
    await suffer(request, "ticker", None)
    return web.json_response({})


async def _time(request: web.Request) -> web.Response:
    await read_request(request)
    await suffer(request, None, None)
    return web.json_response({"serverTime": now_milliseconds()})


async def _exchange_info(request: web.Request) -> web.Response:
    given = await read_request(request)
    await suffer(request, None, None)
    venue = request.app[VENUE]
    return web.json_response(
        {
            "timezone": "UTC",
            "serverTime": now_milliseconds(),
            "rateLimits": venue.limits.describe(),
            "exchangeFilters": [],
            "symbols": [_describe(venue, symbol, given) for symbol in _select_permitted(venue, given)],
        }
    )


async def _ticker_24hr(request: web.Request) -> web.Response:
    given = await read_request(request)
    check_ticker_type("type", given.get("type", "FULL"))
    return await _tickers(request, given, _mini_ticker if given.get("type") == "MINI" else _day_ticker)


async def _ticker_price(request: web.Request) -> web.Response:
    given = await read_request(request)
    return await _tickers(request, given, lambda symbol, ticker: {"symbol": symbol, "price": text(ticker.last)})


async def _book_ticker(request: web.Request) -> web.Response:
    return await _tickers(request, await read_request(request), _best_prices)


async def _tickers(
    request: web.Request, given: Mapping[str, str], write: Callable[[str, Ticker], dict[str, Any]]
) -> web.Response:
    book = request.app[VENUE].book
    fault = await suffer(request, "ticker", given.get("symbol"))
    chosen, tickers = select_symbols(given, book.listings), book.pricing.tickers(now=now_milliseconds())
    written = [write(name, tickers[name]) for name in chosen]
    return said(written[0] if "symbol" in given else written, fault)


def _select_permitted(venue: Venue, given: Mapping[str, str]) -> list[str]:
    """Return the symbols that exchangeInfo is asked for, by name or by permission and status. Raises VenueError."""
    named = given.keys() & {"symbol", "symbols"}
    if named and given.keys() & {"permissions", "symbolStatus"}:
        raise VenueError(*BAD_COMBINATION)
    chosen, wanted = select_symbols(given, venue.book.listings), given.get("permissions", PERMISSIONS[0])
    permissions = json.loads(wanted) if wanted.startswith("[") else [wanted]
    return chosen if set(permissions) & set(PERMISSIONS) else []


def _describe(venue: Venue, symbol: str, given: Mapping[str, str]) -> dict[str, Any]:
    listings = venue.book.listings
    entry = describe(symbol, listings.filters(symbol), status=listings.status(symbol))
    return entry if given.get("showPermissionSets") != "false" else {**entry, "permissionSets": []}


def _best_prices(symbol: str, ticker: Ticker) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "bidPrice": text(ticker.bid),
        "bidQty": SHOWN_QUANTITY,
        "askPrice": text(ticker.ask),
        "askQty": text(ticker.ask_quantity),
    }


def _mini_ticker(symbol: str, ticker: Ticker) -> dict[str, Any]:
    return {name: value for name, value in _day_ticker(symbol, ticker).items() if name not in _LONG_ONLY}


def _day_ticker(symbol: str, ticker: Ticker) -> dict[str, Any]:
    last = text(ticker.last)
    return {
        **_best_prices(symbol, ticker),
        "priceChange": text("0"),
        "priceChangePercent": "0.000",
        "weightedAvgPrice": last,
        "prevClosePrice": last,
        "lastPrice": last,
        "lastQty": text("1"),
        "openPrice": last,
        "highPrice": last,
        "lowPrice": last,
        "volume": SHOWN_QUANTITY,
        "quoteVolume": SHOWN_QUANTITY,
        "openTime": ticker.at - _DAY_MILLISECONDS,
        "closeTime": ticker.at,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }
