"""How far each venue's clock is ahead of Postgres' clock."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.venues.protocol import Venue, VenueAway

logger = logging.getLogger(__name__)

_MOST_OFFSET: Final = timedelta(hours=1)
_MOST_DROP: Final = timedelta(seconds=5)
_AGREE: Final = timedelta(seconds=1)
_KEPT_SECONDS: Final = 60.0
_QUICK_SECONDS: Final = 1.0
_APART_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class _Measurement:
    """The venue's clock less Postgres' clock: at least `lowest`, and higher by the time of the question at most."""

    lowest: timedelta
    took: timedelta
    at: float

    @property
    def is_quick(self) -> bool:
        return self.took.total_seconds() < _QUICK_SECONDS


def read_clock_offset(*, venue: Venue) -> timedelta:
    """Return the venue's clock minus Postgres' clock, for judging the age of what the venue says. Raises VenueAway.

    It was measured at most a minute ago, or earlier if the venue has not told its time since, or too slowly, or a time
    that stands still: with too low an offset old prices seem new. If nothing else is known, the highest offset is
    returned that a slow answer allows. VenueAway is raised if nothing is known at all, or if the venue wants no calls.
    """
    clock = _clock_of(venue.name)
    kept = clock.kept
    if kept is not None and time.monotonic() - kept.at <= _KEPT_SECONDS:
        return kept.lowest
    try:
        measured = _measure(venue)
    except VenueAway as error:
        if kept is None or error.retry_after_seconds is not None:
            raise
        logger.warning("the last measurement of the venue's clock is used: %s", error)
        return kept.lowest
    kept = clock.take(measured)
    return measured.lowest + measured.took if kept is None else kept.lowest


def measure_clock_offset(*, venue: Venue) -> timedelta:
    """Return the venue's clock minus Postgres' clock. The worker's own time of day is not used.

    The result is too low by the travel time of the venue's answer. The venue accepts a request dated a little early.
    Raises VenueAway if the clocks differ by more than an hour: no deadline could be trusted.
    """
    return _measure(venue).lowest


def _measure(venue: Venue) -> _Measurement:
    database_time, started = database_now(), time.monotonic()
    release_database_connection()
    venue_time = venue.read_time()
    ended = time.monotonic()
    took = timedelta(seconds=ended - started)
    measured = _Measurement(lowest=venue_time - database_time - took, took=took, at=ended)
    if abs(measured.lowest) > _MOST_OFFSET:
        raise VenueAway(f"the venue's clock is {measured.lowest} ahead of Postgres' clock")
    return measured


class _Clock:
    """The last measurement of a venue's clock by this process that is trusted. Two threads that measure at the same
    time do no harm.
    """

    def __init__(self) -> None:
        self.kept: _Measurement | None = None
        self.refused: _Measurement | None = None

    def take(self, measured: _Measurement) -> _Measurement | None:
        """Keep a measurement if it can be trusted. Return the one that is kept, if any is."""
        if not measured.is_quick:
            logger.warning("the venue took %.1f seconds to tell its time", measured.took.total_seconds())
        elif self.kept is None or measured.lowest >= self.kept.lowest - _MOST_DROP or self._runs_on(measured):
            self.kept, self.refused = measured, None
        else:
            logger.warning("the venue's clock seems to stand still: %s behind", self.kept.lowest - measured.lowest)
            if self.refused is None or measured.at - self.refused.at >= _APART_SECONDS:
                self.refused = measured
        return self.kept

    def _runs_on(self, measured: _Measurement) -> bool:
        """Say whether the venue's clock was set back and runs on: two measurements in a row, some time apart, agree."""
        before = self.refused
        if before is None or measured.at - before.at < _APART_SECONDS:
            return False
        return abs(measured.lowest - before.lowest) <= _AGREE


_clocks: Final[dict[str, _Clock]] = {}


def _clock_of(venue: str) -> _Clock:
    return _clocks.setdefault(venue, _Clock())  # atomic between threads


def forget_clock_offset() -> None:
    """Forget the measurements, so that the next offset of each venue is measured anew."""
    _clocks.clear()
