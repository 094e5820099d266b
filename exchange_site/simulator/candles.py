"""Candles: the trades of each interval ("Kline/Candlestick data", Binance).

An interval without a trade repeats the price before it, with no volume.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.numbers import text

_UNITS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONDAY: Final = 4 * 86_400_000
"""The first Monday's distance from the epoch: weeks begin on Mondays."""
_MONTHS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which candles are wanted: their interval, moments in milliseconds, and at most how many.

    `shift` is how far the time zone of days is ahead of UTC, in milliseconds.
    """

    interval: str
    since: int | None
    until: int
    limit: int
    shift: int = 0


def make_candles(trades: Sequence[Mapping[str, Any]], span: Span, *, price: Decimal) -> list[list[Any]]:
    """Return candles of trades, both oldest first. `price` is that of now, for when there was no trade before."""
    times = [trade["time"] for trade in trades]
    candles = []
    for opened in _opening_times(span):
        closed = _next(opened, span)
        first, end = bisect_left(times, opened), bisect_left(times, closed)
        before = Decimal(trades[first - 1]["price"]) if first else price
        candles.append(_candle(trades[first:end], opened, closed, before=before))
    return candles


def read_shift(zone: str) -> int:
    """Return how far a time zone as in `8` or `-1:30` is ahead of UTC, in milliseconds."""
    hours, _, minutes = zone.lstrip("+-").partition(":")
    shift = int(hours) * 3_600_000 + int(minutes or 0) * 60_000
    return -shift if zone.startswith("-") else shift


def _opening_times(span: Span) -> Iterator[int]:
    """Yield the opening times: the oldest since a start, or the newest until the end."""
    if span.since is not None and span.since > span.until:
        return
    if span.since is not None:
        opened = _opening(span.since, span)
        opened = opened if opened >= span.since else _next(opened, span)
        for _ in range(span.limit):
            if opened > span.until:
                return
            yield opened
            opened = _next(opened, span)
        return
    last, times = _opening(span.until, span), list[int]()
    for _ in range(span.limit):
        times.append(last)
        last = _opening(last - 1, span)
    yield from reversed(times)


def _opening(moment: int, span: Span) -> int:
    """Return when the interval began that a moment is in."""
    local = moment + span.shift
    if span.interval == "1M":
        month = datetime.fromtimestamp(local / 1000, tz=UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(month.timestamp()) * 1000 - span.shift
    length, first = _length(span.interval), _MONDAY if span.interval == "1w" else 0
    return (local - first) // length * length + first - span.shift


def _next(opened: int, span: Span) -> int:
    if span.interval != "1M":
        return opened + _length(span.interval)
    month = datetime.fromtimestamp((opened + span.shift) / 1000, tz=UTC)
    following = month.replace(year=month.year + month.month // _MONTHS, month=month.month % _MONTHS + 1)
    return int(following.timestamp()) * 1000 - span.shift


def _length(interval: str) -> int:
    return int(interval[:-1]) * _UNITS[interval[-1]]


def _candle(inside: Sequence[Mapping[str, Any]], opened: int, closed: int, *, before: Decimal) -> list[Any]:
    prices = [Decimal(trade["price"]) for trade in inside] or [before]
    volume, quote = _sum(inside, "quantity"), _sum(inside, "quote")
    bought = [trade for trade in inside if trade["side"] == "BUY"]
    return [
        opened,
        text(prices[0]),
        text(max(prices)),
        text(min(prices)),
        text(prices[-1]),
        text(volume),
        closed - 1,
        text(quote),
        len(inside),
        text(_sum(bought, "quantity")),
        text(_sum(bought, "quote")),
        "0",
    ]


def _sum(trades: Sequence[Mapping[str, Any]], name: str) -> Decimal:
    return sum((Decimal(trade[name]) for trade in trades), Decimal(0))
