"""The endpoints that place, test, find and cancel orders ("Trading endpoints" and "Query order", Binance)."""

import secrets
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.answers import (
    acknowledge,
    describe_cancelled,
    describe_order,
    tell_fully,
    tell_result,
)
from exchange_site.simulator.book.orders import NewOrder, now_milliseconds
from exchange_site.simulator.endpoints import BASE
from exchange_site.simulator.errors import NO_SUCH_ORDER, RESTRICTED, UNKNOWN_ORDER_SENT, VenueError, both_missing
from exchange_site.simulator.new_orders import read_order
from exchange_site.simulator.signing import check_deadline, read_request
from exchange_site.simulator.suffering import answered, suffer_before
from exchange_site.simulator.venue import VENUE, Venue

_ANSWERS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "ACK": acknowledge,
    "RESULT": tell_result,
    "FULL": tell_fully,
}
_RESTRICTIONS: Final = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{BASE}order", _place),
        web.post(f"{BASE}order/test", _test),
        web.get(f"{BASE}order", _query),
        web.delete(f"{BASE}order", _cancel),
        web.delete(f"{BASE}openOrders", _cancel_all),
    ]


async def _place(request: web.Request) -> web.StreamResponse:
    given, venue = await read_request(request), request.app[VENUE]
    order = _read_order(venue, given)
    fault = venue.faults.take(occasion="place", symbol=order.symbol)
    await suffer_before(request, fault)
    if fault:
        check_deadline(given)  # again after a delay: Binance checks when an order reaches the engine
    fraction = fault.fillable(quantity=order.quantity) if fault else Decimal(1)
    venue.limits.ensure_order_allowed(now=now_milliseconds())
    placed = venue.book.place(order, fraction=fraction)
    venue.limits.count_order(is_traded=bool(placed["trades"]), now=now_milliseconds())
    kind = given.get("newOrderRespType", "ACK" if order.type == "LIMIT_MAKER" else "FULL")
    answer = await answered(request, _ANSWERS[kind](placed), fault)
    answer.headers.update(venue.limits.order_headers(now=now_milliseconds()))
    return answer


async def _test(request: web.Request) -> web.Response:
    """Check an order, and place nothing ("Test new order", Binance)."""
    given, venue = await read_request(request), request.app[VENUE]
    venue.book.check(_read_order(venue, given))
    if given.get("computeCommissionRates") != "true":
        return web.json_response({})
    return web.json_response(venue.book.account.terms().describe(suffix="ForOrder"))


async def _query(request: web.Request) -> web.StreamResponse:
    given = await read_request(request)
    _ensure_named(given)
    fault = request.app[VENUE].faults.take(occasion="query", symbol=given["symbol"])
    await suffer_before(request, fault)
    if fault and fault.action == "not_found":
        raise VenueError(*NO_SUCH_ORDER)
    return await answered(request, describe_order(_find(request.app[VENUE], given)), fault)


async def _cancel(request: web.Request) -> web.Response:
    given, venue = await read_request(request), request.app[VENUE]
    _ensure_named(given)
    try:
        found = _find(venue, given)
    except VenueError as error:
        raise VenueError(*UNKNOWN_ORDER_SENT) from error
    wanted = _RESTRICTIONS.get(given.get("cancelRestrictions", ""), found["status"])
    if found["status"] in _RESTRICTIONS.values() and found["status"] != wanted:
        raise VenueError(*RESTRICTED)
    cancel_id = given.get("newClientOrderId") or secrets.token_hex(11)
    cancelled = venue.book.cancel(found["id"])
    return web.json_response(describe_cancelled(cancelled, cancel_id=cancel_id, now=now_milliseconds()))


async def _cancel_all(request: web.Request) -> web.Response:
    given, venue = await read_request(request), request.app[VENUE]
    opened = venue.book.orders.list_all(symbol=given["symbol"], only_open=True)
    if not opened:
        raise VenueError(*UNKNOWN_ORDER_SENT)
    cancel_id, now = secrets.token_hex(11), now_milliseconds()
    cancelled = [venue.book.cancel(row["id"]) for row in opened]
    return web.json_response([describe_cancelled(row, cancel_id=cancel_id, now=now) for row in cancelled])


def _read_order(venue: Venue, given: Mapping[str, str]) -> NewOrder:
    return read_order(given, filters=venue.book.listings.filters(given["symbol"]))


def _ensure_named(given: Mapping[str, str]) -> None:
    if "orderId" not in given and "origClientOrderId" not in given:
        raise both_missing("origClientOrderId", "orderId")


def _find(venue: Venue, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the order that a request names, by both ids if it has both. Raises VenueError if there is none."""
    orders, client_id = venue.book.orders, given.get("origClientOrderId")
    if "orderId" not in given:
        return orders.find(symbol=given["symbol"], client_id=given["origClientOrderId"])
    row = orders.get(int(given["orderId"]))
    if row["symbol"] != given["symbol"] or client_id not in {None, row["client_id"]}:
        raise VenueError(*NO_SUCH_ORDER)
    return row
