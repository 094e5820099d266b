"""Look up orders at the venue, now or later."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now, venue_now
from settlement.connections import release_database_connection
from settlement.jobs import settle_batch_later
from settlement.models import Attempt, AttemptState
from settlement.services.pausing import ask_to_call, pause_for_trouble
from settlement.venues.protocol import Unknown, Venue, VenueAnswer
from settlement.waits import bounded
from trading.services.unclear import mark_unclear

logger = logging.getLogger(__name__)


def look_up(*, coin: str, client_order_id: str, venue: Venue) -> VenueAnswer:
    """Release the database connection, and look up an order by its client order id.

    While a pause stops all calls, the venue is not asked. An answer that asks for a wait begins such a pause. Both
    return Unknown with the seconds to wait.
    """
    now = database_now()
    permit = ask_to_call(now=now)
    if permit.wait_until:
        return Unknown(reason="too many calls", retry_after_seconds=(permit.wait_until - now).total_seconds())
    release_database_connection()
    answer = venue.look_up(coin=coin, client_order_id=client_order_id)
    if not isinstance(answer, Unknown):
        permit.report_answer()
    elif answer.retry_after_seconds is not None:
        until = pause_for_trouble(
            coin=None,
            reason=answer.reason,
            at_least_seconds=answer.retry_after_seconds,
            now=now,
            stops_all_calls=True,
        )
        return Unknown(reason=answer.reason, retry_after_seconds=(until - now).total_seconds())
    return answer


def look_up_later(*, attempt: Attempt, reason: str, at_least_seconds: float = 0) -> None:
    """Enqueue a lookup after a wait that doubles each time. A purchase is never refunded or sent again on a guess."""
    grown = settings.SETTLEMENT.lookup_first_wait_seconds * 2.0 ** min(attempt.lookups, 30)
    wait = max(min(grown, settings.SETTLEMENT.lookup_max_wait_seconds), bounded(at_least_seconds))
    logger.warning("%s of %s: %s; lookup in %.0f s", attempt, attempt.batch, reason, wait)
    now = database_now()
    when = now + timedelta(seconds=wait)
    with transaction.atomic():
        if Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(
            reason=reason[:200], next_step_at=when
        ):
            mark_unclear(coin_id=attempt.coin_id, now=now)
            settle_batch_later(batch_id=attempt.batch_id, delay_seconds=wait)


def is_past_its_window(*, attempt: Attempt) -> bool:
    """Say whether the venue can no longer accept the attempt's request, by the venue's clock and with a margin."""
    assert attempt.valid_until is not None
    assert attempt.clock_offset is not None
    return venue_now(offset=attempt.clock_offset) > attempt.valid_until + settings.SETTLEMENT.not_found_margin
