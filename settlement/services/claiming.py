"""Claiming: the waiting orders of a coin become one batch, in one transaction."""

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
    """Start the purchase of a coin's waiting orders, if any are due; may be run at any time, twice.

    The large orders are always due, the pool when Postgres says that it is full or overdue. Nothing is
    claimed while an attempt for the coin is in flight: its end enqueues the next claim.
    Runs of one process that wait for the coin's lock together are one run, for which the others wait.
    """
    own: Future[None] = Future()
    first = _waiting.setdefault(coin_id, own)  # one call of a dictionary is atomic
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
"""By coin, the run of this process that has not begun to read: it sees the orders of all runs that join it."""


def _claim_and_count(*, coin: Coin, now: datetime) -> Batch | None:
    batch, pooled = _claim(coin=coin, now=now)
    if batch:
        failpoints.reach("claim.committed")
        logger.info("%s of %s orders of %s begins", batch, batch.orders_count, coin, extra={"batch_id": batch.pk})
    if pooled:
        pools.add(coin_name=coin.name, amount=-pooled)
    elif batch is None:
        pools.rewrite(totals={coin.name: read_waiting_orders(coin_id=coin.pk).pool_total})
    return batch


@transaction.atomic
def _claim(*, coin: Coin, now: datetime) -> tuple[Batch | None, Decimal]:
    """Return the batch, and how many dollars of it left the pool."""
    lock_inventory(asset=coin.name)
    _waiting.pop(coin.pk, None)
    # Before the orders are read: a job that is visible here has its order committed, so this claim (or, while an
    # attempt is in flight, the one that follows its end) sees every order whose job goes. Of a long backlog some of
    # the jobs go, and the rest next time.
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
    batch.orders_count, batch.needed, batch.charged = claimed.count, claimed.amount, claimed.charge
    if _is_to_be_refunded(batch, waiting):
        refund_batch(batch=batch, reason=_POOL_TIMED_OUT, now=now)
    else:
        begin_next_attempt(batch=batch, now=now)


def _is_to_be_refunded(batch: Batch, waiting: WaitingOrders) -> bool:
    """Whether it is a pool whose time was up before it was full, of a coin with that policy."""
    return (
        batch.coin.pool_policy == PoolPolicy.REFUND
        and not waiting.has_large
        and not waiting.pool_is_full(threshold=settings.POOLS.threshold)
    )
