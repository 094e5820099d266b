"""Read the venue's list of our trades, to compare commission without a lookup of each order."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from settlement.gate import CannotBeTrue, Figures, OrderSeen, TellsNothing, add_trades
from settlement.told import Ours
from settlement.venues.ccxt.answers import trade_told
from settlement.venues.ccxt.client import ensure_clock
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.paging import pages_by_id, pages_by_time
from settlement.venues.protocol import ListedPurchase, VenueAway

_LISTED_AT_ONCE: Final = 1000


def list_figures(
    client: Any, *, symbol: str, listed: list[ListedPurchase], since: datetime, by_id: bool
) -> dict[str, Figures | None] | None:
    """Return each order's figures by its venue order id; None stands for trades that contradict the order.

    Left out are orders of which the list lacks a trade. None as a whole: the venue has no list of trades.
    Raises VenueAway.
    """
    bought = [order for order in listed if order.quantity]
    if not client.has["fetchMyTrades"] or not bought:
        return {} if client.has["fetchMyTrades"] else None
    trades: dict[str, list[Any]] = defaultdict(list)
    try:
        ensure_clock(client)
        with questions():
            for page in _pages(client, symbol, int(since.timestamp() * 1000), by_id=by_id):
                for trade in page:
                    trades[str(trade["order"])].append(trade)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # for example a proxy's page
        raise VenueAway("a list that cannot be read") from error
    coin, quote = symbol.split("/")
    figures: dict[str, Figures | None] = {}
    for order in bought:
        ours = Ours(client_order_id=order.client_order_id, symbol=symbol, coin=coin, quote_asset=quote)
        try:
            figures[order.venue_order_id] = _add_up(order, trades[order.venue_order_id], ours)
        except CannotBeTrue:
            figures[order.venue_order_id] = None
        except TellsNothing:
            continue
    return figures


def _add_up(order: ListedPurchase, trades: list[Any], ours: Ours) -> Figures:
    """Return an order's figures with the commission. Raises TellsNothing, CannotBeTrue."""
    seen = OrderSeen(
        venue_order_id=order.venue_order_id,
        symbol=ours.symbol,
        status=order.status,
        executed=order.quantity,
        cost=order.cost,
    )
    told = [trade_told(trade) for trade in trades]
    return add_trades(order=seen, trades=told, ours=ours, are_complete=False)


def _pages(client: Any, symbol: str, since: int, *, by_id: bool) -> Iterator[list[Any]]:
    def fetch(start: int | None, parameters: dict[str, Any]) -> list[Any]:
        page: list[Any] = client.fetch_my_trades(symbol, start, _LISTED_AT_ONCE, parameters)
        return page

    if by_id:
        return pages_by_id(fetch=fetch, parameter="fromId", since=since, now=client.nonce())
    return pages_by_time(fetch=fetch, since=since, at_once=_LISTED_AT_ONCE)
