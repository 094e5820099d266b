"""Ending an attempt: what the venue did becomes ledger rows, and orders end.

Each ending is one transaction, or part of one, that begins with the lock on the coin's inventory and with a
guarded change of the attempt's state, so that a late or second run changes nothing and returns False.
`from_state` is `sent`, or `parked` where an operator has the last word.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from settlement.clock import database_now
from settlement.exchanges.protocol import Executed, NotPlaced, Trouble
from settlement.jobs import settle_batch_later
from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState
from settlement.services.findings import LATE_FILL, raise_finding
from settlement.services.pausing import forget_trouble, pause_for_trouble
from trading import jobs
from trading.selectors.pools import read_waiting_orders
from trading.services.settling import complete_orders, refund_orders, sum_open_orders
from wallets.runtime import failpoints
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_MOST_EMPTY_ATTEMPTS = 3
_RETRY_WAITS_SECONDS = (1, 5, 15, 60)


@transaction.atomic
def book_execution(*, attempt: Attempt, execution: Executed, from_state: AttemptState = AttemptState.SENT) -> bool:
    """Book a final answer: what was bought comes in, whole orders are delivered, the rest is bought again.

    Commission in a third asset is for an operator: the attempt is parked.
    """
    now = _enter(attempt)
    if execution.foreign_commission:
        return _park(attempt, AttemptState.SENT, reason=f"commission in {execution.foreign_commission}", now=now)
    state = AttemptState.FILLED if execution.quantity else AttemptState.EMPTY
    if not _end(attempt, from_state, state=state, now=now, **_figures_of(execution)):
        return False
    forget_trouble(coin_id=attempt.coin_id)
    reference = _reference_of(attempt)
    received = _book_fill(attempt, execution, now=now)
    batch = _lock_batch(attempt)
    batch.reserved += received
    settled = complete_orders(
        batch_id=batch.pk, asset=attempt.coin.name, available=batch.reserved, reference=reference, now=now
    )
    batch.reserved -= settled.amount
    logger.info("%s of %s bought %s %s for %s", attempt, batch, received, batch.coin, settled.count)
    _go_on(batch, attempt, now=now)
    return True


@transaction.atomic
def end_refused(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """The purchase can never succeed: refund what is open of the batch."""
    now = _enter(attempt)
    if not _end(attempt, from_state, state=AttemptState.REFUSED, now=now, reason=reason[:200]):
        return
    logger.warning("%s of %s is refused: %s", attempt, attempt.batch, reason)
    batch = _lock_batch(attempt)
    refund_orders(batch_id=batch.pk, reason="refused_by_the_exchange", now=now)
    failpoints.reach("refund.credited")
    _close(batch, state=BatchState.REFUNDED, reason=reason, now=now)


@transaction.atomic
def end_not_placed(*, attempt: Attempt, answer: NotPlaced) -> None:
    """Nothing was accepted: try again later, under a new id.

    Where the coin or the venue is in trouble it is paused, and the attempt does not count; otherwise the number
    of attempts is limited.
    """
    now = _enter(attempt)
    if not _end(
        attempt,
        AttemptState.SENT,
        state=AttemptState.NOT_PLACED,
        now=now,
        reason=answer.reason[:200],
        excused=answer.trouble is not None,
    ):
        return
    logger.warning("%s of %s was not placed: %s", attempt, attempt.batch, answer.reason)
    _go_on(_lock_batch(attempt), attempt, now=now, wait_seconds=_wait_before_next(attempt, answer, now=now))


def _wait_before_next(attempt: Attempt, answer: NotPlaced, *, now: datetime) -> float:
    asked_for = answer.retry_after_seconds or 0.0
    if answer.trouble is None:
        return max(_RETRY_WAITS_SECONDS[min(attempt.number, len(_RETRY_WAITS_SECONDS)) - 1], asked_for)
    coin = attempt.coin if answer.trouble is Trouble.COIN else None
    until = pause_for_trouble(
        coin=coin,
        reason=answer.reason,
        at_least_seconds=asked_for,
        now=now,
        of_calls=answer.trouble is Trouble.CALLS,
    )
    return (until - now).total_seconds()


@transaction.atomic
def give_up_looking(*, attempt: Attempt, reason: str, from_state: AttemptState = AttemptState.SENT) -> bool:
    """Take it that the request never reached the book: buy anew, and still ask for it for a day."""
    now = _enter(attempt)
    if not _end(
        attempt,
        from_state,
        state=AttemptState.NOT_PLACED,
        now=now,
        reason=reason[:200],
        recheck_at=now + settings.RECHECK_FIRST_WAIT,
    ):
        return False
    logger.warning("%s of %s is given up: %s", attempt, attempt.batch, reason)
    wait = _RETRY_WAITS_SECONDS[min(attempt.number, len(_RETRY_WAITS_SECONDS)) - 1]
    _go_on(_lock_batch(attempt), attempt, now=now, wait_seconds=wait)
    return True


@transaction.atomic
def book_late_fill(*, attempt: Attempt, execution: Executed) -> bool:
    """What was given up has been bought after all: its coins are the house's surplus, and staff are told.

    Commission in a third asset has no place in the ledger; the finding names it. False when somebody has booked it
    already.
    """
    now = _enter(attempt)
    found = _figures_of(execution)
    given_up = [AttemptState.NOT_PLACED, AttemptState.REFUSED]
    changed = Attempt.objects.filter(pk=attempt.pk, state__in=given_up, signed_at__isnull=False)
    if not changed.update(state=AttemptState.FILLED, recheck_at=None, **found):
        return False
    _book_fill(attempt, execution, now=now)
    raise_finding(
        kind=LATE_FILL,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours="not placed",
        theirs=_in_words(execution),
        amount=execution.quantity - execution.commission,
        now=now,
    )
    return True


@transaction.atomic
def park(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """Leave the batch to an operator."""
    _park(attempt, from_state, reason=reason, now=_enter(attempt))


def _figures_of(execution: Executed) -> dict[str, Any]:
    return {
        "executed": execution.quantity,
        "cost": execution.cost,
        "commission": execution.commission,
        "venue_order_id": execution.venue_order_id,
        "answer": dict(execution.answer),
    }


def _in_words(execution: Executed) -> str:
    foreign = f", commission in {execution.foreign_commission}" if execution.foreign_commission else ""
    return f"{execution.quantity:f} for {execution.cost:f}{foreign}"


def _reference_of(attempt: Attempt) -> str:
    return f"attempt:{attempt.client_order_id}"


def _book_fill(attempt: Attempt, execution: Executed, *, now: datetime) -> Decimal:
    """Book what an attempt brought in, and return how many coins that is."""
    received = execution.quantity - execution.commission
    reference = _reference_of(attempt)
    book_fill(asset=attempt.coin.name, cost=execution.cost, quantity=received, reference=reference, now=now)
    return received


def withdraw_attempt(*, batch: Batch, reason: str, now: datetime) -> bool:
    """End the batch's attempt that has not been sent, if there is one; False if one has been sent.

    The caller holds the locks on the coin's inventory and the batch.
    """
    in_flight = batch.attempts.filter(state__in=IN_FLIGHT).first()
    return in_flight is None or _end(
        in_flight, AttemptState.NEW, state=AttemptState.NOT_PLACED, now=now, reason=reason[:200], excused=True
    )


def refund_batch(*, batch: Batch, reason: str, now: datetime) -> int:
    """Refund what is open of a batch, and close it; returns how many orders. Locks as for withdraw_attempt."""
    refunded = refund_orders(batch_id=batch.pk, reason=reason, now=now)
    _close(batch, state=BatchState.REFUNDED, reason=reason, now=now)
    return refunded.count


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


def _park(attempt: Attempt, from_state: AttemptState, *, reason: str, now: datetime) -> bool:
    ended = _end(attempt, from_state, state=AttemptState.PARKED, now=now, reason=reason[:200])
    if ended:
        _park_batch(_lock_batch(attempt), reason=reason)
    return ended


def _park_batch(batch: Batch, *, reason: str) -> None:
    logger.error("%s is parked for an operator: %s", batch, reason)
    batch.state, batch.reason = BatchState.PARKED, reason[:200]
    batch.save()
    wake_next_claim(coin_id=batch.coin_id)


def _go_on(batch: Batch, ended: Attempt, *, now: datetime, wait_seconds: float = 0) -> None:
    """Close the batch when nothing of it is open, else begin its next attempt.

    Attempts are limited; one that an operator has decided about does not end with an operator again.
    """
    if not sum_open_orders(batch_id=batch.pk).count:
        _close(batch, state=BatchState.SETTLED, reason="", now=now)
    elif ended.state != AttemptState.PARKED and (_has_failed_too_often(batch) or _keeps_coming_back_empty(batch)):
        _park_batch(batch, reason=f"given up after {ended.number} attempts")
    else:
        begin_next_attempt(batch=batch, now=now, wait_seconds=wait_seconds)


def begin_next_attempt(*, batch: Batch, now: datetime, wait_seconds: float = 0) -> None:
    """Deliver from the house's surplus or buy what the batch still needs.

    The caller holds the locks on the coin's inventory and the batch. While another purchase of the coin is under way
    the batch stays open without an attempt: the end of the other one goes on with it, before anything new is claimed.
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


