"""Readings of a coin's prices at a venue: which of them can be used. A purchase costs the ask, so the ask is the price.

Whether a reading that can be used is believed is another question: see `trading.jumps`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from wallets.money import PRICE_PLACES

MOST_AHEAD: Final = timedelta(seconds=5)
"""How far the time of a quote may be in the future: clocks are compared to within a call to the venue."""

TOO_HIGH: Final = Decimal(10) ** 12
"""No coin costs as much."""

_LEAST_PLACES: Final = 5
_LONGEST: Final = 40
_FINEST: Final = Decimal(1).scaleb(-PRICE_PLACES)
_UP: Final = Context(prec=80, rounding=ROUND_CEILING)
_DOWN: Final = Context(prec=80, rounding=ROUND_FLOOR)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The prices of a coin at a venue, in US dollars a coin: the best bid, the best ask, and the last trade's.

    `quoted_at` is the quote's own time by our clock, and `venue_time` the same by the venue's; None if the venue does
    not say one. `asked_anew`: the book was asked for by itself, because it had not changed for long.
    """

    bid: Decimal
    ask: Decimal
    last: Decimal | None = None
    quoted_at: datetime | None = None
    venue_time: datetime | None = None
    asked_anew: bool = False

    @classmethod
    def of_price(cls, value: Decimal) -> "Reading":
        """Return the reading of a price that comes from no market, and so has no spread."""
        return cls(bid=value, ask=value, last=value)

    @property
    def book(self) -> tuple[Decimal, Decimal]:
        """The best prices of the book: bid and ask."""
        return self.bid, self.ask


@dataclass(frozen=True, kw_only=True)
class Times:
    """The times of a reading: when it was read, and the quote's own time by our clock and by the venue's."""

    read_at: datetime
    quoted_at: datetime | None = None
    venue_time: datetime | None = None


def find_fault(*, reading: Reading, now: datetime, max_age: timedelta) -> str | None:
    """Return the reason why a reading is none, or None if it can be used.

    Bid and ask are positive, in order and can be stored with five significant digits. The quote is neither older than
    `max_age` nor more than five seconds in the future.
    """
    if not (_is_price(reading.bid) and _is_price(reading.ask)):
        return f"a price of {_short(reading.bid)} to {_short(reading.ask)} cannot be used"
    if reading.bid > reading.ask:
        return f"the bid of {_short(reading.bid)} is above the ask of {_short(reading.ask)}"
    if reading.quoted_at is None:
        return None
    age = now - reading.quoted_at
    if age > max_age:
        return f"the venue's price is {int(age.total_seconds())} seconds old"
    if age < -MOST_AHEAD:
        return f"the time of the venue's price is {int(-age.total_seconds())} seconds ahead"
    return None


def with_first_receipt(reading: Reading, *, newest: Times, now: datetime) -> Reading:
    """Return a reading whose quote is as old as it must be, whatever the venue's clock says now.

    A quote is not from after its receipt. One with the same time of the venue's as the newest reading is the same
    quote, and ages since then: a venue's clock that stands still would keep it young for ever.
    """
    if reading.quoted_at is None:
        return reading
    is_same = reading.venue_time is not None and reading.venue_time == newest.venue_time
    first = newest.quoted_at if is_same and newest.quoted_at is not None else now
    return replace(reading, quoted_at=min(reading.quoted_at, first, now))


def is_late(reading: Reading, *, read_at: datetime, newest: Times, max_age: timedelta) -> bool:
    """Say whether a reading is older than the newest one: an answer that came late, or from a copy that lags behind.

    The venue's own times are compared exactly, and ours with a tolerance of five seconds. A newest reading that is
    older than `max_age`, or as far in the future, proves nothing.
    """
    if abs(read_at - newest.read_at) > max_age:
        return False
    if reading.venue_time is not None and newest.venue_time is not None:
        return reading.venue_time < newest.venue_time
    if reading.quoted_at is not None and newest.quoted_at is not None:
        return reading.quoted_at < newest.quoted_at - MOST_AHEAD
    return read_at < newest.read_at - MOST_AHEAD


def as_stored(reading: Reading) -> Reading:
    """Return a usable reading with prices of at most 18 places: the ask rounded up, the bid and last price down.

    The rounding changes a price by less than one unit of its last place. A last price that cannot be used is left out.
    """
    last = reading.last if reading.last is not None and _is_price(reading.last) else None
    return replace(
        reading,
        bid=_fit(reading.bid, _DOWN),
        ask=_fit(reading.ask, _UP),
        last=None if last is None else _fit(last, _DOWN),
    )


def _fit(value: Decimal, context: Context) -> Decimal:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a price is finite"
    return value.quantize(_FINEST, context=context) if exponent < -PRICE_PLACES else value


def _is_price(value: Decimal) -> bool:
    return value.is_finite() and 0 < value < TOO_HIGH and value.adjusted() >= _LEAST_PLACES - 1 - PRICE_PLACES


def _short(value: Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST:
        return str(value)[:_LONGEST]
    return f"{value.normalize():f}"[:_LONGEST]
