"""Refunds orders whose purchase would lose too much, and lets pools be bought before that happens.

See `trading/price_moves.py`. The caller holds the lock on the coin's inventory, and knows that no purchase of these
orders may have been executed.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from trading import pools
from trading.metrics import count_closed_after_commit
from trading.models import WAITING, Order, OrderState
from trading.price_moves import Comparison
from trading.services.settling import PRICE_MOVED, SettledOrders
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.crediting import OrderCredit, refund_customers
from wallets.services.ledger.locking import lock_customer_wallets

logger = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 5000


def refund_moved_waiting(*, coin_id: int, with_pool: bool, comparison: Comparison, now: datetime) -> Decimal:
    """Refund the coin's waiting orders that have moved, at most 5,000. Return the dollars that left the pool."""
    states = WAITING if with_pool else (OrderState.PENDING,)
    rows = _refund(Q(coin_id=coin_id, state__in=states) & comparison.moved, states, now=now)
    return sum((row[3] for row in rows if row[5]), Decimal(0))


def refund_moved_settling(*, batch_id: int, comparison: Comparison, now: datetime) -> int:
    """Refund the open orders of a batch that have moved, and return their number."""
    return len(_refund(Q(batch_id=batch_id) & comparison.moved, (OrderState.SETTLING,), now=now))


def _refund(condition: Q, states: Sequence[OrderState], *, now: datetime) -> list[sql.Row]:
    """Refund the orders in one guarded statement. Locks wallets before orders, like all code."""
    found = Order.objects.filter(condition, state__in=states).order_by("id")[:_MOST_AT_ONCE]
    moved = list(found.values_list("id", "customer_id"))
    lock_customer_wallets(asset=USD, customer_ids=[customer for _, customer in moved])
    rows = sql.fetch_all(
        "trading.refund",
        ids=[pk for pk, _ in moved],
        states=[state.value for state in states],
        reason=PRICE_MOVED,
        now=now,
    )
    if rows:
        credits_ = [OrderCredit(order_id=row[0], customer_id=row[1], amount=row[2]) for row in rows]
        refund_customers(credits_=credits_, now=now)
        count_closed_after_commit(state=OrderState.REFUNDED, count=len(rows))
        logger.warning("the price has moved: %s orders are refunded", len(rows))
    return rows


def return_to_pool(*, batch_id: int, threshold: Decimal, now: datetime) -> SettledOrders | None:
    """Let a batch's open orders wait in their pool again, if they are all pooled, not overdue and below the threshold.

    Return them, or None if they are still due. Nothing of the batch has been bought.
    """
    rows = sql.fetch_all("trading.return_to_pool", batch_id=batch_id, threshold=threshold, now=now)
    if not rows:
        return None
    subtotal = sum((row[1] for row in rows), Decimal(0))
    transaction.on_commit(partial(pools.add, coin_name=rows[0][2], amount=subtotal), robust=True)
    return SettledOrders(count=len(rows), amount=sum((row[0] for row in rows), Decimal(0)), subtotal=subtotal)


def hasten_moved_pools(*, now: datetime) -> None:
    """End the wait of every pooled order that would be bought at a loss from now on.

    So their pools are bought while the loss is still far below the one at which they would be refunded. Only pools
    that are bought when their time is up, and only at a price that is new.
    """
    hastened = sql.execute(
        "trading.hasten_moved_pools",
        kept=1 - settings.VENUE.taker_rate,
        since=now - settings.PRICES.valid_for,
        now=now,
    )
    if hastened:
        logger.info("%s pooled orders are bought early, because the price rises", hastened)
