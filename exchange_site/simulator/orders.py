"""The signed endpoints: orders, trades and the account, as far as ccxt's `binance` class uses them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.book.orders import NewOrder, now_milliseconds
from exchange_site.simulator.denying import listed
from exchange_site.simulator.errors import NO_SUCH_ORDER, VenueError
from exchange_site.simulator.signing import check_deadline, needed, needed_number, read_signed
from exchange_site.simulator.suffering import answered, suffer, suffer_before
from exchange_site.simulator.venue import VENUE

_BASE: Final = "/api/v3"
_LONGEST_LIST: Final = 1000
_LONGEST_SPAN: Final = 86_400_000


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{_BASE}/order", _place),
        web.get(f"{_BASE}/order", _query),
        web.delete(f"{_BASE}/order", _cancel),
        web.get(f"{_BASE}/openOrders", _open_orders),
        web.get(f"{_BASE}/allOrders", _all_orders),
        web.get(f"{_BASE}/myTrades", _my_trades),
        web.get(f"{_BASE}/account", _account),
    ]


async def _place(request: web.Request) -> web.StreamResponse:
    arrived = await read_signed(request)
    order = _read_order(arrived)
    venue = request.app[VENUE]
    fault = venue.faults.take(occasion="place", symbol=order.symbol)
    await suffer_before(request, fault)
    if fault:
        check_deadline(arrived)  # again after a delay: Binance checks when an order reaches the engine
    fraction = fault.fillable(quantity=order.quantity) if fault else Decimal(1)
    placed = venue.book.place(order, fraction=fraction)
    return await answered(request, _order_answer(placed, with_fills=True), fault)


async def _query(request: web.Request) -> web.StreamResponse:
    arrived = await read_signed(request)
    symbol = needed(arrived, "symbol")
    fault = request.app[VENUE].faults.take(occasion="query", symbol=symbol)
    await suffer_before(request, fault)
    if fault and fault.action == "not_found":
        raise VenueError(*NO_SUCH_ORDER)
    found = _find(request, arrived)
    return await answered(request, _order_answer(found), fault)


async def _cancel(request: web.Request) -> web.Response:
    arrived = await read_signed(request)
    cancelled = request.app[VENUE].book.cancel(_find(request, arrived)["id"])
    return web.json_response(_order_answer(cancelled))


async def _open_orders(request: web.Request) -> web.Response:
    arrived = await read_signed(request)
    await suffer(request, "query", arrived.get("symbol"))
    rows = request.app[VENUE].book.orders.list_all(symbol=arrived.get("symbol"), only_open=True)
    return web.json_response([_order_answer(row) for row in rows])


async def _all_orders(request: web.Request) -> web.Response:
    arrived = await read_signed(request)
    await suffer(request, "query", arrived.get("symbol"))
    since, until = int(arrived.get("startTime", "0")), int(arrived.get("endTime", "0"))
    if since and until - since > _LONGEST_SPAN:
        raise VenueError(-1127, "More than 24 hours between startTime and endTime.")
    first = int(arrived.get("orderId", "0"))
    symbol = needed(arrived, "symbol")
    rows = request.app[VENUE].book.orders.list_all(symbol=symbol)
    wanted = [row for row in rows if row["time"] >= since and row["id"] >= first and not 0 < until < row["time"]]
    limit = min(int(arrived.get("limit", "500")), _LONGEST_LIST)
    answers = [_order_answer(row) for row in (wanted[:limit] if since or first else wanted[-limit:])]
    return listed(request, answers, occasion="list", symbol=symbol)


async def _my_trades(request: web.Request) -> web.Response:
    arrived = await read_signed(request)
    symbol = needed(arrived, "symbol")
    await suffer(request, "query", symbol)
    order_id = int(arrived["orderId"]) if "orderId" in arrived else None
    since, until = int(arrived.get("startTime", "0")), int(arrived.get("endTime", "0"))
    if since and until - since > _LONGEST_SPAN:
        raise VenueError(-1127, "More than 24 hours between startTime and endTime.")
    first = int(arrived.get("fromId", "0"))
    rows = request.app[VENUE].book.orders.trades(order_id=order_id, symbol=symbol)
    wanted = [row for row in rows if row["time"] >= since and row["id"] >= first and not 0 < until < row["time"]]
    limit = min(int(arrived.get("limit", "500")), _LONGEST_LIST)
    answers = [_trade_answer(row) for row in (wanted[:limit] if since or first else wanted[-limit:])]
    return listed(request, answers, occasion="trades", symbol=symbol)


async def _account(request: web.Request) -> web.StreamResponse:
    """Answer with the account. Only rules that name this occasion apply: it is read all the time."""
    await read_signed(request)
    faults = request.app[VENUE].faults
    is_meant = any(rule.on == "account" for rule in faults.rules)
    fault = faults.take(occasion="account", symbol=None) if is_meant else None
    await suffer_before(request, fault)
    account = request.app[VENUE].book.account
    rate, _ = account.commission()
    answer = {
        "makerCommission": 10,
        "takerCommission": 10,
        "commissionRates": {"maker": str(rate), "taker": str(rate)},
        "canTrade": True,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": f"{free:f}", "locked": "0.00000000"} for asset, free in account.balances().items()
        ],
        "permissions": ["SPOT"],
    }
    return await answered(request, answer, fault)


def _read_order(arrived: Mapping[str, str]) -> NewOrder:
    kind = needed(arrived, "type")
    return NewOrder(
        client_id=arrived.get("newClientOrderId") or f"simulator-{now_milliseconds()}",
        symbol=needed(arrived, "symbol"),
        side=needed(arrived, "side"),
        type=kind,
        time_in_force=needed(arrived, "timeInForce") if kind == "LIMIT" else "IOC",
        price=needed_number(arrived, "price") if kind == "LIMIT" else None,
        quantity=needed_number(arrived, "quantity"),
    )


def _find(request: web.Request, arrived: Mapping[str, str]) -> dict[str, Any]:
    book, symbol = request.app[VENUE].book, needed(arrived, "symbol")
    if "orderId" in arrived:
        return book.orders.get(int(arrived["orderId"]))
    return book.orders.find(symbol=symbol, client_id=needed(arrived, "origClientOrderId"))


def _order_answer(row: Mapping[str, Any], *, with_fills: bool = False) -> dict[str, Any]:
    answer = {
        "symbol": row["symbol"],
        "orderId": row["id"],
        "orderListId": -1,
        "clientOrderId": row["client_id"],
        "price": row["price"],
        "origQty": row["quantity"],
        "executedQty": row["executed"],
        "cummulativeQuoteQty": row["quote"],
        "status": row["status"],
        "timeInForce": row["time_in_force"],
        "type": row["type"],
        "side": row["side"],
        "time": row["time"],
        "updateTime": row["time"],
        "transactTime": row["time"],
        "isWorking": True,
    }
    if with_fills:
        answer["fills"] = [
            {
                "price": trade["price"],
                "qty": trade["quantity"],
                "commission": trade["commission"],
                "commissionAsset": trade["commission_asset"],
                "tradeId": trade["id"],
            }
            for trade in row["trades"]
        ]
    return answer


def _trade_answer(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "symbol": row["symbol"],
        "id": row["id"],
        "orderId": row["order_id"],
        "orderListId": -1,
        "price": row["price"],
        "qty": row["quantity"],
        "quoteQty": row["quote"],
        "commission": row["commission"],
        "commissionAsset": row["commission_asset"],
        "time": row["time"],
        "isBuyer": row["side"] == "BUY",
        "isMaker": False,
        "isBestMatch": True,
    }
