"""Ending an attempt: what the venue did becomes ledger rows, and orders end.

Each ending is one transaction that begins with the lock on the coin's inventory and with a guarded change
of the attempt's state, so that a late or second run changes nothing.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.exchanges.protocol import Executed
from settlement.jobs import settle_batch_later
from settlement.models import Attempt, AttemptState, Batch, BatchState
from trading import events
from trading.selectors import read_waiting_orders
from trading.services.settling import complete_orders, refund_orders, sum_open_orders
from wallets.services.ledger import book_fill, lock_inventory

logger = logging.getLogger(__name__)

_MOST_EMPTY_ATTEMPTS = 3
_RETRY_WAITS_SECONDS = (1, 5, 15, 60)


@transaction.atomic(durable=True)
def book_execution(*, attempt: Attempt, execution: Executed) -> None:
    """Book a final answer: what was bought comes in, whole orders are delivered, the rest is bought again."""
    now = _enter(attempt)
    if execution.foreign_commission:
        _park(attempt, AttemptState.SENT, reason=f"commission in {execution.foreign_commission}", now=now)
        return
    state = AttemptState.FILLED if execution.quantity else AttemptState.EMPTY
    if not _end(
        attempt,
        AttemptState.SENT,
        state=state,
        now=now,
        executed=execution.quantity,
        cost=execution.cost,
        commission=execution.commission,
        venue_order_id=execution.venue_order_id,
        answer=dict(execution.answer),
    ):
        return
    reference = f"attempt:{attempt.client_order_id}"
    received = execution.quantity - execution.commission
    book_fill(asset=attempt.coin.name, cost=execution.cost, quantity=received, reference=reference, now=now)
    batch = _lock_batch(attempt)
    batch.reserved += received
    settled = complete_orders(
        batch_id=batch.pk, asset=attempt.coin.name, available=batch.reserved, reference=reference, now=now
    )
    batch.reserved -= settled.amount
    logger.info("%s of %s bought %s %s for %s", attempt, batch, received, batch.coin, settled.count)
    _go_on(batch, attempt, now=now)


@transaction.atomic(durable=True)
def end_refused(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """The purchase can never succeed: refund what is open of the batch."""
    now = _enter(attempt)
    if not _end(attempt, from_state, state=AttemptState.REFUSED, now=now, reason=reason[:200]):
        return
    logger.warning("%s of %s is refused: %s", attempt, attempt.batch, reason)
    batch = _lock_batch(attempt)
    refund_orders(batch_id=batch.pk, reason="refused_by_the_exchange", now=now)
    _close(batch, state=BatchState.REFUNDED, reason=reason, now=now)


@transaction.atomic(durable=True)
def end_not_placed(*, attempt: Attempt, reason: str, retry_after_seconds: float | None) -> None:
    """Nothing was accepted: try again later, under a new id, a limited number of times."""
    now = _enter(attempt)
    if not _end(attempt, AttemptState.SENT, state=AttemptState.NOT_PLACED, now=now, reason=reason[:200]):
        return
    logger.warning("%s of %s was not placed: %s", attempt, attempt.batch, reason)
    wait = _RETRY_WAITS_SECONDS[min(attempt.number, len(_RETRY_WAITS_SECONDS)) - 1]
    _go_on(_lock_batch(attempt), attempt, now=now, wait_seconds=max(wait, retry_after_seconds or 0))


@transaction.atomic(durable=True)
def park(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """Leave the batch to an operator."""
    _park(attempt, from_state, reason=reason, now=_enter(attempt))


def _enter(attempt: Attempt) -> datetime:
    """Take the coin's turn, as claims do, and read the clock."""
    lock_inventory(asset=attempt.coin.name)
    return database_now()


def _end(attempt: Attempt, from_state: AttemptState, *, state: AttemptState, now: datetime, **found: Any) -> bool:
    """End the attempt if it is still in `from_state`; False for the run that came too late."""
    ended = Attempt.objects.filter(pk=attempt.pk, state=from_state).update(state=state, ended_at=now, **found)
    return bool(ended)


def _lock_batch(attempt: Attempt) -> Batch:
    return Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=attempt.batch_id)


def _park(attempt: Attempt, from_state: AttemptState, *, reason: str, now: datetime) -> None:
    if _end(attempt, from_state, state=AttemptState.PARKED, now=now, reason=reason[:200]):
        _park_batch(_lock_batch(attempt), reason=reason)


def _park_batch(batch: Batch, *, reason: str) -> None:
    logger.error("%s is parked for an operator: %s", batch, reason)
    batch.state, batch.reason = BatchState.PARKED, reason[:200]
    batch.save()
    wake_next_claim(coin_id=batch.coin_id)


def _go_on(batch: Batch, ended: Attempt, *, now: datetime, wait_seconds: float = 0) -> None:
    """Close the batch when nothing of it is open, else begin its next attempt."""
    if not sum_open_orders(batch_id=batch.pk).count:
        _close(batch, state=BatchState.SETTLED, reason="", now=now)
        return
    if _has_failed_too_often(batch) or _keeps_coming_back_empty(batch):
        _park_batch(batch, reason=f"given up after {ended.number} attempts")
        return
    batch.save()
    Attempt.objects.create(
        batch=batch,
        coin=batch.coin,
        number=ended.number + 1,
        next_step_at=now + timedelta(seconds=wait_seconds),
        created_at=now,
    )
    settle_batch_later(batch_id=batch.pk, delay_seconds=wait_seconds)


def _has_failed_too_often(batch: Batch) -> bool:
    """Attempts that bought something are progress: an order may be larger than the venue's maximum."""
    return batch.attempts.exclude(state=AttemptState.FILLED).count() >= settings.MAX_ATTEMPTS


def _keeps_coming_back_empty(batch: Batch) -> bool:
    last = batch.attempts.order_by("-number").values_list("state", flat=True)[:_MOST_EMPTY_ATTEMPTS]
    return list(last) == [AttemptState.EMPTY] * _MOST_EMPTY_ATTEMPTS


def _close(batch: Batch, *, state: BatchState, reason: str, now: datetime) -> None:
    """What is left of the reserve is surplus of the house, and used first next time."""
    batch.state, batch.reason, batch.closed_at, batch.reserved = state, reason[:200], now, Decimal(0)
    batch.save()
    wake_next_claim(coin_id=batch.coin_id)


def wake_next_claim(*, coin_id: int) -> None:
    """What came in while an attempt was in flight, or was too much for one batch, waits for its end."""
    waiting = read_waiting_orders(coin_id=coin_id)
    if waiting.large_count or waiting.pool_is_full(threshold=settings.ORDER_AGGREGATION_THRESHOLD):
        events.orders_wait(coin_id=coin_id)
