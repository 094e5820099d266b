"""Jumps of a price: how far a reading may be from the good prices before, and what it takes to believe one further off.

within the band            believed at once: up to limit_after(gap) from the last good price, 5 % from each good price
                           of the last minute, and 10 % from each of the last ten
outside of it              the coin is suspended, until three readings agree within 1 % and a second source agrees
                           within 2 %, or staff accept the price; or until three readings agree that are in the band
beyond the hard limit      only staff accept it
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from trading.readings import MOST_AHEAD
from wallets.money import PRICE_PLACES

AGREEING_READINGS: Final = 3
SECOND_SOURCE_MAX_AGE: Final = timedelta(seconds=60)
SOON: Final = timedelta(minutes=1)
LATE: Final = timedelta(minutes=10)
_READINGS_AGREE: Final = Decimal("0.01")
_SOURCES_AGREE: Final = Decimal("0.02")
_FINEST: Final = Decimal(1).scaleb(-PRICE_PLACES)
_EXACT: Final = Context(prec=80, rounding=ROUND_CEILING)
_DOWN: Final = Context(prec=80, rounding=ROUND_FLOOR)


@dataclass(frozen=True, kw_only=True)
class Band:
    """The prices that are believed at once, in US dollars a coin. Nothing is in a band whose ends have crossed."""

    lowest: Decimal
    highest: Decimal

    def holds(self, value: Decimal) -> bool:
        return self.lowest <= value <= self.highest


def limit_after(*, gap: timedelta, soon: Decimal) -> Decimal:
    """Return the share by which a price may differ from the last good one, `gap` earlier.

    It is `soon` up to a minute, and grows to twice as much at ten minutes.
    """
    beyond = min(max(gap, SOON), LATE) - SOON
    growth = Decimal(beyond // timedelta(milliseconds=1)) / ((LATE - SOON) // timedelta(milliseconds=1))
    return soon * (1 + growth)


def band_around(limits: Iterable[tuple[Decimal, Decimal]]) -> Band:
    """Return the band of prices that differ from each of some prices by no more than its limit, a share of it.

    The ends have at most 18 places: the band is wider by less than one unit of the last place.
    """
    ends = [
        (_EXACT.multiply(price, max(1 - limit, Decimal(0))), _EXACT.multiply(price, 1 + limit))
        for price, limit in limits
    ]
    lowest, highest = max(low for low, _ in ends), min(high for _, high in ends)
    return Band(
        lowest=lowest.quantize(_FINEST, context=_DOWN),
        highest=highest.quantize(_FINEST, context=_EXACT),
    )


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


def readings_agree(one: Decimal, other: Decimal) -> bool:
    """Say whether two readings agree within 1 % of the lower one."""
    return is_within(value=max(one, other), of=min(one, other), limit=_READINGS_AGREE)


def has_returned(asks: Sequence[Decimal], *, band: Band) -> bool:
    """Say whether the latest three readings agree, and all are in the band: one alone may be a late answer."""
    agree = len(asks) >= AGREEING_READINGS and count_agreeing(asks) >= AGREEING_READINGS
    return agree and all(band.holds(ask) for ask in asks[-AGREEING_READINGS:])


def sources_agree(*, suspect: Decimal, second: Decimal, second_at: datetime, now: datetime) -> bool:
    """Say whether a second source, read at `second_at`, confirms a suspect price: within 2 %, and within a minute."""
    is_young = -MOST_AHEAD <= now - second_at < SECOND_SOURCE_MAX_AGE
    return is_young and is_within(value=second, of=suspect, limit=_SOURCES_AGREE)


def worst_ask(*, asks: Sequence[Decimal], spread_rate: Decimal) -> Decimal | None:
    """Return the highest ask of a time in which asks moved by more than the spread; None if they moved less."""
    lowest, highest = min(asks), max(asks)
    return None if is_within(value=highest, of=lowest, limit=spread_rate) else highest
