"""The steps of an attempt: send the purchase, look it up until its outcome is known, and act on the venue's answer.

A purchase that may have been executed is never sent again, and its orders are never refunded. Every step is committed
before the next begins. No database connection and no lock is held during a call to the venue.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from settlement.clock import database_now
from settlement.exceptions import AskBeyondPriceBound, SendingStopped, TopUpTooDear
from settlement.jobs import settle_batch_later, watch_database_later
from settlement.metrics import count_failed_item
from settlement.models import IN_FLIGHT, Attempt, AttemptState
from settlement.queue import is_step_enqueued
from settlement.services.asking import (
    is_past_its_window,
    look_up,
    look_up_in_both,
    look_up_in_lists,
    look_up_later,
)
from settlement.services.choosing import AllPaused, Choice, Failure, GetVenue, NoOffer, pause_after
from settlement.services.denials import end_denied, find_before_repeat
from settlement.services.outcomes import (
    book_execution,
    book_late_fill,
    doubt_late_answer,
    end_not_placed,
    end_refused,
    park,
    park_untrue,
)
from settlement.services.pausing import Permit, pause_for_trouble
from settlement.services.recognising import is_recognised
from settlement.services.sending import choose_venue, send
from settlement.services.waiting import Stop, wait_or_give_up
from settlement.venues.configured import VenueNotConfigured
from settlement.venues.protocol import (
    CoinNotListed,
    Executed,
    NoAsk,
    NotPlaced,
    OrderNotFound,
    Refused,
    Trouble,
    Unknown,
    Untrue,
    UnusableRules,
    Venue,
    VenueAnswer,
    VenueAway,
)

logger = logging.getLogger(__name__)

_WAIT_FOR_RECOGNITION: Final = timedelta(seconds=30)
"""As soon as the database is trusted again, its attempts are sent at once."""

_IS_EARLY: Final = Q(next_step_at__gt=Now() + timedelta(seconds=0.5))
"""The tolerance is for the clock by which jobs are scheduled."""
_LATE: Final = timedelta(seconds=2)
"""A job may come so much after the time for which it was enqueued, because delays are in whole seconds."""


def take_next_step(*, batch_id: int, get_venue: GetVenue, earlier_runs: int = 0, only_if_due: bool = False) -> None:
    """Send the batch's attempt if it is new; look the attempt up if it was sent. Safe to run at any time, and twice.

    `get_venue` returns the calling thread's connection to a venue: one that was sent is looked up where it was sent.
    `earlier_runs` counts the runs of the same job, since staff last retried it, that ended in the death of their worker
    or in an error. After JOB_MAX_ATTEMPTS of them, an attempt that was never sent is parked for staff. With
    `only_if_due`, no step is taken before `next_step_at`: of several jobs for one wait, the first begins the next wait.
    """
    in_flight = Attempt.objects.filter(batch_id=batch_id, state__in=IN_FLIGHT)
    in_flight = in_flight.annotate(is_early=_IS_EARLY, is_recognised=is_recognised())
    attempt = in_flight.select_related("batch", "coin__current_price").first()
    if attempt is None:
        return
    if only_if_due and attempt.is_early:
        _keep_next_step(attempt)
    elif attempt.state == AttemptState.SENT:
        _look_up_at_its_venue(attempt, get_venue)
    elif earlier_runs >= settings.JOBS.max_attempts:
        park(attempt=attempt, from_state=AttemptState.NEW, reason=f"never sent: {earlier_runs} runs of its job failed")
    else:
        _send(attempt, get_venue, database_is_known=attempt.is_recognised)


def keep_next_step(*, batch_id: int) -> None:
    """Enqueue the batch's next step for the time at which it is due, unless a job waits for it already."""
    attempt = Attempt.objects.filter(batch_id=batch_id, state__in=IN_FLIGHT).first()
    if attempt is not None:
        _keep_next_step(attempt)


def _keep_next_step(attempt: Attempt) -> None:
    assert attempt.batch_id is not None
    if not is_step_enqueued(batch_id=attempt.batch_id, by=attempt.next_step_at + _LATE):
        wait = (attempt.next_step_at - database_now()).total_seconds()
        settle_batch_later(batch_id=attempt.batch_id, delay_seconds=max(wait, 0.0))


