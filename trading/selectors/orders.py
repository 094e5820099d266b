"""Reads orders."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import F, Sum

from trading.exceptions import OrderNotHeld
from trading.models import WAITING, Order, OrderState
from wallets.exceptions import NotFound
from wallets.runtime import sql
from wallets.runtime.paging import Page, read_records
from wallets.runtime.sql import Record

VENUE_UNCLEAR: Final = "venue_unclear"
_UNSETTLED: Final = (*WAITING, OrderState.SETTLING)


@dataclass(frozen=True, kw_only=True)
class OrderFilters:
    """Filters for orders by the API's names, which are part of the cursors that clients have."""

    state: str | None = None
    crypto: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


_CONDITIONS: Final = {"state": "record.state = %(state)s", "crypto": "coin.name = %(crypto)s"}


def list_orders(*, customer_id: int, filters: OrderFilters, limit: int, cursor: str | None) -> Page[Record]:
    """Return the customer's orders by the API's names, newest first, with what is behind them. Raises InvalidCursor.

    `reason` is the one that is shown. A pooled order has `settle_by`, and not its pool.
    """
    page = read_records(
        "trading.list_orders",
        customer_id=customer_id,
        filters=vars(filters),
        conditions=_CONDITIONS,
        limit=limit,
        cursor=cursor,
    )
    for row in page.rows:
        row["reason"] = _shown_reason(state=row["state"], reason=row["reason"], is_unclear=row["is_unclear"])
    return page


def get_order(*, customer_id: int, order_id: int) -> Order:
    """Return one of the customer's orders. Raises NotFound, also for an order of another customer."""
    order = Order.objects.select_related("coin__unclear").filter(customer_id=customer_id, id=order_id).first()
    if order is None:
        raise NotFound
    return order


def read_states(order_ids: Collection[int]) -> Mapping[int, str]:
    """Return the states of orders by their ids, of any customers."""
    return dict(Order.objects.filter(pk__in=order_ids).values_list("pk", "state"))


def get_held_order(*, order_id: int) -> Order:
    """Return the order if it is held. Raises OrderNotHeld."""
    order = Order.objects.select_related("coin").filter(pk=order_id, state=OrderState.HELD).first()
    if order is None:
        raise OrderNotHeld
    return order


def shown_reason(*, order: Order) -> str | None:
    """Return the order's reason; `venue_unclear` for an open order that waits behind a purchase of unknown outcome.

    The order comes from a selector, which has read whether the coin is unclear.
    """
    is_unclear = getattr(order.coin, "unclear", None) is not None
    return _shown_reason(state=order.state, reason=order.reason, is_unclear=is_unclear)


def _shown_reason(*, state: str, reason: str | None, is_unclear: bool) -> str | None:
    return VENUE_UNCLEAR if is_unclear and state in _UNSETTLED else reason


def has_many_held_orders(*, customer_id: int) -> bool:
    """Say whether RISK_MAX_HELD orders of the customer, of any age, wait for a decision of staff.

    The caller holds the lock on the customer's wallet. A query of its own: only an order that breaks a risk rule needs
    the answer, and in the statement above it would cost every order a fiftieth of its time in Postgres.
    """
    held = Order.objects.filter(customer_id=customer_id, state=OrderState.HELD)
    return held[: settings.RISK.max_held].count() >= settings.RISK.max_held


@dataclass(frozen=True, kw_only=True)
class OpenOrders:
    """The number of orders in one open state, the sum of their charges (US dollars), and the age of the oldest."""

    state: str
    count: int
    total: Decimal
    oldest_age_seconds: float


def summarise_open_orders() -> list[OpenOrders]:
    """Sum up the open orders by state. One statement over partial indexes: closed orders cost nothing."""
    rows = sql.fetch_all("trading.open_orders", pool_age=settings.POOLS.max_age.total_seconds())
    return [
        OpenOrders(state=state, count=count, total=total, oldest_age_seconds=max(float(age), 0.0))
        for state, count, total, age in rows
    ]


def list_coins_with_waiting_orders(*, since: datetime) -> list[int]:
    """Return the ids of the coins that have a waiting order placed at `since` or earlier."""
    rows = Order.objects.filter(state__in=WAITING, created_at__lte=since)
    return sorted(rows.values_list("coin_id", flat=True).distinct())


def sum_costs(*, customer_id: int) -> dict[str, Decimal]:
    """Return what the customer's completed orders cost in the end, less rebates (US dollars), by coin name."""
    rows = (
        Order.objects.filter(customer_id=customer_id, state=OrderState.COMPLETED)
        .values_list("coin__name")
        .annotate(cost=Sum(F("charge") - F("rebate")))
    )
    return dict(rows)
