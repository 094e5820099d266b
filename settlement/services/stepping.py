"""The steps of an attempt: send the purchase, look it up until its outcome is known, and act on the venue's answer.

A purchase that may have been executed is never sent again, and its orders are never refunded. Every step is committed
before the next begins. No database connection and no lock is held during a call to the venue.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.exceptions import AskBeyondPriceBound
from settlement.jobs import settle_batch_later
from settlement.models import IN_FLIGHT, Attempt, AttemptState
from settlement.selectors.pauses import find_call_ban, find_pause
from settlement.services.asking import is_past_its_window, look_up, look_up_later
from settlement.services.outcomes import (
    book_execution,
    book_late_fill,
    end_not_placed,
    end_refused,
    park,
    presume_not_placed,
)
from settlement.services.pausing import pause_after_no_answer, pause_for_trouble
from settlement.services.sending import send
from settlement.venues.protocol import (
    CoinNotListed,
    Executed,
    NotPlaced,
    OrderNotFound,
    Refused,
    Unknown,
    Venue,
    VenueAnswer,
    VenueAway,
)


def take_next_step(*, batch_id: int, venue: Venue) -> None:
    """Send the batch's attempt if it is new; look the attempt up if it was sent. Safe to run at any time, and twice."""
    attempt = Attempt.objects.select_related("batch", "coin").filter(batch_id=batch_id, state__in=IN_FLIGHT).first()
    if attempt is None:
        return
    if attempt.state == AttemptState.SENT:
        _look_up(attempt, venue)
    elif pause := find_pause(coin_id=attempt.coin_id, now=database_now()):
        _put_off(attempt, until=pause.until)
    else:
        _send(attempt, venue)


def recheck_attempt(*, attempt_id: int, venue: Venue) -> None:
    """Look up an attempt that was presumed not placed, with growing waits, until RECHECK_FOR has passed."""
    attempt = Attempt.objects.select_related("batch", "coin").filter(pk=attempt_id, recheck_at__isnull=False).first()
    if attempt is None:
        return
    answer = look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id, venue=venue)
    if isinstance(answer, Executed) and answer.final and answer.quantity:
        book_late_fill(attempt=attempt, execution=answer)
        return
    assert attempt.ended_at is not None
    now = database_now()
    since = now - attempt.ended_at
    is_over = since > settings.SETTLEMENT.recheck_for and not isinstance(answer, Unknown)
    later = None if is_over else now + max(since, settings.SETTLEMENT.recheck_first_wait)
    Attempt.objects.filter(pk=attempt.pk, recheck_at__isnull=False).update(recheck_at=later)


def _send(attempt: Attempt, venue: Venue) -> None:
    try:
        answer = send(attempt=attempt, venue=venue)
    except VenueAway as error:
        with transaction.atomic():
            _put_off(attempt, until=pause_after_no_answer(coin=attempt.coin, error=error, now=database_now()))
    except CoinNotListed:
        end_refused(attempt=attempt, from_state=AttemptState.NEW, reason="not_listed_at_the_exchange")
    except AskBeyondPriceBound:
        park(attempt=attempt, from_state=AttemptState.NEW, reason="ask_beyond_the_price_bound")
    else:
        if answer is not None:
            _react(attempt, answer)


def _put_off(attempt: Attempt, *, until: datetime | None) -> None:
    """Enqueue the step for the end of the pause. If the pause has no end, check again after PAUSE_MAX_SECONDS.

    Of several runs at once, only one enqueues.
    """
    now = database_now()
    until = until or now + timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
    unchanged = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW, next_step_at=attempt.next_step_at)
    with transaction.atomic():
        if unchanged.update(next_step_at=until):
            settle_batch_later(batch_id=attempt.batch_id, delay_seconds=(until - now).total_seconds())


def _look_up(attempt: Attempt, venue: Venue) -> None:
    now = database_now()
    if until := find_call_ban(now=now):
        look_up_later(attempt=attempt, reason="too many calls", at_least_seconds=(until - now).total_seconds())
        return
    answer = look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id, venue=venue)
    attempt.lookups += 1
    Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(lookups=attempt.lookups)
    if isinstance(answer, OrderNotFound):
        _count_not_found(attempt, venue)
    elif isinstance(answer, Executed):
        _react(attempt, answer)
    elif isinstance(answer, Unknown) and answer.retry_after_seconds is not None:
        until = pause_for_trouble(
            coin=None,
            reason=answer.reason,
            at_least_seconds=answer.retry_after_seconds,
            now=now,
            stops_all_calls=True,
        )
        look_up_later(attempt=attempt, reason=answer.reason, at_least_seconds=(until - now).total_seconds())
    else:
        look_up_later(attempt=attempt, reason=f"lookup: {answer}")


def _react(attempt: Attempt, answer: VenueAnswer) -> None:
    match answer:
        case Executed(final=True):
            book_execution(attempt=attempt, execution=answer)
        case Executed():
            look_up_later(attempt=attempt, reason=f"still {answer.status}")
        case Refused():
            end_refused(attempt=attempt, from_state=AttemptState.SENT, reason=answer.reason)
        case NotPlaced():
            end_not_placed(attempt=attempt, answer=answer)
        case OrderNotFound() | Unknown():
            look_up_later(attempt=attempt, reason=getattr(answer, "reason", "not found"))


def _count_not_found(attempt: Attempt, venue: Venue) -> None:
    """Presume the attempt not placed after several "not found" answers, counted only after its window has passed.

    The venue's reads lag, and the venue may accept a request that is under way until the window has passed.
    """
    if not venue.requests_expire or not is_past_its_window(attempt=attempt):
        look_up_later(attempt=attempt, reason="not found, but may still be accepted")
        return
    counted = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT, not_found=attempt.not_found)
    if not counted.update(not_found=attempt.not_found + 1):
        return  # another run looked the attempt up at the same time: count one lookup, not two
    attempt.not_found += 1
    if attempt.not_found >= settings.SETTLEMENT.not_found_times:
        presume_not_placed(attempt=attempt, reason="not found after its window")
    else:
        look_up_later(attempt=attempt, reason="not found")