def recheck_attempt(*, attempt_id: int, get_venue: GetVenue) -> None:
    """Look up an attempt that was presumed not placed, at its venue, until RECHECK_FOR has passed; the waits grow."""
    attempt = Attempt.objects.select_related("batch", "coin").filter(pk=attempt_id, recheck_at__isnull=False).first()
    if attempt is None:
        return
    answer = _look_up_given_up(attempt, get_venue)
    if isinstance(answer, Executed) and answer.final and answer.quantity:
        if book_late_fill(attempt=attempt, execution=answer):
            return
    elif isinstance(answer, Untrue):
        doubt_late_answer(attempt=attempt, answer=answer)
    assert attempt.ended_at is not None
    now = database_now()
    since = now - attempt.ended_at
    is_over = since > settings.SETTLEMENT.recheck_for and not isinstance(answer, Unknown)
    later = None if is_over else now + max(since, settings.SETTLEMENT.recheck_first_wait)
    Attempt.objects.filter(pk=attempt.pk, recheck_at__isnull=False).update(recheck_at=later)


def _look_up_given_up(attempt: Attempt, get_venue: GetVenue) -> VenueAnswer:
    try:
        return look_up_in_both(attempt=attempt, venue=get_venue(attempt.place))
    except VenueNotConfigured as error:
        return Unknown(reason=str(error))


def _send(attempt: Attempt, get_venue: GetVenue, *, database_is_known: bool) -> None:
    if until := find_before_repeat(attempt=attempt, get_venue=get_venue):
        _put_off(attempt, until=until)
        return
    try:
        choice = choose_venue(attempt=attempt, get_venue=get_venue, database_is_known=database_is_known)
    except AllPaused as paused:
        _put_off(attempt, until=paused.until)
    except NoOffer as failure:
        _wait(attempt, failure.error, venue=failure.venue, permit=failure.permit)
    except SendingStopped as error:
        _wait_for_recognition(attempt, error)
    except Exception as error:  # noqa: BLE001  any fault of ours: raised again, or logged and counted
        _end_after_crash(attempt, error)
    else:
        _send_to(attempt, choice)


def _send_to(attempt: Attempt, choice: Choice) -> None:
    venue, permit = choice.offer.venue.name, choice.offer.permit
    try:
        answer = send(attempt=attempt, choice=choice)
    except (VenueAway, UnusableRules, AskBeyondPriceBound) as error:
        _wait(attempt, error, venue=venue, permit=permit)
    except SendingStopped as error:
        _wait_for_recognition(attempt, error)
    except Exception as error:  # noqa: BLE001  any fault of ours: raised again, or logged and counted
        _end_after_crash(attempt, error)
    else:
        if not isinstance(answer, NotPlaced) or answer.trouble is not Trouble.CALLS:
            permit.report_answer()
        if answer is not None:
            _react(attempt, answer)


def _wait(attempt: Attempt, error: Stop | Failure, *, venue: str, permit: Permit) -> None:
    """Put the attempt off, or give it up. The venue may be another one than the attempt's, if that is paused."""
    if not isinstance(error, NoAsk | TopUpTooDear | AskBeyondPriceBound | CoinNotListed):
        with transaction.atomic():
            _put_off(attempt, until=pause_after(error, venue=venue, attempt=attempt))
        return
    if not isinstance(error, NoAsk):  # a closed market may be known without a call
        permit.report_answer()
    with transaction.atomic():
        if until := wait_or_give_up(attempt=attempt, venue=venue, error=error):
            _put_off(attempt, until=until)


def _wait_for_recognition(attempt: Attempt, error: SendingStopped) -> None:
    """Put the attempt off until the venue was asked what the database may have forgotten; have it asked now."""
    if not error.is_stopped:
        watch_database_later()
    _put_off(attempt, until=database_now() + _WAIT_FOR_RECOGNITION)


def _end_after_crash(attempt: Attempt, error: Exception) -> None:
    """Count a crash before the request left as an attempt that was not placed, so that MAX_ATTEMPTS ends it.

    A crash after the attempt was recorded as sent proves nothing: then the error is raised, and the attempt looked up.
    An error is raised too if the database is away, because that is not the attempt's fault.
    """
    connection.close_if_unusable_or_obsolete()
    if not Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW).exists():
        raise error
    count_failed_item(what="purchase")
    logger.error("%s of %s crashed before it was sent", attempt, attempt.batch, exc_info=error)
    # The text may hold a signed request; the class and the log's traceback name the fault.
    reason = f"crashed before it was sent: {type(error).__name__}"
    end_not_placed(attempt=attempt, answer=NotPlaced(reason=reason), from_state=AttemptState.NEW)


