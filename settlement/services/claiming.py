"""Claim a coin's waiting orders into one batch, in one database transaction."""

import logging
from concurrent.futures import Future
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from settlement.models import IN_FLIGHT, Attempt, Batch
from settlement.queue import delete_waiting_claims
from settlement.selectors.batches import find_idle_batch
from settlement.selectors.pauses import find_pause
from settlement.services.batches import begin_next_attempt, refund_batch, resume_batch
from trading import jobs, pools
from trading.models import Coin, PoolPolicy
from trading.pool_rules import WaitingOrders
from trading.selectors.pools import read_waiting_orders
from trading.services.settling import ClaimedOrders, claim_orders
from wallets.runtime import failpoints
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_POOL_TIMED_OUT: Final = "pool_timed_out"


def claim_waiting_orders(*, coin_id: int, now: datetime) -> Batch | None:
    """Start the purchase of a coin's waiting orders, if any are due. Safe to run at any time, and twice.

    Large orders are always due. The pool is due when Postgres shows that it is full or overdue. Nothing is claimed
    while an attempt for the coin is in flight: the end of that attempt enqueues the next claim.
    Of the runs in one process that would wait for the coin's lock, only the first claims. The others wait for that run
    and return None.
    """
    own: Future[None] = Future()
    first = _waiting.setdefault(coin_id, own)  # setdefault is atomic between threads
    if first is not own:
        first.result()
        return None
    try:
        batch = _claim_and_count(coin=Coin.objects.get(pk=coin_id), now=now)
        own.set_result(None)
    except BaseException as error:
        if _waiting.get(coin_id) is own:
            del _waiting[coin_id]
        own.set_exception(error)
        raise
    return batch


_waiting: dict[int, "Future[None]"] = {}
"""By coin id, the run in this process that has not read the orders yet. Its claim serves all runs that join it."""


def _claim_and_count(*, coin: Coin, now: datetime) -> Batch | None:
    batch, pooled = _claim(coin=coin, now=now)
    if batch:
        failpoints.reach("claim.committed")
        logger.info("%s begins with %s orders of %s", batch, batch.orders_count, coin, extra={"batch_id": batch.pk})
    if pooled:
        pools.add(coin_name=coin.name, amount=-pooled)
    elif batch is None:
        pools.rewrite(totals={coin.name: read_waiting_orders(coin_id=coin.pk).pool_total})
    return batch


@transaction.atomic
def _claim(*, coin: Coin, now: datetime) -> tuple[Batch | None, Decimal]:
    """Claim under the coin's lock. Return the batch, and the dollars that left the pool."""
    lock_inventory(asset=coin.name)
    _waiting.pop(coin.pk, None)
    # Jobs are deleted before the orders are read. A job that is visible here was committed with its order, so this
    # claim sees every order whose job is deleted (if an attempt is in flight, the claim after its end does). Of a long
    # backlog, each claim deletes only a part.
    delete_waiting_claims(coin_id=coin.pk, most=2 * settings.SETTLEMENT.batch_max_orders)
    if pause := find_pause(coin_id=coin.pk, now=now):
        if pause.until:
            jobs.request_claim(coin_id=coin.pk, delay_seconds=(pause.until - now).total_seconds())
        return None, Decimal(0)
    if Attempt.objects.filter(coin=coin, state__in=IN_FLIGHT).exists():
        return None, Decimal(0)
    if idle := find_idle_batch(coin_id=coin.pk):
        resume_batch(batch_id=idle)
        return None, Decimal(0)
    waiting = read_waiting_orders(coin_id=coin.pk)
    with_pool = _pool_is_due(waiting, now=now)
    if not waiting.has_large and not with_pool:
        return None, Decimal(0)
    batch = Batch.objects.create(coin=coin, created_at=now)
    claimed = claim_orders(
        coin_id=coin.pk, batch_id=batch.pk, with_pool=with_pool, most=settings.SETTLEMENT.batch_max_orders, now=now
    )
    if not claimed.count:
        batch.delete()
        return None, Decimal(0)
    _start(batch, claimed=claimed, waiting=waiting, now=now)
    failpoints.reach("claim.claimed")
    return batch, claimed.pool_charge


def _pool_is_due(waiting: WaitingOrders, *, now: datetime) -> bool:
    return waiting.pool_is_full(threshold=settings.POOLS.threshold) or waiting.pool_is_overdue(now=now)


def _start(batch: Batch, *, claimed: ClaimedOrders, waiting: WaitingOrders, now: datetime) -> None:
    batch.orders_count, batch.needed, batch.charge = claimed.count, claimed.amount, claimed.charge
    if _is_to_be_refunded(batch, waiting):
        refund_batch(batch=batch, reason=_POOL_TIMED_OUT, now=now)
    else:
        begin_next_attempt(batch=batch, now=now)


def _is_to_be_refunded(batch: Batch, waiting: WaitingOrders) -> bool:
    """Say whether the batch is a pool that was overdue but not full, and the coin's policy is to refund it."""
    return (
        batch.coin.pool_policy == PoolPolicy.REFUND
        and not waiting.has_large
        and not waiting.pool_is_full(threshold=settings.POOLS.threshold)
    )
