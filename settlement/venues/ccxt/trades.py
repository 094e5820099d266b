"""Read the venue's list of our trades, to compare commission without a lookup of each order."""

from collections import defaultdict
from datetime import datetime

from settlement.gate import CannotBeTrue, Figures, OrderSeen, TellsNothing, add_trades
from settlement.told import TradeTold
from settlement.venues.ccxt.answers import ours_in
from settlement.venues.ccxt.client import ensure_clock, venue_now
from settlement.venues.ccxt.listing import whole
from settlement.venues.ccxt.reading import Reading
from settlement.venues.profiles.words import Market, TradeHeard
from settlement.venues.protocol import ListedPurchase


def list_figures(
    reading: Reading, *, market: Market, listed: list[ListedPurchase], since: datetime
) -> dict[str, Figures | None]:
    """Return each order's figures by its venue order id; None stands for trades that contradict the order.

    Left out are orders of which the list lacks a trade. Raises VenueAway.
    """
    bought = [order for order in listed if order.quantity]
    if not bought:
        return {}
    trades: dict[str, list[TradeTold]] = defaultdict(list)
    for heard in read_trades(reading, market=market, since=since):
        trades[str(heard.trade.venue_order_id)].append(heard.trade)
    figures: dict[str, Figures | None] = {}
    for order in bought:
        try:
            figures[order.venue_order_id] = _add_up(order, trades[order.venue_order_id], market)
        except CannotBeTrue:
            figures[order.venue_order_id] = None
        except TellsNothing:
            continue
    return figures


def read_trades(reading: Reading, *, market: Market, since: datetime) -> list[TradeHeard]:
    """Read all trades of the account in a market since `since`. Raises VenueAway."""
    ensure_clock(reading.client)
    now = venue_now(reading.client)
    return whole(lambda: reading.profile.list_trades(reading.wire, market=market, since=since, now=now))


def _add_up(order: ListedPurchase, trades: list[TradeTold], market: Market) -> Figures:
    """Return an order's figures with the commission. Raises TellsNothing, CannotBeTrue."""
    ours = ours_in(market, client_order_id=order.client_order_id)
    seen = OrderSeen(
        venue_order_id=order.venue_order_id,
        symbol=ours.symbol,
        status=order.status,
        executed=order.quantity,
        cost=order.cost,
    )
    return add_trades(order=seen, trades=trades, ours=ours, are_complete=False)