def _put_off(attempt: Attempt, *, until: datetime) -> None:
    """Enqueue the step for the end of the pause. Of several runs at once, only one enqueues."""
    now = database_now()
    unchanged = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW, next_step_at=attempt.next_step_at)
    with transaction.atomic():
        if unchanged.update(next_step_at=until):
            settle_batch_later(batch_id=attempt.batch_id, delay_seconds=(until - now).total_seconds())


def _look_up_at_its_venue(attempt: Attempt, get_venue: GetVenue) -> None:
    """Look the attempt up where it was sent, and nowhere else. Without keys for that venue it stays unknown."""
    try:
        venue = get_venue(attempt.place)
    except VenueNotConfigured as error:
        look_up_later(attempt=attempt, reason=str(error))
    else:
        _look_up(attempt, venue)


def _look_up(attempt: Attempt, venue: Venue) -> None:
    answer = look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id, venue=venue)
    if isinstance(answer, Unknown) and answer.retry_after_seconds is not None:
        look_up_later(attempt=attempt, reason=answer.reason, at_least_seconds=answer.retry_after_seconds)
        return
    attempt.lookups += 1
    Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(lookups=attempt.lookups)
    if isinstance(answer, OrderNotFound):
        _count_not_found(attempt, venue)
    elif isinstance(answer, Executed | Untrue):
        _react(attempt, answer)
    else:
        look_up_later(attempt=attempt, reason=f"lookup: {answer}")


def _react(attempt: Attempt, answer: VenueAnswer) -> None:
    if isinstance(answer, Unknown) and answer.venue_order_id:
        _record_acceptance(attempt, answer.venue_order_id)
    match answer:
        case Executed(final=True):
            book_execution(attempt=attempt, execution=answer)
        case Executed():
            look_up_later(attempt=attempt, reason=f"still {answer.status}")
        case Untrue():
            park_untrue(attempt=attempt, answer=answer)
        case Refused():
            end_refused(attempt=attempt, from_state=AttemptState.SENT, reason=answer.reason)
        case NotPlaced():
            end_not_placed(attempt=attempt, answer=answer)
        case Unknown(retry_after_seconds=float(wait)):
            # Too many calls, in an answer that proves nothing about this purchase.
            now = database_now()
            until = pause_for_trouble(
                venue=attempt.place,
                coin=None,
                reason=answer.reason,
                at_least_seconds=wait,
                now=now,
                stops_all_calls=True,
            )
            look_up_later(attempt=attempt, reason=answer.reason, at_least_seconds=(until - now).total_seconds())
        case OrderNotFound() | Unknown():
            look_up_later(attempt=attempt, reason=getattr(answer, "reason", "not found"))


def _record_acceptance(attempt: Attempt, venue_order_id: str) -> None:
    """Record as what the venue has accepted the purchase: that it is not found then proves nothing any more."""
    Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(venue_order_id=venue_order_id)


def _count_not_found(attempt: Attempt, venue: Venue) -> None:
    """Give the attempt up after several "not found" answers, counted only after its window, if the lists agree.

    The venue's reads lag, and the venue may accept a request that is under way until the window has passed.
    """
    if attempt.venue_order_id:
        look_up_later(attempt=attempt, reason=f"not found, but accepted as {attempt.venue_order_id}")
        return
    if not venue.requests_expire or not is_past_its_window(attempt=attempt):
        look_up_later(attempt=attempt, reason="not found, but may still be accepted")
        return
    counted = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT, not_found=attempt.not_found)
    if not counted.update(not_found=attempt.not_found + 1):
        return  # another run looked the attempt up at the same time: count one lookup, not two
    attempt.not_found += 1
    if attempt.not_found < settings.SETTLEMENT.not_found_times:
        look_up_later(attempt=attempt, reason="not found")
        return
    answer = look_up_in_lists(attempt=attempt, venue=venue)
    if isinstance(answer, OrderNotFound):
        end_denied(attempt=attempt)
    else:
        _react(attempt, answer)
