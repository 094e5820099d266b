"""Read our account at the venue, and count what may still be sold so that it can pay for it."""

import logging
import time
from datetime import datetime
from typing import Final

from django.db import transaction

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.selectors.venues import list_in_use
from settlement.services.calling import call
from settlement.services.funding import record_funds, sum_payable
from settlement.venues.protocol import Venue, VenueAway
from trading.services.headroom import Counted, begin_count, count_headroom, publish_count
from wallets.runtime import sql
from wallets.runtime.conflicts import retried_on_conflict

logger = logging.getLogger(__name__)

COMMITTED_WITHIN_SECONDS: Final = 1.0
"""An order that has taken its dollars at the counter is committed so soon, or it may be sold beyond the bound."""


def read_account(*, venue: Venue, now: datetime) -> None:
    """Read what the account at the venue can spend, and record it as of `now`.

    If the venue does not answer, the old reading stays. After FLOAT_MAX_AGE_SECONDS no purchase relies on it. Sales do:
    they go on until the orders taken since are as much as the account could pay when it was last read.
    """
    try:
        free = call(venue=venue.name, read=venue.read_funds, now=now)
    except VenueAway as error:
        logger.warning("the account is not read: %s does not answer: %s", venue.name, error)
    else:
        record_funds(venue=venue.name, free=free, read_at=now)


def count_what_may_be_sold(*, wait_seconds: float = COMMITTED_WITHIN_SECONDS) -> None:
    """Count in Postgres what the accounts at all venues in use can still pay, and write it to the counter in Redis.

    The count begins at the counter first: the dollars that orders take from then on are subtracted from it, because
    Postgres may not have their orders yet. The orders before get `wait_seconds` to commit. Orders that are in both are
    subtracted twice, until the next count.
    """
    count = begin_count()
    if count is not None:
        release_database_connection()
        time.sleep(wait_seconds)
    counted = _count(now=database_now())
    publish_count(count=count, counted=counted)


@retried_on_conflict
@transaction.atomic(durable=True)
def _count(*, now: datetime) -> list[Counted]:
    sql.execute("settlement.read_one_state")  # an order is either unsettled, or its cost is spent
    return count_headroom(payable=sum_payable(venues=list_in_use()), now=now)
