"""The days of the house's losses, and when a loss is near its ceiling or has reached it. Days are those of UTC."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

NEAR: Final = Decimal("0.80")
"""The share of a ceiling from which staff are told."""


def day_of(moment: datetime) -> date:
    """Return the UTC day of a moment."""
    return moment.astimezone(UTC).date()


def begin_of_day(day: date) -> datetime:
    """Return the moment at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def end_of_day(day: date) -> datetime:
    """Return the moment at which a UTC day ends: 00:00 UTC of the next one."""
    return begin_of_day(day) + timedelta(days=1)


def is_near(*, loss: Decimal, ceiling: Decimal) -> bool:
    """Say whether a loss (US dollars) is at least 80 % of its ceiling."""
    return loss >= ceiling * NEAR


def is_reached(*, loss: Decimal, ceiling: Decimal | None) -> bool:
    """Say whether a loss (US dollars) has reached its ceiling, if it has one."""
    return ceiling is not None and loss >= ceiling
