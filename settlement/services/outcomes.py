"""End an attempt: book the venue's answer in the ledger, and complete or refund orders.

Each function works in one database transaction, its own or its caller's. The function first locks the coin's inventory,
then changes the attempt's state if the state is still `from_state`. So a late or second run changes nothing, and a
function that returns a bool returns False. `from_state` is `new` for an attempt that could not be sent, `parked` for an
attempt that staff decide about, and otherwise `sent`.
"""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, FindingKind
from settlement.services.batches import go_on, lock_batch, park_batch, refund_batch
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.pausing import lift_automatic_pauses, pause_for_trouble
from settlement.venues.protocol import Executed, NotPlaced, Trouble
from settlement.waits import bounded
from trading.services.settling import complete_orders
from trading.services.unclear import mark_clear
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_RETRY_WAITS_SECONDS: Final = (1, 5, 15, 60)


@transaction.atomic
def book_execution(*, attempt: Attempt, execution: Executed, from_state: AttemptState = AttemptState.SENT) -> bool:
    """Book a final answer: receive the coins, complete whole orders with them, and buy the rest with another attempt.

    If commission was taken in a third asset, park the attempt for staff instead.
    """
    now = _enter(attempt)
    if execution.foreign_commission:
        return _park(attempt, AttemptState.SENT, reason=f"commission in {execution.foreign_commission}", now=now)
    state = AttemptState.FILLED if execution.quantity else AttemptState.EMPTY
    if not _end(attempt, from_state, state=state, now=now, **_figures_of(execution)):
        return False
    lift_automatic_pauses(coin_id=attempt.coin_id)
    received = _book_fill(attempt, execution, now=now)
    batch = lock_batch(batch_id=attempt.batch_id)
    batch.reserved += received
    settled = complete_orders(
        batch_id=batch.pk,
        asset=attempt.coin.name,
        available=batch.reserved,
        reference=_reference_of(attempt),
        now=now,
    )
    batch.reserved -= settled.amount
    logger.info("%s of %s bought %s %s and completed %s orders", attempt, batch, received, batch.coin, settled.count)
    go_on(batch=batch, ended=attempt, now=now)
    return True


