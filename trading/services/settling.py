"""Claims, completes and refunds many orders for settlement, in a constant number of statements.

Each UPDATE checks the order's present state, so a late or repeated call changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum

from trading.metrics import count_closed_after_commit
from trading.models import Order, OrderState
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.crediting import OrderCredit, deliver_coins, refund_customers
from wallets.services.ledger.house_moves import book_revenue
from wallets.services.ledger.locking import lock_customer_wallets


@dataclass(frozen=True, kw_only=True)
class ClaimedOrders:
    """The orders of one claim: their number, coins and charges (US dollars), and the charges of the pooled orders."""

    count: int
    amount: Decimal
    charge: Decimal
    pool_charge: Decimal


def claim_orders(*, coin_id: int, batch_id: int, with_pool: bool, most: int, now: datetime) -> ClaimedOrders:
    """Move up to `most` waiting orders of a coin to `settling`, oldest first, in one statement.

    Skips pooled orders unless `with_pool`, and orders that a cancel has locked.
    """
    row = sql.fetch_one("trading.claim", coin_id=coin_id, batch_id=batch_id, with_pool=with_pool, most=most, now=now)
    assert row is not None, "sums return a row"
    count, amount, charge, pool_charge = row
    return ClaimedOrders(count=count, amount=amount, charge=charge, pool_charge=pool_charge)


@dataclass(frozen=True, kw_only=True)
class SettledOrders:
    """A number of orders of a batch, and the sums of their coins and charges (US dollars)."""

    count: int
    amount: Decimal
    charge: Decimal


def complete_orders(*, batch_id: int, asset: str, available: Decimal, reference: str, now: datetime) -> SettledOrders:
    """Complete a batch's orders from `available` coins: oldest first, each order in full or not at all.

    The caller holds the lock on the coin's inventory.
    """
    rows = sql.fetch_all("trading.complete", batch_id=batch_id, available=available, now=now)
    settled = _sum_up(rows)
    if rows:
        ages = [float(row[4]) for row in rows]
        count_closed_after_commit(state=OrderState.COMPLETED, count=settled.count, ages=ages)
        deliver_coins(asset=asset, credits_=_credits(rows, of=2), now=now)
        book_revenue(amount=settled.charge, reference=reference, now=now)
    return settled


def refund_orders(*, batch_id: int, reason: str, now: datetime) -> SettledOrders:
    """Refund the open orders of a batch.

    Locks wallets before orders, like all code.
    """
    settling = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING)
    lock_customer_wallets(asset=USD, customer_ids=list(settling.values_list("customer_id", flat=True)))
    locked = settling.select_for_update(no_key=True).order_by("id")
    rows = list(locked.values_list("id", "customer_id", "amount", "charge"))
    settling.update(state=OrderState.REFUNDED, refunded_at=now, reason=reason)
    if rows:
        count_closed_after_commit(state=OrderState.REFUNDED, count=len(rows))
        refund_customers(credits_=_credits(rows, of=3), now=now)
    return _sum_up(rows)


def sum_open_orders(*, batch_id: int | None) -> SettledOrders:
    """Sum up the open orders of a batch."""
    assert batch_id is not None, "orders without a batch are not settled"
    sums = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING).aggregate(
        count=Count("id"), amount=Sum("amount"), charge=Sum("charge")
    )
    return SettledOrders(count=sums["count"], amount=sums["amount"] or Decimal(0), charge=sums["charge"] or Decimal(0))


_Row = Sequence[Any]  # id of the order, id of the customer, amount, charge; a row may have more columns


def _credits(rows: Sequence[_Row], *, of: int) -> list[OrderCredit]:
    return [OrderCredit(order_id=row[0], customer_id=row[1], amount=Decimal(row[of])) for row in rows]


def _sum_up(rows: Sequence[_Row]) -> SettledOrders:
    return SettledOrders(
        count=len(rows),
        amount=sum((row[2] for row in rows), Decimal(0)),
        charge=sum((row[3] for row in rows), Decimal(0)),
    )
