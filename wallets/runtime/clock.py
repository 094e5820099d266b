"""The time by Postgres' clock, whatever the clock of this host says. No other module asks the host for the time
of day, but for the windows of rate limits, which django-ratelimit reckons (wallets.web.limits).

A process measures Postgres' clock when it connects and every minute, and reckons from the last measurement with a clock
that nobody sets and that goes on while the host sleeps. So `now()` costs no statement, and setting the host's clock
does not change it. A wall clock plus an offset would be wrong from such a step until the next measurement.

What moves money does not use `now()`: it takes the time from the statement that locks the wallet
(wallets.services.ledger.locking).
"""

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from prometheus_client import Gauge

from wallets.runtime import sql

logger = logging.getLogger(__name__)

_OFFSET: Final = Gauge(
    "exchange_clock_offset_seconds",
    "Postgres' clock minus this host's clock, as measured last.",
    multiprocess_mode="mostrecent",
)
_MEASURE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0
# A pool hands out connections many times a second, and each counts as a new one.
_MEASURE_ON_CONNECT_SECONDS: Final = 1.0
# If the host's clock has been set by more than this, the sleeping host may have been set right: measure again.
_STEP_SECONDS: Final = 1.0
# The error of a measurement is at most half of its round trip.
_QUICK_SECONDS: Final = 0.02
_SLOW_SECONDS: Final = 1.0
_TRIES: Final = 3
# CLOCK_MONOTONIC stands still while a Linux host is suspended, see clock_gettime(2).
_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, kw_only=True)
class _Measurement:
    """Postgres' time and the host's time of day (Unix time), both at the moment `steady` of the steady clock."""

    database: float
    host: float
    steady: float
    round_trip: float

    def age(self) -> float:
        return _read_steady() - self.steady

    def is_due(self) -> bool:
        stepped = abs(time.time() - self.host - self.age()) > _STEP_SECONDS
        return stepped or self.age() >= _MEASURE_SECONDS


_last: _Measurement | None = None


def now() -> datetime:
    """Return the time by Postgres' clock, without a statement. Until the process first connects, it is the host's."""
    last = _last
    if last is None:
        return datetime.now(UTC)
    return datetime.fromtimestamp(last.database + _read_steady() - last.steady, tz=UTC)


def database_now() -> datetime:
    """Ask Postgres for the time of this moment. One statement."""
    row = sql.fetch_one("wallets.now")
    assert row is not None, "a SELECT without FROM returns a row"
    moment: datetime = row[0]
    return moment


def measure_if_due() -> None:
    """Measure Postgres' clock if there is no measurement of the last minute. Raises Django's database errors."""
    if not _is_due():
        return
    connection.ensure_connection()  # a new connection measures by itself
    if _is_due():
        _measure()


def find_drift() -> timedelta | None:
    """Return how far this host's clock is ahead of Postgres' (negative: behind); None if it was never measured."""
    return None if _last is None else timedelta(seconds=time.time() - now().timestamp())


def has_drifted() -> bool:
    """Say whether this host's clock is further from Postgres' than CLOCK_MAX_DRIFT_SECONDS, or was never measured."""
    drift = find_drift()
    return drift is None or abs(drift) > settings.CLOCK.max_drift


def keep_measured() -> None:
    """Measure Postgres' clock, and then every minute in a thread of its own, which connects for each measurement."""
    _try_to_measure(warn=True)
    threading.Thread(target=_measure_for_ever, name="clock", daemon=True).start()


def measure_on_connect() -> None:
    """Measure Postgres' clock whenever Django connects: after a failover another server's clock counts."""
    connection_created.connect(_connected, dispatch_uid="wallets.runtime.clock")


def _is_due() -> bool:
    return _last is None or _last.is_due()


def _measure_for_ever() -> None:
    has_measured = True
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            has_measured = _try_to_measure(warn=has_measured)
        except Exception:  # this thread must not end: nobody would start it again
            logger.exception("Postgres' clock could not be measured")


def _try_to_measure(*, warn: bool) -> bool:
    """Measure if it is time to, and say whether nothing went wrong. Lets go of the connection."""
    try:
        measure_if_due()
    except Error as error:
        if warn:
            logger.warning("Postgres' clock could not be measured: %s", type(error).__name__)
        return False
    finally:
        connection.close()
    return True


def _connected(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.alias != DEFAULT_DB_ALIAS or (_last is not None and _last.age() < _MEASURE_ON_CONNECT_SECONDS):
        return
    try:
        _measure()
    except Error:  # the statement for which the connection was opened will say what is the matter
        logger.warning("Postgres' clock could not be measured on a new connection")


def _measure() -> None:
    """Ask Postgres for the time, and keep the quickest answer of a few tries."""
    global _last  # noqa: PLW0603  one process has one clock
    best = _ask()
    for _ in range(_TRIES - 1):
        if best.round_trip <= _QUICK_SECONDS:
            break
        best = min(best, _ask(), key=lambda each: each.round_trip)
    if best.round_trip > _SLOW_SECONDS and _last is not None:
        return
    _last = best
    _OFFSET.set(best.database - best.host)


def _ask() -> _Measurement:
    began = _read_steady()
    database = database_now().timestamp()
    ended, host = _read_steady(), time.time()
    # The answer was made about half a round trip before it arrived.
    round_trip = ended - began
    return _Measurement(database=database + round_trip / 2, host=host, steady=ended, round_trip=round_trip)


def _read_steady() -> float:
    return time.clock_gettime(_STEADY)
