"""Reading orders, pools and price history."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.db.models import Sum

from trading.aggregation import WaitingOrders
from trading.exceptions import OrderNotHeld
from trading.models import WAITING, Coin, Order, OrderState, PriceReading
from trading.pools import read_counters
from wallets.exceptions import NotFound
from wallets.paging import Page, read_page


@dataclass(frozen=True, kw_only=True)
class OrderFilters:
    state: str | None = None
    crypto: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def list_orders(*, customer_id: int, filters: OrderFilters, limit: int, cursor: str | None) -> Page[Order]:
    """The customer's orders, newest first. Raises InvalidCursor."""
    orders = Order.objects.filter(customer_id=customer_id).select_related("coin")
    if filters.state:
        orders = orders.filter(state=filters.state)
    if filters.crypto:
        orders = orders.filter(coin__name=filters.crypto)
    if filters.created_after:
        orders = orders.filter(created_at__gt=filters.created_after)
    if filters.created_before:
        orders = orders.filter(created_at__lt=filters.created_before)
    return read_page(queryset=orders, filters={"of": customer_id, **vars(filters)}, limit=limit, cursor=cursor)


def get_order(*, customer_id: int, order_id: int) -> Order:
    """One of the customer's orders. Raises NotFound, also for another customer's."""
    order = Order.objects.select_related("coin").filter(customer_id=customer_id, id=order_id).first()
    if order is None:
        raise NotFound
    return order


def get_held_order(*, order_id: int) -> Order:
    """An order that staff have to decide about. Raises OrderNotHeld."""
    order = Order.objects.select_related("coin").filter(pk=order_id, state=OrderState.HELD).first()
    if order is None:
        raise OrderNotHeld
    return order


def read_pool_totals(*, coins: set[str]) -> dict[str, Decimal]:
    """What each coin's pool holds, in US dollars: the counters, or Postgres where they are missing."""
    totals = read_counters(coins=sorted(coins))
    missing = coins - totals.keys()
    if missing:
        sums = sum_pools()
        totals |= {coin: sums.get(coin, Decimal(0)) for coin in missing}
    return totals


def sum_pools() -> dict[str, Decimal]:
    """What every coin's pool holds according to Postgres, empty ones included. Reads what waits, not history."""
    totals = dict.fromkeys(Coin.objects.filter(is_sold=True).values_list("name", flat=True), Decimal(0))
    pooled = Order.objects.filter(state=OrderState.AGGREGATED).order_by()
    totals.update(pooled.values_list("coin__name").annotate(total=Sum("total_price")))
    return totals


_WAITING = """
SELECT EXISTS (SELECT FROM trading_order WHERE coin_id = %(coin)s AND state = 'pending'),
       (SELECT coalesce(sum(total_price), 0) FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated'),
       (SELECT min(settle_by) FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated')
"""


def read_waiting_orders(*, coin_id: int) -> WaitingOrders:
    """What waits to be bought of a coin. A backlog of large orders is not counted: it may be long."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"coin": coin_id})
        has_large, pool_total, pool_settle_by = cursor.fetchone()
    return WaitingOrders(has_large=has_large, pool_total=pool_total, pool_settle_by=pool_settle_by)


@dataclass(frozen=True, kw_only=True)
class OpenOrders:
    """How many orders are in an open state, with what total (US dollars), and for how long the oldest has been."""

    state: str
    count: int
    total: Decimal
    oldest_age_seconds: float


_OPEN_ORDERS = """
SELECT state, count(*), sum(total_price), extract(epoch FROM now() - min(since)) FROM (
    SELECT o.state, o.total_price,
           coalesce(o.settle_by - make_interval(secs => %(pool_age)s), review.decided_at, o.created_at) AS since
      FROM trading_order o LEFT JOIN trading_review review ON review.order_id = o.id
     WHERE o.state IN ('pending', 'aggregated')
     UNION ALL
    SELECT state, total_price, held_at FROM trading_order WHERE state = 'held'
     UNION ALL
    SELECT state, total_price, settling_at FROM trading_order WHERE state = 'settling') open_orders
 GROUP BY state
"""


def summarise_open_orders() -> list[OpenOrders]:
    """What is open, by state. One statement over partial indexes: history costs nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_ORDERS, {"pool_age": settings.POOL_MAX_AGE.total_seconds()})
        rows = cursor.fetchall()
    return [
        OpenOrders(state=state, count=count, total=total, oldest_age_seconds=max(float(age), 0.0))
        for state, count, total, age in rows
    ]


def list_coins_with_waiting_orders(*, since: datetime) -> list[int]:
    """The coins of which an order has been waiting since `since` or longer."""
    rows = Order.objects.filter(state__in=WAITING, created_at__lte=since)
    return sorted(rows.values_list("coin_id", flat=True).distinct())


def sum_costs(*, customer_id: int) -> dict[str, Decimal]:
    """What the customer paid for the coins that completed orders delivered, by coin."""
    rows = (
        Order.objects.filter(customer_id=customer_id, state=OrderState.COMPLETED)
        .values_list("coin__name")
        .annotate(cost=Sum("total_price"))
    )
    return dict(rows)


def list_price_history(*, coin_id: int, limit: int) -> list[PriceReading]:
    """A coin's last price changes, newest first."""
    return list(PriceReading.objects.filter(coin_id=coin_id).order_by("-read_at")[:limit])
