"""Read the venue's list of our orders."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from settlement.figures import read_figure, round_cost, round_quantity
from settlement.gate import FINAL_STATUSES, KNOWN_STATUSES, CannotBeTrue
from settlement.told import in_words
from settlement.venues.ccxt.client import ensure_clock, venue_now
from settlement.venues.ccxt.reading import Reading
from settlement.venues.profiles.words import Heard, Market
from settlement.venues.protocol import CLIENT_ORDER_ID_PREFIX, ListedPurchase, VenueAway

T = TypeVar("T")


def list_orders(reading: Reading, *, market: Market, since: datetime) -> list[ListedPurchase]:
    """List our orders in a market since `since`, by the venue's clock. Raises VenueAway."""
    orders = read_orders(reading, market=market, since=since)
    return [_read_order(order) for order in orders if _is_ours(order)]


def read_orders(reading: Reading, *, market: Market, since: datetime) -> list[Heard]:
    """Read all orders of the account in a market since `since`, ours or not. Raises VenueAway."""
    ensure_clock(reading.client)
    now = venue_now(reading.client)
    return whole(lambda: reading.profile.list_orders(reading.wire, market=market, since=since, now=now))


def whole(read: Callable[[], Iterable[T]]) -> list[T]:
    """Read a list to its end. Raises VenueAway, also for what cannot be read, such as a proxy's page."""
    try:
        return list(read())
    except (ArithmeticError, AttributeError, CannotBeTrue, LookupError, TypeError, ValueError) as error:
        raise VenueAway("a list that cannot be read") from error


def _is_ours(order: Heard) -> bool:
    return str(order.told.client_order_id).startswith(CLIENT_ORDER_ID_PREFIX)


def _read_order(order: Heard) -> ListedPurchase:
    """Read a listed order. Raises VenueAway if its figures are missing."""
    told = order.told
    quantity, cost, status = read_figure(told.executed), read_figure(told.cost), told.status
    is_known = isinstance(status, str) and status in KNOWN_STATUSES
    if quantity is None or cost is None or quantity < 0 or cost < 0 or not is_known:
        raise VenueAway(f"order {in_words(told.venue_order_id)} is listed without figures")
    return ListedPurchase(
        client_order_id=str(told.client_order_id),
        venue_order_id=str(told.venue_order_id),
        status=str(status),
        final=status in FINAL_STATUSES,
        quantity=round_quantity(quantity),
        cost=round_cost(cost),
    )
