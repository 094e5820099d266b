"""End an attempt: book the venue's answer in the ledger, and complete or refund orders.

Each function works in one database transaction, its own or its caller's. The function first locks the coin's inventory,
then changes the attempt's state if the state is still `from_state`. So a late or second run changes nothing, and a
function that returns a bool returns False. `from_state` is `new` for an attempt that could not be sent, `parked` for an
attempt that staff decide about, and otherwise `sent`.
"""

import logging
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction

from settlement.gate import NO_ASSET, CannotBeTrue
from settlement.models import (
    GIVEN_UP,
    IN_FLIGHT,
    NOT_CLOSED,
    Attempt,
    AttemptState,
    Batch,
    Excess,
    FindingKind,
    Intervention,
)
from settlement.parting import part
from settlement.selectors.venues import find_room
from settlement.services.batches import go_on, lock_batch, park_batch, refund_batch
from settlement.services.disbelieving import disbelieve, request_of, weigh_answer
from settlement.services.ending import (
    book_at_venue,
    end_attempt,
    enter,
    figures_of,
    find_owner,
    if_given_up,
    is_booked_for_another,
    park_as_untrue,
    park_attempt,
    price_of_fill,
    receive_fill,
    reference_of,
)
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.late_coins import deliver_late_coins, end_doubt
from settlement.services.pausing import lift_automatic_pauses, pause_for_trouble
from settlement.told import keep
from settlement.venues.protocol import Executed, NotPlaced, Trouble, Untrue
from settlement.waits import before_retry, bounded
from trading.price_moves import AvailableCoins
from trading.services.settling import complete_orders

logger = logging.getLogger(__name__)

_EMPTY_WAIT_SECONDS: Final = 1


@transaction.atomic
def book_execution(
    *, attempt: Attempt, execution: Executed, from_state: AttemptState = AttemptState.SENT, is_stated: bool = False
) -> bool:
    """Book a final answer: receive the coins, complete whole orders with them, and buy the rest with another attempt.

    If the gate does not let the answer pass, park the attempt for staff instead; an attempt that is parked stays so.
    `is_stated`: its figures are those that staff have stated.
    """
    now = enter(attempt)
    try:
        weigh_answer(attempt=attempt, execution=execution, is_stated=is_stated)
    except CannotBeTrue as error:
        return park_as_untrue(attempt, from_state, Untrue(reason=str(error), answer=execution.answer), now=now)
    return _book(attempt, execution, from_state, now=now)


@transaction.atomic
def park_untrue(*, attempt: Attempt, answer: Untrue, from_state: AttemptState = AttemptState.SENT) -> bool:
    """Park an attempt about which the venue said something that cannot be true, and keep what it said."""
    return park_as_untrue(attempt, from_state, answer, now=enter(attempt))


@transaction.atomic
def book_beyond(*, attempt: Attempt, execution: Executed, intervention: Intervention) -> bool:
    """Book what the venue really did beyond the attempt's request, which staff have approved.

    The part within the request is booked as the attempt's. The rest becomes inventory of the house, on a row of its
    own. Return False if another run has ended the attempt.
    """
    now = enter(attempt)
    parts = part(figures=execution.figures, request=request_of(attempt))
    within, beyond = parts.within, parts.beyond
    asked_for = replace(
        execution,
        quantity=within.quantity,
        cost=within.cost + within.quote_commission,
        commission=within.commission,
        quote_commission=within.quote_commission,
    )
    if attempt.state in GIVEN_UP:
        booked = _book_late_fill(attempt, asked_for, now=now)
    else:
        booked = _book(attempt, asked_for, AttemptState(attempt.state), now=now)
    if booked:
        cost, quantity, commission = beyond.cost + beyond.quote_commission, beyond.quantity, beyond.commission
        values = {"quantity": quantity, "cost": cost, "commission": commission, "booked_at": now}
        Excess.objects.create(attempt=attempt, intervention=intervention, **values)
        reference, received = f"excess:{attempt.client_order_id}", quantity - commission
        book_at_venue(attempt, cost=cost, quantity=received, reference=reference, now=now)
        deliver_late_coins(coin=attempt.coin, reference=reference, now=now)
    return booked


def _book(attempt: Attempt, execution: Executed, from_state: AttemptState, *, now: datetime) -> bool:
    state = AttemptState.FILLED if execution.quantity else AttemptState.EMPTY
    if not end_attempt(attempt, from_state, state=state, now=now, **figures_of(execution)):
        if (other := find_owner(attempt, execution)) is not None:
            answer = Untrue(reason=f"the order of {other}", answer=execution.answer)
            park_as_untrue(attempt, from_state, answer, now=now)
        return False
    lift_automatic_pauses(venue=attempt.place, coin_id=attempt.coin_id)
    received = receive_fill(attempt, execution, now=now)
    batch = lock_batch(batch_id=attempt.batch_id)
    batch.reserved += received
    settled = complete_orders(
        batch_id=batch.pk,
        asset=attempt.coin.name,
        available=AvailableCoins(amount=batch.reserved, price=attempt.limit_price),
        reference=reference_of(attempt),
        now=now,
        bought_at=price_of_fill(attempt, execution, from_state, held_before=batch.reserved - received),
    )
    batch.reserved -= settled.amount
    logger.info("%s of %s bought %s %s and completed %s orders", attempt, batch, received, batch.coin, settled.count)
    wait_seconds = _EMPTY_WAIT_SECONDS if state is AttemptState.EMPTY else 0  # the third in a row is left to staff
    go_on(batch=batch, ended=attempt, now=now, open_count=settled.left, wait_seconds=wait_seconds)
    return True


