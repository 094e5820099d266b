"""The one clock that all workers share."""

from datetime import datetime, timedelta

from wallets.runtime import sql


def database_now() -> datetime:
    """Return the time by Postgres' clock: a worker whose own is wrong must not judge a deadline."""
    row = sql.fetch_one("settlement.now")
    assert row is not None
    moment: datetime = row[0]
    return moment


def venue_now(*, offset: timedelta) -> datetime:
    """Return the time by the venue's clock, which is `offset` ahead of Postgres'."""
    return database_now() + offset
