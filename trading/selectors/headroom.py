"""Reads what may still be sold: the last count, or without one that is new enough, what has changed since."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from trading.models import Headroom
from wallets.runtime import sql
from wallets.selectors.house import sum_paid_to_venue


def list_headroom() -> list[Headroom]:
    """Return the last count for all coins together and of each coin on sale. One query."""
    of_sold = Headroom.objects.filter(Q(coin=None) | Q(coin__is_sold=True)).select_related("coin")
    return list(of_sold.order_by("coin__name"))


def list_near_stops() -> list[Headroom]:
    """Return the counts of which a fifth or less is left, the longest so first. One query."""
    near = Headroom.objects.filter(Q(coin=None) | Q(coin__is_sold=True), near_since__isnull=False)
    return list(near.select_related("coin").order_by("near_since", "pk"))


def recount_room(*, coin_id: int, counted_at: datetime) -> Decimal | None:
    """Return the US dollars that may still be sold of a coin, by the count of `counted_at` and what has changed since.

    None for any. Two statements, which cost as much as there are open orders. Orders that are placed at the same time
    do not see each other.
    """
    row = sql.fetch_one("trading.recount_room", coin=coin_id, spent=sum_paid_to_venue(since=counted_at))
    assert row is not None, "sums return a row"
    room: Decimal | None = row[0]
    return room
