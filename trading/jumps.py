"""Jumps of a price: how far a reading may be from the last good one, and what it takes to believe one that is further.

up to limit_after(gap)     believed at once
further                    the coin is suspended, until three readings agree within 1 % and a second source agrees
                           within 2 %, or staff accept the price
beyond the hard limit      only staff accept it
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final

AGREEING_READINGS: Final = 3
SECOND_SOURCE_MAX_AGE: Final = timedelta(seconds=60)
_READINGS_AGREE: Final = Decimal("0.01")
_SOURCES_AGREE: Final = Decimal("0.02")
_SOON: Final = timedelta(minutes=1)
_LATE: Final = timedelta(minutes=10)
_EXACT: Final = Context(prec=80, rounding=ROUND_CEILING)


def limit_after(*, gap: timedelta, soon: Decimal) -> Decimal:
    """Return the share by which a price may differ from the last good one, `gap` earlier.

    It is `soon` up to a minute, and grows to twice as much at ten minutes.
    """
    beyond = min(max(gap, _SOON), _LATE) - _SOON
    growth = Decimal(beyond // timedelta(milliseconds=1)) / ((_LATE - _SOON) // timedelta(milliseconds=1))
    return soon * (1 + growth)


def is_within(*, value: Decimal, of: Decimal, limit: Decimal) -> bool:
    """Say whether a price differs from the price `of` by no more than the share `limit` of it."""
    return abs(_EXACT.subtract(value, of)) <= _EXACT.multiply(of, limit)


def count_agreeing(asks: Sequence[Decimal]) -> int:
    """Return how many of the latest readings agree with each other within 1 %."""
    lowest = highest = asks[-1]
    count = 0
    for ask in reversed(asks):
        lowest, highest = min(lowest, ask), max(highest, ask)
        if not is_within(value=highest, of=lowest, limit=_READINGS_AGREE):
            break
        count += 1
    return count


def sources_agree(*, suspect: Decimal, second: Decimal, second_at: datetime, now: datetime) -> bool:
    """Say whether a second source, read at `second_at`, confirms a suspect price: within 2 %, and within a minute."""
    is_young = abs(now - second_at) < SECOND_SOURCE_MAX_AGE
    return is_young and is_within(value=second, of=suspect, limit=_SOURCES_AGREE)


def worst_ask(*, asks: Sequence[Decimal], spread_rate: Decimal) -> Decimal | None:
    """Return the highest ask of a time in which asks moved by more than the spread; None if they moved less."""
    lowest, highest = min(asks), max(asks)
    return None if is_within(value=highest, of=lowest, limit=spread_rate) else highest
