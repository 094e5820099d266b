"""Read the venue's list of our orders, page by page. An incomplete list is never returned."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from settlement.figures import round_cost, round_quantity
from settlement.venues.ccxt.answers import FINAL_STATUSES, KNOWN_STATUSES, read_decimal
from settlement.venues.ccxt.client import ensure_clock
from settlement.venues.ccxt.errors import questions
from settlement.venues.protocol import CLIENT_ORDER_ID_PREFIX, ListedPurchase, VenueAway

_LISTED_AT_ONCE: Final = 500
_DAY_MILLISECONDS: Final = 86_400_000
_MOST_PAGES: Final = 5000
"""A venue that says more than this is not believed: 2.5 million orders, or 13 years of empty days."""


def list_orders(client: Any, *, symbol: str, since: datetime, by_id: bool) -> list[ListedPurchase]:
    """List our orders in a market since `since`, by the venue's clock. Raises VenueAway."""
    try:
        orders = read_orders(client, symbol=symbol, since=since, by_id=by_id)
        return [_read_order(order) for order in orders if _is_ours(order)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # for example a proxy's page
        raise VenueAway("a list that cannot be read") from error


def read_orders(client: Any, *, symbol: str, since: datetime, by_id: bool) -> list[dict[str, Any]]:
    """Read all orders of the account in a market since `since`, ours or not, as ccxt returns them. Raises VenueAway."""
    pages = _pages_by_id if by_id else _pages_by_time
    try:
        ensure_clock(client)
        with questions():
            return [order for page in pages(client, symbol, int(since.timestamp() * 1000)) for order in page]
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # for example a proxy's page
        raise VenueAway("a list that cannot be read") from error


def _pages_by_id(client: Any, symbol: str, since: int) -> Iterator[list[Any]]:
    """Find the first orders day by day, then read on by id, which skips no order even if many share a millisecond."""
    page: list[Any] = []
    days = 0
    while not page and since <= client.nonce():
        days = _count(days)
        span = {"startTime": since, "endTime": since + _DAY_MILLISECONDS - 1}
        page = client.fetch_orders(symbol, None, _LISTED_AT_ONCE, span)
        since += _DAY_MILLISECONDS
    pages, after = 0, 0
    while page:
        pages = _count(pages)
        last = max(int(order["id"]) for order in page)
        if last < after:
            raise VenueAway("the same page again")
        yield page
        after = last + 1
        page = client.fetch_orders(symbol, None, _LISTED_AT_ONCE, {"orderId": after})


def _pages_by_time(client: Any, symbol: str, since: int) -> Iterator[list[Any]]:
    """Begin each page at the time of the previous page's last order, until a page has no new order."""
    if not client.has["fetchOrders"]:
        raise VenueAway(f"{client.id} does not list orders")
    seen: set[str] = set()
    pages = 0
    while True:
        pages = _count(pages)
        page = client.fetch_orders(symbol, since, _LISTED_AT_ONCE)
        new = [order for order in page if order["id"] not in seen]
        if not new:
            break
        yield new
        seen |= {order["id"] for order in new}
        since = max(int(order["timestamp"]) for order in new)
    if len(page) >= _LISTED_AT_ONCE:
        raise VenueAway("more orders of one moment than a page holds")


def _count(pages: int) -> int:
    """Count a page. Raises VenueAway if the list seems to have no end."""
    if pages >= _MOST_PAGES:
        raise VenueAway("a list without an end")
    return pages + 1


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
