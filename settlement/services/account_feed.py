"""Read our account at the venue."""

import logging
from datetime import datetime

from settlement.services.calling import call
from settlement.services.funding import record_funds
from settlement.venues.protocol import Venue, VenueAway

logger = logging.getLogger(__name__)


def read_account(*, venue: Venue, now: datetime) -> None:
    """Read what the account at the venue can spend, and record it as of `now`.

    If the venue does not answer, the old reading stays. After FLOAT_MAX_AGE_SECONDS no purchase relies on it.
    """
    try:
        free = call(read=venue.read_funds, now=now)
    except VenueAway as error:
        logger.warning("the account is not read: the venue does not answer: %s", error)
    else:
        record_funds(free=free, read_at=now)
