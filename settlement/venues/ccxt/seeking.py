"""Seek an order in the venue's lists of orders and trades, for when its answer to a lookup by id is in doubt."""

from datetime import datetime, timedelta
from typing import Final

from settlement.venues.ccxt.listing import read_orders
from settlement.venues.ccxt.reading import Reading
from settlement.venues.ccxt.trades import read_trades
from settlement.venues.profiles.words import Heard, Market, milliseconds_of
from settlement.venues.protocol import VenueAway

_EARLIER: Final = timedelta(minutes=1)
"""The list of orders begins this much before the list of trades, so that it has the order of each trade."""
_MOST_FETCHED: Final = 20
"""More orders that have trades and are not listed are not fetched one by one: such a list of orders is not believed."""


def seek_order(reading: Reading, *, market: Market, client_order_id: str, since: datetime) -> Heard | None:
    """Return the newest order with this client order id that the account has placed since `since`, or None.

    A trade may be of an older order, which the list of orders leaves out: each such order is fetched by its own id.
    Raises VenueAway if a list cannot be had in full, if a trade's order cannot be fetched, and if those are too many.
    """
    orders = read_orders(reading, market=market, since=since - _EARLIER)
    if not (found := _of(client_order_id, orders)):
        listed = {str(order.told.venue_order_id) for order in orders}
        trades = read_trades(reading, market=market, since=since)
        traded = {str(heard.trade.venue_order_id) for heard in trades if heard.at >= milliseconds_of(since)}
        found = _of(client_order_id, _fetch_orders(reading, market, traded - listed))
    return found[-1] if found else None


def _of(client_order_id: str, orders: list[Heard]) -> list[Heard]:
    return [order for order in orders if order.told.client_order_id == client_order_id]


def _fetch_orders(reading: Reading, market: Market, unlisted: set[str]) -> list[Heard]:
    """Fetch the orders that have trades and are not in the list of orders, the oldest first."""
    if len(unlisted) > _MOST_FETCHED:
        raise VenueAway(f"{len(unlisted)} orders have trades, and are not in the list of orders")
    return [
        _fetch_order(reading, market, order_id) for order_id in sorted(unlisted, key=lambda name: (len(name), name))
    ]


def _fetch_order(reading: Reading, market: Market, order_id: str) -> Heard:
    """Fetch an order. Raises VenueAway unless the answer is about this order and says whose it is."""
    order = reading.profile.fetch_order(reading.wire, market=market, venue_order_id=order_id)
    if order is not None and str(order.told.venue_order_id) == order_id and reading.profile.tells_whose(order):
        return order
    raise VenueAway(f"order {order_id} has trades, is not in the list of orders, and is not told whose it is")