@transaction.atomic
def end_refused(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """End an attempt that can never succeed, and refund the batch's orders that are not settled yet."""
    now = _enter(attempt)
    if not _end(attempt, from_state, state=AttemptState.REFUSED, now=now, reason=reason[:200]):
        return
    logger.warning("%s of %s is refused: %s", attempt, attempt.batch, reason)
    batch = lock_batch(batch_id=attempt.batch_id)
    refund_batch(batch=batch, reason="refused_by_the_exchange", note=reason, now=now)


@transaction.atomic
def end_not_placed(*, attempt: Attempt, answer: NotPlaced, from_state: AttemptState = AttemptState.SENT) -> None:
    """End an attempt that the venue did not accept. The batch's next attempt follows later, under a new id.

    If the answer names a trouble, pause buying of the coin or at the venue, and excuse the attempt. An attempt that is
    not excused counts against MAX_ATTEMPTS.
    """
    now = _enter(attempt)
    if not _end(
        attempt,
        from_state,
        state=AttemptState.NOT_PLACED,
        now=now,
        reason=answer.reason[:200],
        excused=answer.trouble is not None,
    ):
        return
    logger.warning("%s of %s was not placed: %s", attempt, attempt.batch, answer.reason)
    batch = lock_batch(batch_id=attempt.batch_id)
    go_on(batch=batch, ended=attempt, now=now, wait_seconds=_wait_before_next(attempt, answer, now=now))


@transaction.atomic
def presume_not_placed(*, attempt: Attempt, reason: str, from_state: AttemptState = AttemptState.SENT) -> bool:
    """Conclude that the request never reached the order book: start a new attempt, recheck the old one for a day."""
    now = _enter(attempt)
    if not _end(
        attempt,
        from_state,
        state=AttemptState.NOT_PLACED,
        now=now,
        reason=reason[:200],
        recheck_at=now + settings.SETTLEMENT.recheck_first_wait,
    ):
        return False
    logger.warning("%s of %s is presumed not placed: %s", attempt, attempt.batch, reason)
    batch = lock_batch(batch_id=attempt.batch_id)
    go_on(batch=batch, ended=attempt, now=now, wait_seconds=_usual_wait(attempt))
    return True


@transaction.atomic
def book_late_fill(*, attempt: Attempt, execution: Executed) -> bool:
    """Book the fill of an attempt that we had given up. Its coins become surplus, and a finding tells staff.

    A commission in a third asset is not booked; the finding names that asset. Return False if another run has booked
    the fill already.
    """
    now = _enter(attempt)
    given_up = [AttemptState.NOT_PLACED, AttemptState.REFUSED]
    changed = Attempt.objects.filter(pk=attempt.pk, state__in=given_up, signed_at__isnull=False)
    if not changed.update(state=AttemptState.FILLED, recheck_at=None, **_figures_of(execution)):
        return False
    _book_fill(attempt, execution, now=now)
    contradiction = Contradiction(
        kind=FindingKind.LATE_FILL,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours="not placed",
        theirs=_in_words(execution),
        amount=execution.quantity - execution.commission,
    )
    raise_finding(contradiction=contradiction, now=now)
    return True


@transaction.atomic
def park(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """Park the attempt and its batch: staff have to decide."""
    _park(attempt, from_state, reason=reason, now=_enter(attempt))


def withdraw_attempt(*, batch: Batch, reason: str, now: datetime) -> bool:
    """End the batch's attempt that has not been sent, if any. Return False if the attempt in flight has been sent.

    The caller holds the locks on the coin's inventory and the batch.
    """
    in_flight = batch.attempts.filter(state__in=IN_FLIGHT).first()
    return in_flight is None or _end(
        in_flight, AttemptState.NEW, state=AttemptState.NOT_PLACED, now=now, reason=reason[:200], excused=True
    )


def _enter(attempt: Attempt) -> datetime:
    """Lock the coin's inventory and return the database's time."""
    lock_inventory(asset=attempt.coin.name)
    return database_now()


def _end(attempt: Attempt, from_state: AttemptState, *, state: AttemptState, now: datetime, **fields: Any) -> bool:
    """End the attempt if its state is still `from_state`. Return False if another run ended the attempt first."""
    ended = Attempt.objects.filter(pk=attempt.pk, state=from_state).update(state=state, ended_at=now, **fields)
    if ended:
        mark_clear(coin_id=attempt.coin_id)
    return bool(ended)


def _park(attempt: Attempt, from_state: AttemptState, *, reason: str, now: datetime) -> bool:
    ended = _end(attempt, from_state, state=AttemptState.PARKED, now=now, reason=reason[:200])
    if ended:
        park_batch(batch=lock_batch(batch_id=attempt.batch_id), reason=reason)
    return ended


def _wait_before_next(attempt: Attempt, answer: NotPlaced, *, now: datetime) -> float:
    asked_for = bounded(answer.retry_after_seconds)
    if answer.trouble is None:
        return max(_usual_wait(attempt), asked_for)
    until = pause_for_trouble(
        coin=attempt.coin if answer.trouble is Trouble.COIN else None,
        reason=answer.reason,
        at_least_seconds=asked_for,
        now=now,
        stops_all_calls=answer.trouble is Trouble.CALLS,
    )
    return (until - now).total_seconds()


def _usual_wait(attempt: Attempt) -> float:
    return _RETRY_WAITS_SECONDS[min(attempt.number, len(_RETRY_WAITS_SECONDS)) - 1]


def _book_fill(attempt: Attempt, execution: Executed, *, now: datetime) -> Decimal:
    """Book an attempt's coins and cost, and return the number of coins received."""
    received = execution.quantity - execution.commission
    reference = _reference_of(attempt)
    book_fill(asset=attempt.coin.name, cost=execution.cost, quantity=received, reference=reference, now=now)
    return received


def _reference_of(attempt: Attempt) -> str:
    return f"attempt:{attempt.client_order_id}"


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
