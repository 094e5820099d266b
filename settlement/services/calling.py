"""Make the calls to the venue that buy nothing and ask about no attempt, such as for balances and prices."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.services.pausing import ask_to_call, pause_after_no_answer
from settlement.venues.protocol import CoinNotListed, UnusableRules, VenueAway

Said = TypeVar("Said")


class CallsUnwanted(VenueAway):
    """The venue is not asked, because a pause stops all calls."""


def call(*, venue: str, read: Callable[[], Said], now: datetime) -> Said:
    """Release the database connection, and return what `venue` says to `read`, if no pause stops all calls to it.

    An answer that asks for a wait begins such a pause. Raises CallsUnwanted, and what `read` raises: VenueAway,
    UnusableRules, CoinNotListed.
    """
    permit = ask_to_call(venue=venue, now=now)
    if permit.wait_until:
        raise CallsUnwanted("it is not asked, because it wants no calls")
    release_database_connection()
    try:
        said = read()
    except VenueAway as error:
        if error.retry_after_seconds is not None:
            pause_after_no_answer(venue=venue, coin=None, error=error, now=database_now())  # it may have taken long
        raise
    except (UnusableRules, CoinNotListed):
        permit.report_answer()
        raise
    permit.report_answer()
    return said
