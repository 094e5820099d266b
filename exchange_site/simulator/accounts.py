"""The endpoints about the account: balances, commission, lists of orders and trades ("Account Endpoints", Binance)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.answers import describe_order, describe_own_trade
from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.denying import listed
from exchange_site.simulator.endpoints import BASE
from exchange_site.simulator.errors import BAD_COMBINATION, MORE_THAN_A_DAY, VenueError, missing
from exchange_site.simulator.numbers import text
from exchange_site.simulator.signing import read_request
from exchange_site.simulator.suffering import answered, suffer, suffer_before
from exchange_site.simulator.venue import VENUE

_LONGEST_LIST: Final = 1000
_USUAL_LIST: Final = 500
_LONGEST_SPAN: Final = 86_400_000
_SELECTING: Final = ("orderId", "startTime", "endTime", "fromId")
_COMBINATIONS: Final = frozenset(
    {
        frozenset[str](),
        frozenset({"orderId"}),
        frozenset({"startTime"}),
        frozenset({"endTime"}),
        frozenset({"fromId"}),
        frozenset({"startTime", "endTime"}),
        frozenset({"orderId", "fromId"}),
    }
)
"""What may be asked of one market's trades at once ("Account trade list", Binance)."""


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{BASE}openOrders", _open_orders),
        web.get(f"{BASE}allOrders", _all_orders),
        web.get(f"{BASE}myTrades", _my_trades),
        web.get(f"{BASE}account", _account),
        web.get(f"{BASE}account/commission", _commission),
        web.get(f"{BASE}rateLimit/order", _order_count),
    ]


async def _open_orders(request: web.Request) -> web.Response:
    given = await read_request(request)
    await suffer(request, "query", given.get("symbol"))
    rows = request.app[VENUE].book.orders.list_all(symbol=given.get("symbol"), only_open=True)
    return web.json_response([describe_order(row) for row in rows])


async def _all_orders(request: web.Request) -> web.Response:
    given = await read_request(request)
    _check_span(given)
    symbol = given["symbol"]
    await suffer(request, "query", symbol)
    rows = _select(request.app[VENUE].book.orders.list_all(symbol=symbol), given, first="orderId")
    return listed(request, [describe_order(row) for row in rows], occasion="list", symbol=symbol)


async def _my_trades(request: web.Request) -> web.Response:
    given = await read_request(request)
    if given.keys() & set(_SELECTING) not in _COMBINATIONS:
        raise VenueError(*BAD_COMBINATION)
    _check_span(given)
    symbol, order_id = given["symbol"], int(given["orderId"]) if "orderId" in given else None
    await suffer(request, "query", symbol)
    trades = request.app[VENUE].book.orders.trades(order_id=order_id, symbol=symbol)
    rows = _select(trades, given, first="fromId")
    return listed(request, [describe_own_trade(row) for row in rows], occasion="trades", symbol=symbol)


async def _account(request: web.Request) -> web.StreamResponse:
    """Answer with the account. Only rules that name this occasion apply: it is read all the time."""
    given, venue = await read_request(request), request.app[VENUE]
    is_meant = any(rule.on == "account" for rule in venue.faults.rules)
    fault = venue.faults.take(occasion="account", symbol=None) if is_meant else None
    await suffer_before(request, fault)
    account = venue.book.account
    rate, locked = account.terms().rate, account.locked()
    points = int(rate * 10_000)
    answer = {
        "makerCommission": points,
        "takerCommission": points,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": text(rate), "taker": text(rate), "buyer": text("0"), "seller": text("0")},
        **dict.fromkeys(("canTrade", "canWithdraw", "canDeposit"), True),
        **dict.fromkeys(("brokered", "requireSelfTradePrevention", "preventSor"), False),
        "updateTime": now_milliseconds(),
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": text(free), "locked": text(locked.get(asset, Decimal(0)))}
            for asset, free in account.balances().items()
            if free or asset in locked or given.get("omitZeroBalances") != "true"
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }
    return await answered(request, answer, fault)


async def _commission(request: web.Request) -> web.Response:
    given = await read_request(request)
    rates = request.app[VENUE].book.account.terms().describe(suffix="", with_sides=True)
    return web.json_response({"symbol": given["symbol"], **rates})


async def _order_count(request: web.Request) -> web.Response:
    await read_request(request)
    return web.json_response(request.app[VENUE].limits.describe_orders(now=now_milliseconds()))


def _check_span(given: Mapping[str, str]) -> None:
    """Refuse an end before the start, and more than a day between them. Raises VenueError."""
    if "startTime" not in given or "endTime" not in given:
        return
    span = int(given["endTime"]) - int(given["startTime"])
    if span <= 0:
        raise missing("endTime")  # so says Binance of an end that is not after the start
    if span > _LONGEST_SPAN:
        raise VenueError(*MORE_THAN_A_DAY)


def _select(rows: Sequence[Mapping[str, Any]], given: Mapping[str, str], *, first: str) -> list[Mapping[str, Any]]:
    """Return the rows that are asked for: the oldest since a start or an id, else the newest, the oldest of them first.

    Source: "General API Information", Binance.
    """
    since, until = int(given.get("startTime", 0)), int(given.get("endTime", 2**63))
    least, limit = int(given.get(first, 0)), min(int(given.get("limit", _USUAL_LIST)), _LONGEST_LIST)
    wanted = [row for row in rows if since <= row["time"] <= until and row["id"] >= least]
    return wanted[:limit] if {"startTime", first} & given.keys() else wanted[-limit:]
