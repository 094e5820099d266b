"""The part of the control API that sets prices: middles, markets, tapes, and the second source."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.market_state import Market, write_state, write_ticker
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.book.pricing import MarketChange
from exchange_site.simulator.book.second_source import OwnAnswer
from exchange_site.simulator.inputs import ensure_listed, read_number, read_object, read_price, read_switch, read_whole
from exchange_site.simulator.levels import Level, read_depth, write_depth
from exchange_site.simulator.markets import QUOTE_ASSET, STATUSES
from exchange_site.simulator.requests import read_body
from exchange_site.simulator.tapes import read_tape
from exchange_site.simulator.venue import VENUE, Venue

MOST_SPREAD: Final = Decimal("0.9")
_PRICES: Final = ("bid", "ask", "last")
_MARKET_KEYS: Final = frozenset(
    {"status", "spread", "depth", "refill_seconds", "tape", "frozen", "average", "fills", *_PRICES}
)
_SOURCE_KEYS: Final = frozenset({"price", "age_seconds", "listed"})
_MOST_AGE: Final = 10**9
_MOST_FILLS: Final = 10_000
_SYMBOL: Final = re.compile(rf"\S{{1,40}}{QUOTE_ASSET}")


def routes() -> list[web.RouteDef]:
    return [
        web.put("/control/prices", _prices),
        web.get("/control/market", _read_markets),
        web.put("/control/market", _markets),
        web.get("/control/second_source", _read_second_source),
        web.put("/control/second_source", _second_source),
    ]


async def _prices(request: web.Request) -> web.Response:
    """Set the middle of markets, as in `{"ABANUSDT": "20.00"}`. Bid, ask and last follow it, and a tape ends."""
    book, given = request.app[VENUE].book, read_object(await read_body(request), name="the body")
    book.set_prices({_read_symbol(symbol): read_price(price, name=symbol) for symbol, price in given.items()})
    now = now_milliseconds()
    return web.json_response({name: f"{market.middle_now(now):f}" for name, market in book.pricing.markets().items()})


async def _read_markets(request: web.Request) -> web.Response:
    """Answer with the markets of this moment, without a freeze: what orders meet, and beside it what tickers show."""
    return web.json_response(_describe(request.app[VENUE]))


async def _markets(request: web.Request) -> web.Response:
    """Change markets, as in `{"ABANUSDT": {"bid": "19.99", "ask": "20.01"}}`. Null takes a symbol off the venue."""
    venue, given = request.app[VENUE], read_object(await read_body(request), name="the body")
    ensure_listed(given, listed=venue.book.listings.symbols())
    venue.book.change_markets(
        {name: None if change is None else _read_change(name, change) for name, change in given.items()}
    )
    return web.json_response(_describe(venue))


async def _read_second_source(request: web.Request) -> web.Response:
    source = request.app[VENUE].book.second_source
    return web.json_response(
        {
            "down": source.is_down(),
            "prices": {
                symbol: {
                    "price": None if answer.price is None else f"{answer.price:f}",
                    "age_seconds": f"{answer.age_seconds:f}",
                    "listed": answer.is_listed,
                }
                for symbol, answer in source.answers().items()
            },
        }
    )


async def _second_source(request: web.Request) -> web.Response:
    """Set the second source, as in `{"down": false, "prices": {"ABANUSDT": {"price": "19"}}}`. Null follows again."""
    source = request.app[VENUE].book.second_source
    given = read_object(await read_body(request), name="the body", known={"down", "prices"})
    prices = read_object(given.get("prices", {}), name="prices")
    answers = {_read_symbol(symbol): _read_answer(symbol, answer) for symbol, answer in prices.items()}
    down = read_switch(given["down"], name="down") if "down" in given else source.is_down()
    source.set_all(down=down, answers=answers)
    return await _read_second_source(request)


def _describe(venue: Venue) -> dict[str, Any]:
    now, book = now_milliseconds(), venue.book
    return {
        symbol: {"status": book.listings.status(symbol), **_describe_market(market, now=now)}
        for symbol, market in book.pricing.markets().items()
    }


def _describe_market(market: Market, *, now: int) -> dict[str, Any]:
    state, ticker, position = write_state(market.state), market.now(now), market.position(now)
    return {
        **write_ticker(ticker),
        "middle": f"{market.middle_now(now):f}",
        "spread": f"{market.spread_rate:f}",
        "depth": None if market.state.depth is None else write_depth(market.levels(now)),
        "refill_seconds": state["refill_seconds"],
        "shown": write_ticker(market.shown(now)),
        "frozen": market.state.frozen is not None,
        "average": state["average"],
        "fills": state["fills"],
        "tape": position and {**state["tape"], "started_at": state["started_at"], "now": position.seconds},
    }


def _read_change(symbol: str, data: object) -> MarketChange:
    given = read_object(data, name=symbol, known=_MARKET_KEYS)
    if "status" in given and (not isinstance(given["status"], str) or given["status"] not in STATUSES):
        raise ValueError(f"status is one of {', '.join(sorted(STATUSES))}")
    prices = {name: read_price(given[name], name=name) for name in _PRICES if name in given}
    depth = read_depth(given["depth"]) if given.get("depth") is not None else None
    _check_together(given, prices=prices, depth=depth)
    return MarketChange(
        given=frozenset(given),
        status=given.get("status", ""),
        prices=prices,
        spread=_read_optional(given, "spread", at_most=MOST_SPREAD),
        depth=depth,
        refill_seconds=_read_optional(given, "refill_seconds", at_most=_MOST_AGE),
        tape=read_tape(given["tape"]) if given.get("tape") is not None else None,
        frozen=read_switch(given.get("frozen", False), name="frozen"),
        average=None if given.get("average") is None else read_price(given["average"], name="average"),
        fills=None if given.get("fills") is None else _read_fills(given["fills"]),
    )


def _check_together(
    given: Mapping[str, Any], *, prices: Mapping[str, Decimal], depth: tuple[Level, ...] | None
) -> None:
    """Refuse members that contradict each other. Raises ValueError."""
    if "spread" in given and prices.keys() & {"bid", "ask"}:
        raise ValueError("give bid and ask, or a spread around the middle, not both")
    if depth and prices.get("ask", depth[0].price) != depth[0].price:
        raise ValueError("the first level of depth is at the ask")


def _read_fills(value: object) -> int:
    return read_whole(value, name="fills", at_least=1, at_most=_MOST_FILLS)


def _read_optional(given: Mapping[str, Any], name: str, *, at_most: Decimal | int) -> Decimal | None:
    return None if given.get(name) is None else read_number(given[name], name=name, at_most=at_most)


def _read_answer(symbol: str, data: object) -> OwnAnswer | None:
    if data is None:
        return None
    given = read_object(data, name=symbol, known=_SOURCE_KEYS)
    price = given.get("price")
    return OwnAnswer(
        price=None if price is None else read_price(price, name="price"),
        age_seconds=read_number(
            given.get("age_seconds", 0), name="age_seconds", at_least=-_MOST_AGE, at_most=_MOST_AGE
        ),
        is_listed=read_switch(given.get("listed", True), name="listed"),
    )


def _read_symbol(symbol: str) -> str:
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"a symbol is a coin and {QUOTE_ASSET}, as in ABAN{QUOTE_ASSET}, not {symbol!r:.60}")
    return symbol
