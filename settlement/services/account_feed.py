"""Read our account at the venue."""

import logging
from datetime import datetime

from settlement.connections import release_database_connection
from settlement.services.funding import record_funds
from settlement.services.pausing import ask_to_call, pause_after_no_answer
from settlement.venues.protocol import Venue, VenueAway

logger = logging.getLogger(__name__)


def read_account(*, venue: Venue, now: datetime) -> None:
    """Read what the account at the venue can spend, and record it as of `now`.

    If the venue does not answer, the old reading stays. After FLOAT_MAX_AGE_SECONDS no purchase relies on it.
    """
    permit = ask_to_call(now=now)
    if permit.wait_until:
        return
    release_database_connection()
    try:
        free = venue.read_funds()
    except VenueAway as error:
        logger.warning("the account is not read: the venue does not answer: %s", error)
        if error.retry_after_seconds is not None:
            pause_after_no_answer(coin=None, error=error, now=now)
        return
    permit.report_answer()
    record_funds(free=free, read_at=now)
