"""What settlement does to orders: claim, complete and refund many, in a constant number of statements.

Every change is guarded by the state it starts from, so a late or second run changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Sum

from trading.metrics import count_closed_after_commit
from trading.models import Order, OrderState
from wallets.money import USD
from wallets.services.ledger import (
    OrderCredit,
    book_revenue,
    deliver_coins,
    lock_customer_wallets,
    refund_customers,
)


@dataclass(frozen=True, kw_only=True)
class ClaimedOrders:
    """The sums over the orders that one claim took: coins, US dollars, and the part that came from the pool."""

    count: int
    amount: Decimal
    charge: Decimal
    pool_charge: Decimal


_CLAIM = """
WITH taken AS (
    SELECT id FROM trading_order
     WHERE coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
       AND state IN ('pending', 'aggregated')  -- what the index waiting_orders holds
     ORDER BY id LIMIT %(most)s
       FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE trading_order o
       SET state = 'settling', settling_at = %(now)s, batch_id = %(batch_id)s
      FROM taken WHERE o.id = taken.id
    RETURNING o.amount, o.total_price, o.is_aggregated
)
SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(total_price), 0),
       coalesce(sum(total_price) FILTER (WHERE is_aggregated), 0)
  FROM claimed
"""


def claim_orders(*, coin_id: int, batch_id: int, with_pool: bool, most: int, now: datetime) -> ClaimedOrders:
    """Move the waiting orders of a coin to `settling`, oldest first, in one statement.

    Orders that are being cancelled this moment are passed over.
    """
    values: dict[str, Any] = {
        "coin_id": coin_id,
        "batch_id": batch_id,
        "with_pool": with_pool,
        "most": most,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        count, amount, charge, pool_charge = cursor.fetchone()
    return ClaimedOrders(count=count, amount=amount, charge=charge, pool_charge=pool_charge)


_COMPLETE = """
WITH ordered AS (
    SELECT id, sum(amount) OVER (ORDER BY id) AS amount_so_far
      FROM trading_order WHERE batch_id = %(batch_id)s AND state = 'settling'
)
UPDATE trading_order o
   SET state = 'completed', completed_at = %(now)s
  FROM ordered
 WHERE o.id = ordered.id AND ordered.amount_so_far <= %(available)s
RETURNING o.id, o.customer_id, o.amount, o.total_price, extract(epoch FROM %(now)s - o.created_at)
"""


@dataclass(frozen=True, kw_only=True)
class SettledOrders:
    """How many orders an outcome reached, and their sums in coins and US dollars."""

    count: int
    amount: Decimal
    charge: Decimal


def complete_orders(*, batch_id: int, asset: str, available: Decimal, reference: str, now: datetime) -> SettledOrders:
    """Deliver `available` coins to a batch's orders, oldest first and only whole ones.

    The caller holds the lock on the coin's inventory.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, {"batch_id": batch_id, "available": available, "now": now})
        rows = cursor.fetchall()
    settled = _sum_up(rows)
    if rows:
        ages = [float(row[4]) for row in rows]
        count_closed_after_commit(state=OrderState.COMPLETED, count=settled.count, ages=ages)
        deliver_coins(asset=asset, credits_=_credits(rows, of=2), now=now)
        book_revenue(amount=settled.charge, reference=reference, now=now)
    return settled


def refund_orders(*, batch_id: int, reason: str, now: datetime) -> SettledOrders:
    """Give the customers of a batch's open orders their charges back.

    Wallets are locked before orders, as everywhere.
    """
    customers = list(
        Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING).values_list("customer_id", flat=True)
    )
    lock_customer_wallets(asset=USD, customer_ids=customers)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE trading_order SET state = 'refunded', refunded_at = %(now)s, reason = %(reason)s
             WHERE batch_id = %(batch_id)s AND state = 'settling'
            RETURNING id, customer_id, amount, total_price
            """,
            {"batch_id": batch_id, "reason": reason, "now": now},
        )
        rows = cursor.fetchall()
    if rows:
        count_closed_after_commit(state=OrderState.REFUNDED, count=len(rows))
        refund_customers(credits_=_credits(rows, of=3), now=now)
    return _sum_up(rows)


def sum_open_orders(*, batch_id: int) -> SettledOrders:
    """What of a batch is still to be settled."""
    sums = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING).aggregate(
        count=Count("id"), amount=Sum("amount"), charge=Sum("total_price")
    )
    return SettledOrders(count=sums["count"], amount=sums["amount"] or Decimal(0), charge=sums["charge"] or Decimal(0))


_Row = Sequence[Any]  # id, customer's id, amount, charge, and perhaps more


def _credits(rows: Sequence[_Row], *, of: int) -> list[OrderCredit]:
    return [OrderCredit(order_id=row[0], customer_id=row[1], amount=Decimal(row[of])) for row in rows]


def _sum_up(rows: Sequence[_Row]) -> SettledOrders:
    return SettledOrders(
        count=len(rows),
        amount=sum((row[2] for row in rows), Decimal(0)),
        charge=sum((row[3] for row in rows), Decimal(0)),
    )
