"""Look up orders at the venue, now or later."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now, venue_now
from settlement.connections import release_database_connection
from settlement.jobs import settle_batch_later
from settlement.models import Attempt, AttemptState
from settlement.services.pausing import ask_to_call, pause_for_trouble
from settlement.venues.protocol import OrderNotFound, Unknown, Venue, VenueAnswer
from settlement.waits import bounded
from trading import jobs
from trading.services.unclear import mark_unclear

logger = logging.getLogger(__name__)

_CLOCKS_DIFFER_BY: Final = timedelta(seconds=5)
"""A venue may date an order a little earlier than the order was signed, because our offset to its clock is measured."""


def look_up(*, coin: str, client_order_id: str, venue: Venue) -> VenueAnswer:
    """Release the database connection, and look up an order by its client order id.

    While a pause stops all calls, the venue is not asked. An answer that asks for a wait begins such a pause. Both
    return Unknown with the seconds to wait.
    """
    return _ask(lambda: venue.look_up(coin=coin, client_order_id=client_order_id), venue=venue)


def look_up_listed(*, coin: str, client_order_id: str, venue_order_id: str, venue: Venue) -> VenueAnswer:
    """Look up an order of the venue's list by its venue order id, as `look_up` does by the client order id."""
    names = {"coin": coin, "client_order_id": client_order_id, "venue_order_id": venue_order_id}
    return _ask(lambda: venue.look_up_listed(**names), venue=venue)


def look_up_in_lists(*, attempt: Attempt, venue: Venue) -> VenueAnswer:
    """Look up an attempt in the venue's lists, as `look_up` does by its id.

    This is the second source, which an attempt is asked for before it counts as not placed.
    """
    assert attempt.signed_at is not None
    coin, since = attempt.coin.name, attempt.signed_at - _CLOCKS_DIFFER_BY
    names = {"coin": coin, "client_order_id": attempt.client_order_id}
    return _ask(lambda: venue.find_in_lists(**names, since=since), venue=venue)


def look_up_in_both(*, attempt: Attempt, venue: Venue) -> VenueAnswer:
    """Look up an attempt by its id, and in the venue's lists if the venue does not know the id."""
    answer = look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id, venue=venue)
    return look_up_in_lists(attempt=attempt, venue=venue) if isinstance(answer, OrderNotFound) else answer


def _ask(call: Callable[[], VenueAnswer], *, venue: Venue) -> VenueAnswer:
    """Make a call that buys nothing, if no pause stops it. See `look_up`."""
    now = database_now()
    permit = ask_to_call(venue=venue.name, now=now)
    if permit.wait_until:
        return Unknown(reason="too many calls", retry_after_seconds=(permit.wait_until - now).total_seconds())
    release_database_connection()
    answer = call()
    if not isinstance(answer, Unknown):
        permit.report_answer()
    elif answer.retry_after_seconds is not None:
        now = database_now()  # the call may have taken long
        until = pause_for_trouble(
            venue=venue.name,
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
    wait = max(growing_wait(lookups=attempt.lookups), bounded(at_least_seconds))
    logger.warning("%s of %s: %s; lookup in %.0f s", attempt, attempt.batch, reason, wait)
    now = database_now()
    when = now + timedelta(seconds=wait)
    with transaction.atomic():
        if Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(
            reason=reason[:200], next_step_at=when
        ):
            mark_unclear(coin_id=attempt.coin_id, now=now)
            settle_batch_later(batch_id=attempt.batch_id, delay_seconds=wait)
            if (
                settings.FURTHER_VENUES or attempt.place != settings.VENUE.id
            ):  # others may buy what waits for this attempt
                jobs.request_claim(coin_id=attempt.coin_id)


def growing_wait(*, lookups: int) -> float:
    """Return the seconds to wait after this number of lookups."""
    grown = settings.SETTLEMENT.lookup_first_wait_seconds * 2.0 ** min(lookups, 30)
    return min(grown, settings.SETTLEMENT.lookup_max_wait_seconds)


def is_past_its_window(*, attempt: Attempt) -> bool:
    """Say whether the venue can no longer accept the attempt's request, by the venue's clock and with a margin."""
    assert attempt.valid_until is not None
    assert attempt.clock_offset is not None
    return venue_now(offset=attempt.clock_offset) > attempt.valid_until + settings.SETTLEMENT.not_found_margin
