"""Which days a report of the result is of, as staff type them."""

import re
from datetime import date
from typing import Final

from settlement.exceptions import BadDays

MOST_DAYS: Final = 366
"""A report reads every movement of its days."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def read_day(text: str) -> date:
    """Return the day that is typed as 2026-01-31. Raises BadDays."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the 31st of February
    raise BadDays(f"{text[:20]!r} is no day. Days are typed as 2026-01-31.")


def choose_days(*, first: date | None, last: date | None, today: date, most: int = MOST_DAYS) -> tuple[date, date]:
    """Return the first and the last day of a report; a missing last one is today, a missing first one the last.

    Raises BadDays if the first is after the last, if the last is not here yet, or if there are more than `most` days.
    """
    last = last or today
    first = first or last
    if first > last:
        raise BadDays(f"{first} is after {last}.")
    if last > today:
        raise BadDays(f"{last} is not here yet: today is {today} (UTC).")
    if (last - first).days >= most:
        raise BadDays(f"A report is of {most} days at most.")
    return first, last