@transaction.atomic
def end_refused(*, attempt: Attempt, from_state: AttemptState, reason: str) -> None:
    """End an attempt that can never succeed, and refund the batch's orders that are not settled yet.

    An earlier purchase that the venue denied has just been looked up again, by id and in its lists. Should it turn up
    later, its coins become surplus.
    """
    now = enter(attempt)
    if not end_attempt(attempt, from_state, state=AttemptState.REFUSED, now=now, reason=reason[:200]):
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
    now = enter(attempt)
    if not end_attempt(
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
    now = enter(attempt)
    if not end_attempt(
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
    go_on(batch=batch, ended=attempt, now=now, wait_seconds=before_retry(number=attempt.number))
    return True


@transaction.atomic
def book_late_fill(*, attempt: Attempt, execution: Executed, is_stated: bool = False) -> bool:
    """Book the fill of an attempt that we had given up. A finding tells staff.

    Its coins complete whole orders of the coin's open and parked batches; the rest becomes surplus.

    A commission in a third asset is not booked; the finding names that asset. If the gate does not let the rest of the
    answer pass, raise that finding instead, and book nothing. Return False then, if another run has booked the fill
    already, and if the attempt was never sent: an order under its id cannot be ours. `is_stated`: see `book_execution`.
    """
    now = enter(attempt)
    if attempt.signed_at is None:
        return False
    try:
        weigh_answer(attempt=attempt, execution=_without_named_commission(execution), is_stated=is_stated)
    except CannotBeTrue as error:
        doubt_late_answer(attempt=attempt, answer=Untrue(reason=str(error), answer=execution.answer))
        return False
    return _book_late_fill(attempt, execution, now=now)


def _without_named_commission(execution: Executed) -> Executed:
    return execution if execution.foreign_commission == NO_ASSET else replace(execution, foreign_commission="")


@transaction.atomic
def doubt_late_answer(*, attempt: Attempt, answer: Untrue) -> None:
    """Keep an untrue answer about an attempt that stays given up and is asked for again, and raise a finding."""
    now = enter(attempt)
    if if_given_up(attempt).update(answer=keep(answer.answer)):
        disbelieve(attempt=attempt, reason=answer.reason, now=now)


@transaction.atomic
def leave_to_staff(*, attempt: Attempt) -> None:
    """Park an attempt that was given up, because its batch cannot go on while the venue says what cannot be true of it.

    Changes nothing if the attempt is booked by now, or if the batch's next purchase is under way.
    """
    now = enter(attempt)
    batch = lock_batch(batch_id=attempt.batch_id)
    given_up = if_given_up(attempt)
    is_open = batch.state in NOT_CLOSED
    if is_open and given_up.exists() and withdraw_attempt(batch=batch, reason="an earlier one is in doubt", now=now):
        given_up.update(state=AttemptState.PARKED, recheck_at=None)
        park_batch(batch=batch, reason=f"untrue answer about its purchase {attempt.number}, which had been denied")


def _book_late_fill(attempt: Attempt, execution: Executed, *, now: datetime) -> bool:
    changed = if_given_up(attempt).exclude(is_booked_for_another(execution.venue_order_id))
    if not changed.update(state=AttemptState.FILLED, ended_at=now, recheck_at=None, **figures_of(execution)):
        return False
    receive_fill(attempt, execution, now=now)
    deliver_late_coins(coin=attempt.coin, reference=reference_of(attempt), now=now)
    end_doubt(batch=attempt.batch, now=now)
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
    park_attempt(attempt, from_state, reason=reason, now=enter(attempt))


def withdraw_attempt(*, batch: Batch, reason: str, now: datetime) -> bool:
    """End the batch's attempt that has not been sent, if any. Return False if the attempt in flight has been sent.

    The caller holds the locks on the coin's inventory and the batch.
    """
    in_flight = batch.attempts.filter(state__in=IN_FLIGHT).first()
    return in_flight is None or end_attempt(
        in_flight, AttemptState.NEW, state=AttemptState.NOT_PLACED, now=now, reason=reason[:200], excused=True
    )


def _wait_before_next(attempt: Attempt, answer: NotPlaced, *, now: datetime) -> float:
    asked_for = bounded(answer.retry_after_seconds)
    if answer.trouble is None:
        return max(before_retry(number=attempt.number), asked_for)
    until = pause_for_trouble(
        venue=attempt.place,
        coin=attempt.coin if answer.trouble is Trouble.COIN else None,
        reason=answer.reason,
        at_least_seconds=asked_for,
        now=now,
        stops_all_calls=answer.trouble is Trouble.CALLS,
    )
    # Another venue may buy at once what this one cannot. No query where there is none.
    other = settings.FURTHER_VENUES and find_room(coin_id=attempt.coin_id, now=now).venues
    return 0 if other else (until - now).total_seconds()


def _in_words(execution: Executed) -> str:
    foreign = f", commission in {execution.foreign_commission}" if execution.foreign_commission else ""
    return f"{execution.quantity.normalize():f} for {execution.cost.normalize():f}{foreign}"