def _free_stock(batch: Batch) -> Decimal:
    """The surplus of earlier purchases that no batch has set aside."""
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
    return failed.count() >= settings.MAX_ATTEMPTS


def _keeps_coming_back_empty(batch: Batch) -> bool:
    last = (
        batch.attempts.exclude(excused=True).order_by("-number").values_list("state", flat=True)[:_MOST_EMPTY_ATTEMPTS]
    )
    return list(last) == [AttemptState.EMPTY] * _MOST_EMPTY_ATTEMPTS


def _close(batch: Batch, *, state: BatchState, reason: str, now: datetime) -> None:
    """What is left of the reserve is surplus of the house, and used first next time."""
    batch.state, batch.reason, batch.closed_at, batch.reserved = state, reason[:200], now, Decimal(0)
    batch.save()
    wake_next_claim(coin_id=batch.coin_id)


def wake_next_claim(*, coin_id: int) -> None:
    """What came in while an attempt was in flight, or was too much for one batch, waits for its end."""
    waiting = read_waiting_orders(coin_id=coin_id)
    pool_is_full = waiting.pool_is_full(threshold=settings.ORDER_AGGREGATION_THRESHOLD)
    if waiting.has_large or pool_is_full or find_idle_batch(coin_id=coin_id):
        jobs.request_claim(coin_id=coin_id)


def find_idle_batch(*, coin_id: int) -> int | None:
    """The oldest open batch of the coin that has no attempt in flight."""
    idle = Batch.objects.filter(coin_id=coin_id, state=BatchState.OPEN).exclude(attempts__state__in=IN_FLIGHT)
    return idle.order_by("pk").values_list("pk", flat=True).first()


@transaction.atomic
def resume_batch(*, batch_id: int) -> bool:
    """Go on with an open batch that has no attempt in flight; False if that is not so (any more)."""
    coin = Batch.objects.select_related("coin").get(pk=batch_id).coin
    lock_inventory(asset=coin.name)
    batch = Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=batch_id)
    if batch.state != BatchState.OPEN or Attempt.objects.filter(coin=coin, state__in=IN_FLIGHT).exists():
        return False
    begin_next_attempt(batch=batch, now=database_now())
    return True
