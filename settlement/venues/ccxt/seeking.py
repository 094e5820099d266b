"""Seek an order in the venue's lists of orders and trades, for when its answer to a lookup by id is in doubt."""

from datetime import datetime, timedelta
from typing import Any, Final

from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.listing import read_orders
from settlement.venues.protocol import VenueAway

_EARLIER: Final = timedelta(minutes=1)
"""The list of orders begins this much before the list of trades, so that it has the order of each trade."""
_TRADES_AT_ONCE: Final = 1000
_MOST_FETCHED: Final = 20
"""More orders that have trades and are not listed are not fetched one by one: such a list of orders is not believed."""


def seek_order(client: Any, *, symbol: str, client_order_id: str, since: datetime, by_id: bool) -> Any:
    """Return the newest order with this client order id that the account has placed since `since`, or None.

    A trade may be of an older order, which the list of orders leaves out: each such order is fetched by its own id.
    Raises VenueAway if a list cannot be had in full, if a trade's order cannot be fetched, and if those are too many.
    """
    orders = read_orders(client, symbol=symbol, since=since - _EARLIER, by_id=by_id)
    if not (found := _of(client_order_id, orders)) and client.has["fetchMyTrades"]:
        trades = _read_trades(client, symbol, int(since.timestamp() * 1000))
        listed = {str(order["id"]) for order in orders}
        found = _of(client_order_id, _fetch_orders(client, symbol, {str(trade["order"]) for trade in trades} - listed))
    return found[-1] if found else None


def _of(client_order_id: str, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [order for order in orders if order["clientOrderId"] == client_order_id]


def _read_trades(client: Any, symbol: str, since: int) -> list[Any]:
    with questions():
        trades = client.fetch_my_trades(symbol, since, _TRADES_AT_ONCE)
        trades = [trade for trade in trades if trade["timestamp"] >= since]
    if len(trades) >= _TRADES_AT_ONCE:
        raise VenueAway("more trades than a list holds")
    return trades


def _fetch_orders(client: Any, symbol: str, unlisted: set[str]) -> list[dict[str, Any]]:
    """Fetch the orders that have trades and are not in the list of orders, the oldest first."""
    if len(unlisted) > _MOST_FETCHED:
        raise VenueAway(f"{len(unlisted)} orders have trades, and are not in the list of orders")
    return [_fetch_order(client, symbol, order_id) for order_id in sorted(unlisted, key=lambda name: (len(name), name))]


def _fetch_order(client: Any, symbol: str, order_id: str) -> dict[str, Any]:
    """Fetch an order. Raises VenueAway unless the answer is about this order and names its client order id."""
    with questions():
        order: dict[str, Any] = client.fetch_order(order_id, symbol)
        is_named = isinstance(order["clientOrderId"], str) and bool(order["clientOrderId"])
        if str(order["id"]) == order_id and is_named:
            return order
    raise VenueAway(f"order {order_id} has trades, is not in the list of orders, and is not told whose it is")
