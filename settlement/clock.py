"""The one clock that all workers share."""

from datetime import datetime, timedelta

from wallets.runtime import clock


def database_now() -> datetime:
    """Return the time by Postgres' clock, so that a worker with a wrong clock does not misjudge a deadline."""
    return clock.database_now()


def venue_now(*, offset: timedelta) -> datetime:
    """Return the time by the venue's clock, which is `offset` ahead of Postgres' clock."""
    return database_now() + offset
