"""The public endpoints ("Market Data", Kraken's API documentation). The ticker says no time of its prices."""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import formatdate
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.market_state import Ticker
from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.kraken.errors import UNKNOWN_METHOD, KrakenError
from exchange_site.simulator.kraken.names import DOLLARS, Pair, asset_of, find_assets, find_pair, find_pairs
from exchange_site.simulator.kraken.suffering import answer, in_krakens_words, suffer
from exchange_site.simulator.kraken.writing import COST_DECIMALS, decimals_of, exact
from exchange_site.simulator.levels import ENDLESS
from exchange_site.simulator.markets import TRADING
from exchange_site.simulator.venue import VENUE

_BASE: Final = "/0/public"
_ENDLESS_QUANTITY: Final = Decimal(1000)
_LOT_DECIMALS: Final = 8


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{_BASE}/Time", in_krakens_words(_time)),
        web.get(f"{_BASE}/SystemStatus", in_krakens_words(_system_status)),
        web.get(f"{_BASE}/Assets", in_krakens_words(_assets)),
        web.get(f"{_BASE}/AssetPairs", in_krakens_words(_asset_pairs)),
        web.get(f"{_BASE}/Ticker", in_krakens_words(_ticker)),
        web.get(f"{_BASE}/Depth", in_krakens_words(_depth)),
        web.route("*", "/0/{method:.*}", in_krakens_words(_unknown)),
    ]


async def _time(request: web.Request) -> web.StreamResponse:
    """Answer with the time in whole seconds."""
    fault = await suffer(request)
    now = now_milliseconds() // 1000
    return await answer(request, {"unixtime": now, "rfc1123": formatdate(now)}, fault)


async def _system_status(request: web.Request) -> web.StreamResponse:
    fault = await suffer(request)
    return await answer(request, {"status": "online", "timestamp": _iso(now_milliseconds())}, fault)


async def _assets(request: web.Request) -> web.StreamResponse:
    fault = await suffer(request)
    wanted = find_assets(request.query.get("asset", ""), symbols=_symbols(request))
    described = {
        asset.id: {
            "aclass": "currency",
            "altname": asset.altname,
            "decimals": 10,
            "display_decimals": 5,
            "status": "enabled",
        }
        for asset in wanted
    }
    return await answer(request, described, fault)


async def _asset_pairs(request: web.Request) -> web.StreamResponse:
    fault = await suffer(request)
    wanted, book = find_pairs(request.query.get("pair", ""), symbols=_symbols(request)), request.app[VENUE].book
    return await answer(request, {pair.id: _describe(book, pair) for pair in wanted}, fault)


async def _ticker(request: web.Request) -> web.StreamResponse:
    wanted = find_pairs(request.query.get("pair", ""), symbols=_symbols(request))
    fault = await suffer(request, "ticker", symbol=wanted[0].symbol if len(wanted) == 1 else None)
    book = request.app[VENUE].book
    tickers = book.pricing.tickers(now=now_milliseconds())
    return await answer(request, {pair.id: _write_ticker(book, pair, tickers[pair.symbol]) for pair in wanted}, fault)


async def _depth(request: web.Request) -> web.StreamResponse:
    """Answer with the levels that orders meet. A frozen ticker does not freeze them."""
    book = request.app[VENUE].book
    pair = find_pair(request.query.get("pair", ""), symbols=set(_symbols(request)))
    fault = await suffer(request, "ticker", symbol=pair.symbol)
    now, market, decimals = now_milliseconds(), book.pricing.market(pair.symbol), _price_decimals(book, pair)
    bids = [(market.now(now).bid, _ENDLESS_QUANTITY)]
    asks = [(level.price, level.quantity) for level in market.levels(now) if level.quantity]
    written = {
        side: [
            [
                exact(price, decimals=decimals),
                f"{_ENDLESS_QUANTITY if quantity == ENDLESS else quantity:.3f}",
                now // 1000,
            ]
            for price, quantity in levels
        ]
        for side, levels in (("asks", asks), ("bids", bids))
    }
    return await answer(request, {pair.id: written}, fault)


async def _unknown(_: web.Request) -> web.StreamResponse:
    raise KrakenError(UNKNOWN_METHOD)


def _symbols(request: web.Request) -> list[str]:
    return request.app[VENUE].book.listings.symbols()


def _price_decimals(book: Book, pair: Pair) -> int:
    return decimals_of(book.listings.filters(pair.symbol).tick)


def _describe(book: Book, pair: Pair) -> dict[str, Any]:
    """Return the pair's entry in AssetPairs."""
    filters, (rate, _) = book.listings.filters(pair.symbol), book.account.commission()
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base.id,
        "aclass_quote": "currency",
        "quote": pair.quote.id,
        "lot": "unit",
        "cost_decimals": COST_DECIMALS,
        "pair_decimals": decimals_of(filters.tick),
        "lot_decimals": decimals_of(filters.step) if filters.step else _LOT_DECIMALS,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, float(rate * 100)]],
        "fees_maker": [[0, float(rate * 100)]],
        "fee_volume_currency": asset_of(DOLLARS).id,
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{filters.minimum:f}",
        "costmin": f"{filters.notional:f}",
        "tick_size": f"{filters.tick:f}",
        "status": "online" if book.listings.status(pair.symbol) == TRADING else "cancel_only",
    }


def _write_ticker(book: Book, pair: Pair, ticker: Ticker) -> dict[str, Any]:
    decimals = _price_decimals(book, pair)
    bid, ask, last = (exact(price, decimals=decimals) for price in (ticker.bid, ticker.ask, ticker.last))
    return {
        "a": [ask, f"{ticker.ask_quantity:.0f}", f"{ticker.ask_quantity:.3f}"],
        "b": [bid, "1000", "1000.000"],
        "c": [last, "1.00000000"],
        "v": ["1000.00000000", "1000.00000000"],
        "p": [last, last],
        "t": [1, 1],
        "l": [last, last],
        "h": [last, last],
        "o": last,
    }


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
