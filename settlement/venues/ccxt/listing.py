"""Read the venue's list of our orders."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from settlement.figures import round_cost, round_quantity
from settlement.venues.ccxt.answers import FINAL_STATUSES, KNOWN_STATUSES, read_decimal
from settlement.venues.ccxt.client import ensure_clock
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.paging import pages_by_id, pages_by_time
from settlement.venues.protocol import CLIENT_ORDER_ID_PREFIX, ListedPurchase, VenueAway

_LISTED_AT_ONCE: Final = 500


def list_orders(client: Any, *, symbol: str, since: datetime, by_id: bool) -> list[ListedPurchase]:
    """List our orders in a market since `since`, by the venue's clock. Raises VenueAway."""
    try:
        orders = read_orders(client, symbol=symbol, since=since, by_id=by_id)
        return [_read_order(order) for order in orders if _is_ours(order)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # for example a proxy's page
        raise VenueAway("a list that cannot be read") from error


def read_orders(client: Any, *, symbol: str, since: datetime, by_id: bool) -> list[dict[str, Any]]:
    """Read all orders of the account in a market since `since`, ours or not, as ccxt returns them. Raises VenueAway."""
    start = int(since.timestamp() * 1000)
    try:
        ensure_clock(client)
        with questions():
            return [order for page in _pages(client, symbol, start, by_id=by_id) for order in page]
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # for example a proxy's page
        raise VenueAway("a list that cannot be read") from error


def _pages(client: Any, symbol: str, since: int, *, by_id: bool) -> Iterator[list[Any]]:
    def fetch(start: int | None, parameters: dict[str, Any]) -> list[Any]:
        page: list[Any] = client.fetch_orders(symbol, start, _LISTED_AT_ONCE, parameters)
        return page

    if by_id:
        return pages_by_id(fetch=fetch, parameter="orderId", since=since, now=client.nonce())
    if not client.has["fetchOrders"]:
        raise VenueAway(f"{client.id} does not list orders")
    return pages_by_time(fetch=fetch, since=since, at_once=_LISTED_AT_ONCE)


def _is_ours(order: dict[str, Any]) -> bool:
    return str(order["clientOrderId"]).startswith(CLIENT_ORDER_ID_PREFIX)


def _read_order(order: dict[str, Any]) -> ListedPurchase:
    """Read a listed order. Raises VenueAway if its figures are missing."""
    quantity, cost, status = read_decimal(order["filled"]), read_decimal(order["cost"]), order["status"]
    if quantity is None or cost is None or quantity < 0 or cost < 0 or status not in KNOWN_STATUSES:
        raise VenueAway(f"order {order['id']} is listed without figures")
    return ListedPurchase(
        client_order_id=order["clientOrderId"],
        venue_order_id=str(order["id"]),
        status=status,
        final=status in FINAL_STATUSES,
        quantity=round_quantity(quantity),
        cost=round_cost(cost),
    )
