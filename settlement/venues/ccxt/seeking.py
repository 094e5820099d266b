"""Seek an order in the venue's lists of orders and trades, for when its answer to a lookup by id is in doubt."""

from datetime import datetime, timedelta
from typing import Any, Final

from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.listing import read_orders
from settlement.venues.protocol import VenueAway

_EARLIER: Final = timedelta(minutes=1)
"""The list of orders begins this much before the list of trades, so that it has the order of each trade."""
_TRADES_AT_ONCE: Final = 1000


def seek_order(client: Any, *, symbol: str, client_order_id: str, since: datetime, by_id: bool) -> Any:
    """Return the newest order with this client order id that the account has placed since `since`, or None.

    Raises VenueAway if a list cannot be had in full, and if a trade's order is missing in the list of orders.
    """
    orders = read_orders(client, symbol=symbol, since=since - _EARLIER, by_id=by_id)
    found = [order for order in orders if order["clientOrderId"] == client_order_id]
    if found:
        return found[-1]
    if client.has["fetchMyTrades"]:
        _ensure_complete(orders, trades=_read_trades(client, symbol, int(since.timestamp() * 1000)))
    return None


def _read_trades(client: Any, symbol: str, since: int) -> list[Any]:
    with questions():
        trades = client.fetch_my_trades(symbol, since, _TRADES_AT_ONCE)
        trades = [trade for trade in trades if trade["timestamp"] >= since]
    if len(trades) >= _TRADES_AT_ONCE:
        raise VenueAway("more trades than a list holds")
    return trades


def _ensure_complete(orders: list[dict[str, Any]], *, trades: list[Any]) -> None:
    listed = {str(order["id"]) for order in orders}
    for trade in trades:
        if str(trade["order"]) not in listed:
            raise VenueAway(f"order {trade['order']} has trades, and is not in the list of orders")
