"""A second exchange as a second source of prices: OKX's public tickers, as far as ccxt's `okx` class uses them.

It has no accounts and no orders. Its prices are those of the venue's markets, without their freezes, unless
`PUT /control/second_source` sets its own. Source of the format: "Get instruments", "Get tickers", "Get ticker" and "Get
system time", OKX API v5. Its paths differ from the venue's, so it is served at the same address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.market_state import Ticker
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.book.second_source import OwnAnswer
from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.markets import QUOTE_ASSET, Filters, default_filters
from exchange_site.simulator.suffering import answered, cut, suffer_named
from exchange_site.simulator.venue import VENUE, Venue

OCCASION: Final = "second_source"
_BASE: Final = "/api/v5"
_SPOT: Final = "SPOT"
_TOO_MANY: Final = "50011"
_EMPTY: Final = ("alias", "ctMult", "ctType", "ctVal", "ctValCcy", "expTime", "optType", "settleCcy", "stk", "uly")


@dataclass(frozen=True, kw_only=True)
class _Instrument:
    ticker: Ticker
    filters: Filters


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{_BASE}/public/time", _time),
        web.get(f"{_BASE}/public/instruments", _instruments),
        web.get(f"{_BASE}/market/tickers", _tickers),
        web.get(f"{_BASE}/market/ticker", _ticker),
    ]


async def _time(request: web.Request) -> web.StreamResponse:
    return await _answer(request, [{"ts": str(now_milliseconds())}])


async def _instruments(request: web.Request) -> web.StreamResponse:
    found = _of_spot(request)
    return await _answer(request, [_describe(symbol, instrument.filters) for symbol, instrument in found.items()])


async def _tickers(request: web.Request) -> web.StreamResponse:
    found = _of_spot(request)
    return await _answer(request, [_write(symbol, instrument.ticker) for symbol, instrument in found.items()])


async def _ticker(request: web.Request) -> web.StreamResponse:
    wanted = request.query.get("instId", "")
    found = {_pair(symbol): (symbol, instrument) for symbol, instrument in _listed(request.app[VENUE]).items()}
    if wanted not in found:
        return await _answer(request, [], code="51001", message=f"Instrument ID {wanted} does not exist")
    symbol, instrument = found[wanted]
    return await _answer(request, [_write(symbol, instrument.ticker)])


async def _answer(request: web.Request, data: list[Any], *, code: str = "0", message: str = "") -> web.StreamResponse:
    """Answer in OKX's format, or as a rule for this occasion or the state of the source says."""
    if request.app[VENUE].book.second_source.is_down():
        await cut(request)
    try:
        fault = await suffer_named(request, OCCASION, request.query.get("instId", "").replace("-", "") or None)
    except VenueError as error:
        number = str(error.code) if error.status < 429 else _TOO_MANY  # noqa: PLR2004  429 and 418 are too many calls
        body = {"code": number, "msg": error.message, "data": []}
        return web.json_response(body, status=error.status, headers=error.headers)
    return await answered(request, {"code": code, "msg": message, "data": data}, fault)


def _of_spot(request: web.Request) -> Mapping[str, _Instrument]:
    return _listed(request.app[VENUE]) if request.query.get("instType") == _SPOT else {}


def _listed(venue: Venue) -> dict[str, _Instrument]:
    """Return what the source lists: the venue's symbols, and those that have a price of their own."""
    now, book = now_milliseconds(), venue.book
    markets, own = book.pricing.markets(), book.second_source.answers()
    found = {}
    for symbol in sorted(markets.keys() | own.keys()):
        answer, market = own.get(symbol, OwnAnswer()), markets.get(symbol)
        if not answer.is_listed or (market is None and answer.price is None):
            continue
        ticker = (market or book.pricing.unlisted()).elsewhere(middle=answer.price).now(now)
        filters = book.listings.filters(symbol) if symbol in markets else default_filters(price=ticker.last)
        found[symbol] = _Instrument(
            ticker=replace(ticker, at=now - int(answer.age_seconds * 1000)),
            filters=filters,
        )
    return found


def _pair(symbol: str) -> str:
    return f"{symbol.removesuffix(QUOTE_ASSET)}-{QUOTE_ASSET}"


def _write(symbol: str, ticker: Ticker) -> dict[str, Any]:
    last = f"{ticker.last:f}"
    return {
        "instType": _SPOT,
        "instId": _pair(symbol),
        "last": last,
        "lastSz": "1",
        "askPx": f"{ticker.ask:f}" if ticker.ask else "",
        "askSz": f"{ticker.ask_quantity:f}" if ticker.ask else "",
        "bidPx": f"{ticker.bid:f}",
        "bidSz": "1000",
        "open24h": last,
        "high24h": last,
        "low24h": last,
        "vol24h": "1000",
        "volCcy24h": "1000",
        "ts": str(ticker.at),
        "sodUtc0": last,
        "sodUtc8": last,
    }


def _describe(symbol: str, filters: Filters) -> dict[str, Any]:
    return {
        "instType": _SPOT,
        "instId": _pair(symbol),
        "baseCcy": symbol.removesuffix(QUOTE_ASSET),
        "quoteCcy": QUOTE_ASSET,
        "tickSz": f"{filters.tick:f}",
        "lotSz": f"{filters.step:f}",
        "minSz": f"{filters.minimum:f}",
        "lever": "",
        "listTime": "1548133413000",
        "state": "live",
        **dict.fromkeys(_EMPTY, ""),
    }
