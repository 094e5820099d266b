"""Batches: the next attempt of each, and its end.

A batch is changed under two locks, taken in this order: that on the coin's inventory, which claims and bookings take as
well, and that on the batch. Where a function does not take them, its caller holds them.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from settlement.clock import database_now
from settlement.jobs import settle_batch_later
from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState
from settlement.selectors.batches import find_idle_batch
from trading import jobs
from trading.selectors.pools import read_waiting_orders
from trading.services.settling import complete_orders, refund_orders, sum_open_orders
from wallets.runtime import failpoints
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_MOST_EMPTY_ATTEMPTS: Final = 3


def lock_batch(*, batch_id: int) -> Batch:
    """Lock a batch and return it with its coin. The caller holds the lock on the coin's inventory."""
    return Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=batch_id)


def go_on(*, batch: Batch, ended: Attempt, now: datetime, wait_seconds: float = 0) -> None:
    """Close the batch when nothing of it is open, else begin its next attempt.

    Attempts are limited; one that staff have decided about does not end with staff again.
    """
    if not sum_open_orders(batch_id=batch.pk).count:
        _close(batch, state=BatchState.SETTLED, reason="", now=now)
    elif ended.state != AttemptState.PARKED and (_has_failed_too_often(batch) or _keeps_coming_back_empty(batch)):
        park_batch(batch=batch, reason=f"given up after {ended.number} attempts")
    else:
        begin_next_attempt(batch=batch, now=now, wait_seconds=wait_seconds)


def begin_next_attempt(*, batch: Batch, now: datetime, wait_seconds: float = 0) -> None:
    """Deliver from the house's surplus or buy the coins that the batch still needs.

    While another purchase of the coin is under way the batch stays open without an attempt: the end of the other one
    goes on with it, before anything new is claimed.
    """
    needed = sum_open_orders(batch_id=batch.pk).amount
    batch.reserved += max(min(needed - batch.reserved, _free_stock(batch)), Decimal(0))
    if batch.reserved >= needed:
        _deliver_from_stock(batch, now=now)
        return
    batch.state, batch.reason = BatchState.OPEN, ""
    batch.save()
    if Attempt.objects.filter(coin_id=batch.coin_id, state__in=IN_FLIGHT).exists():
        return
    last = batch.attempts.order_by("-number").values_list("number", flat=True).first() or 0
    Attempt.objects.create(
        batch=batch,
        coin=batch.coin,
        number=last + 1,
        next_step_at=now + timedelta(seconds=wait_seconds),
        created_at=now,
    )
    settle_batch_later(batch_id=batch.pk, delay_seconds=wait_seconds)


@transaction.atomic
def resume_batch(*, batch_id: int) -> bool:
    """Go on with an open batch that has no attempt in flight; False if that is not so (any more). Takes the locks."""
    coin = Batch.objects.select_related("coin").get(pk=batch_id).coin
    lock_inventory(asset=coin.name)
    batch = lock_batch(batch_id=batch_id)
    if batch.state != BatchState.OPEN or Attempt.objects.filter(coin=coin, state__in=IN_FLIGHT).exists():
        return False
    begin_next_attempt(batch=batch, now=database_now())
    return True


def refund_batch(*, batch: Batch, reason: str, now: datetime, note: str = "") -> int:
    """Refund the orders of a batch that are still open, and close it; returns how many orders.

    Customers see `reason`; the batch keeps `note`, where that says more.
    """
    refunded = refund_orders(batch_id=batch.pk, reason=reason, now=now)
    failpoints.reach("refund.credited")
    _close(batch, state=BatchState.REFUNDED, reason=note or reason, now=now)
    return refunded.count


def park_batch(*, batch: Batch, reason: str) -> None:
    """Leave the batch to staff; other batches of the coin go on."""
    logger.error("%s is parked for staff: %s", batch, reason)
    batch.state, batch.reason = BatchState.PARKED, reason[:200]
    batch.save()
    _wake_next_claim(coin_id=batch.coin_id)


def _free_stock(batch: Batch) -> Decimal:
    """Return the surplus of earlier purchases that no batch has set aside."""
    unsettled = Batch.objects.filter(coin=batch.coin, state__in=[BatchState.OPEN, BatchState.PARKED])
    others = unsettled.exclude(pk=batch.pk).aggregate(total=Sum("reserved"))["total"] or Decimal(0)
    return lock_inventory(asset=batch.coin.name) - others - batch.reserved


def _deliver_from_stock(batch: Batch, *, now: datetime) -> None:
    complete_orders(
        batch_id=batch.pk, asset=batch.coin.name, available=batch.reserved, reference=f"batch:{batch.pk}", now=now
    )
    _close(batch, state=BatchState.SETTLED, reason="from_inventory", now=now)


def _has_failed_too_often(batch: Batch) -> bool:
    """Attempts that bought something are progress: an order may be larger than the venue's maximum."""
    failed = batch.attempts.exclude(state=AttemptState.FILLED).exclude(excused=True)
    return failed.count() >= settings.SETTLEMENT.max_attempts


def _keeps_coming_back_empty(batch: Batch) -> bool:
    last = (
        batch.attempts.exclude(excused=True).order_by("-number").values_list("state", flat=True)[:_MOST_EMPTY_ATTEMPTS]
    )
    return list(last) == [AttemptState.EMPTY] * _MOST_EMPTY_ATTEMPTS


def _close(batch: Batch, *, state: BatchState, reason: str, now: datetime) -> None:
    """Close the batch. The rest of its reserve is surplus of the house, and used first next time."""
    batch.state, batch.reason, batch.closed_at, batch.reserved = state, reason[:200], now, Decimal(0)
    batch.save()
    _wake_next_claim(coin_id=batch.coin_id)


def _wake_next_claim(*, coin_id: int) -> None:
    """Claim orders that came in while an attempt was in flight, or were too many for one batch."""
    waiting = read_waiting_orders(coin_id=coin_id)
    pool_is_full = waiting.pool_is_full(threshold=settings.POOLS.threshold)
    if waiting.has_large or pool_is_full or find_idle_batch(coin_id=coin_id):
        jobs.request_claim(coin_id=coin_id)
