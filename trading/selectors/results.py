"""Reads what orders brought on each UTC day, what the delivered coins cost, and prices at moments."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.db.models import Min, Sum

from trading.models import DayLoss, Order
from wallets.runtime import sql

_OLDEST: Final = 100

DayAndCoin = tuple[date, int]
"""A UTC day, and the id of a coin."""


@dataclass(frozen=True, kw_only=True)
class OrdersOfDay:
    """The orders of a coin that were placed, refunded and completed on a UTC day, by the time of the booking.

    `placed` and `refunded` are charges. The rest is of completed orders: `market` is what their coins cost at the
    market price at which they were placed, and `rounding` is what their subtotals are above the amount at their price;
    neither is rounded.
    Orders from before price rules were sold at the market price. All in US dollars, but `coins`.
    """

    placed: Decimal
    refunded: Decimal
    count: int
    coins: Decimal
    subtotals: Decimal
    fees: Decimal
    rebates: Decimal
    market: Decimal
    rounding: Decimal


def sum_orders_by_day(*, begin: datetime, end: datetime) -> dict[DayAndCoin, OrdersOfDay]:
    """Sum up the orders that were booked from `begin` to before `end`. One statement."""
    names = ("placed", "refunded", "count", "coins", "subtotals", "fees", "rebates", "market", "rounding")
    return {
        (day, coin_id): OrdersOfDay(**dict(zip(names, figures, strict=True)))
        for day, coin_id, *figures in sql.fetch_all("trading.order_results", begin=begin, end=end)
    }


def read_delivered_costs(*, first: date, last: date) -> dict[DayAndCoin, tuple[Decimal, Decimal]]:
    """Return the coins that were counted as delivered on each day, and what they had cost (US dollars)."""
    rows = DayLoss.objects.filter(day__gte=first, day__lte=last).values_list("day", "coin_id", "coins", "cost")
    return {(day, coin_id): (coins, cost) for day, coin_id, coins, cost in rows}


def sum_delivered_after(*, day: date) -> dict[int, tuple[Decimal, Decimal]]:
    """Return, by coin, the coins that were delivered after `day`, and what they had cost (US dollars)."""
    rows = DayLoss.objects.filter(day__gt=day).values_list("coin_id").annotate(Sum("coins"), Sum("cost"))
    return {coin_id: (coins, cost) for coin_id, coins, cost in rows}


def has_completed_before(*, moment: datetime) -> bool:
    """Say whether one of the oldest orders was completed before a moment. Reads a hundred rows, by primary key."""
    oldest = Order.objects.filter(completed_at__isnull=False).order_by("pk").values_list("completed_at", flat=True)
    return any(at < moment for at in oldest[:_OLDEST])


def first_counted_day() -> date | None:
    """Return the first day on which the cost of delivered coins was counted, if there is one."""
    day: date | None = DayLoss.objects.aggregate(first=Min("day"))["first"]
    return day


def read_prices_at(*, asked: Collection[tuple[int, datetime]]) -> dict[tuple[int, datetime], Decimal | None]:
    """Return the price of each coin before its moment (US dollars); None where it is not kept any more."""
    if not asked:
        return {}
    coin_ids, moments = zip(*asked, strict=True)
    rows = sql.fetch_all("trading.prices_at", coin_ids=list(coin_ids), moments=list(moments))
    return {(coin_id, moment): price for coin_id, moment, price in rows}
