"""Read the venue's list of our trades, page by page, to compare commission without a lookup of each order."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from settlement.gate import CannotBeTrue, Figures, OrderSeen, TellsNothing, add_trades
from settlement.told import Ours
from settlement.venues.ccxt.answers import trade_told
from settlement.venues.ccxt.client import ensure_clock
from settlement.venues.ccxt.errors import questions
from settlement.venues.protocol import ListedPurchase, VenueAway

_LISTED_AT_ONCE: Final = 1000
_DAY_MILLISECONDS: Final = 86_400_000
_MOST_PAGES: Final = 5000


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
    pages = _pages_by_id if by_id else _pages_by_time
    trades: dict[str, list[Any]] = defaultdict(list)
    try:
        ensure_clock(client)
        with questions():
            for page in pages(client, symbol, int(since.timestamp() * 1000)):
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


def _pages_by_id(client: Any, symbol: str, since: int) -> Iterator[list[Any]]:
    """Find the first trades day by day, then read on by id."""
    page: list[Any] = []
    pages = 0
    while not page and since <= client.nonce():
        pages = _count(pages)
        span = {"startTime": since, "endTime": since + _DAY_MILLISECONDS - 1}
        page = client.fetch_my_trades(symbol, None, _LISTED_AT_ONCE, span)
        since += _DAY_MILLISECONDS
    after = 0
    while page:
        pages = _count(pages)
        last = max(int(trade["id"]) for trade in page)
        if last < after:
            raise VenueAway("the same page of trades again")
        yield page
        if len(page) < _LISTED_AT_ONCE:
            return
        after = last + 1
        page = client.fetch_my_trades(symbol, None, _LISTED_AT_ONCE, {"fromId": after})


def _pages_by_time(client: Any, symbol: str, since: int) -> Iterator[list[Any]]:
    """Begin each page at the time of the previous page's last trade, until a page has no new trade."""
    seen: set[str] = set()
    pages = 0
    while True:
        pages = _count(pages)
        page = client.fetch_my_trades(symbol, since, _LISTED_AT_ONCE)
        new = [trade for trade in page if str(trade["id"]) not in seen]
        if not new:
            break
        yield new
        seen |= {str(trade["id"]) for trade in new}
        since = max(int(trade["timestamp"]) for trade in new)
    if len(page) >= _LISTED_AT_ONCE:
        raise VenueAway("more trades of one moment than a page holds")


def _count(pages: int) -> int:
    if pages >= _MOST_PAGES:
        raise VenueAway("a list of trades without an end")
    return pages + 1
