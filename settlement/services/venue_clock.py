"""How far the venue's clock is ahead of Postgres' clock."""

import time
from datetime import timedelta
from typing import Final

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.venues.protocol import Venue, VenueAway

_MOST_OFFSET: Final = timedelta(hours=1)
_KEPT_SECONDS: Final = 60.0


def read_clock_offset(*, venue: Venue) -> timedelta:
    """Return the venue's clock minus Postgres' clock, measured at most a minute ago. Raises VenueAway."""
    now = time.monotonic()
    if _kept.offset is None or now - _kept.measured_at > _KEPT_SECONDS:
        _kept.offset, _kept.measured_at = measure_clock_offset(venue=venue), now
    return _kept.offset


def measure_clock_offset(*, venue: Venue) -> timedelta:
    """Return the venue's clock minus Postgres' clock. The worker's own time of day is not used.

    The result is too low by the travel time of the venue's answer. The venue accepts a request dated a little early.
    Raises VenueAway if the clocks differ by more than an hour: no deadline could be trusted.
    """
    database_time, started = database_now(), time.monotonic()
    release_database_connection()
    venue_time = venue.read_time()
    offset = venue_time - (database_time + timedelta(seconds=time.monotonic() - started))
    if abs(offset) > _MOST_OFFSET:
        raise VenueAway(f"the venue's clock is {offset} ahead of Postgres' clock")
    return offset


class _Kept:
    """The last measurement of this process. Two threads that measure at the same time do no harm."""

    offset: timedelta | None = None
    measured_at = 0.0


_kept: Final = _Kept()
