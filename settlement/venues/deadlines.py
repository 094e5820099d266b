"""The limits of the call to the venue that the current thread makes: its time, and the size of its answers.

A call, such as a purchase, makes one request or several. All of them together have the time of the call's kind, and
each request has a time of its own besides.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from django.conf import settings

_MEBIBYTE: Final = 1 << 20


class Kind(Enum):
    """The kind of a call, which decides about its limits."""

    ORDER = auto()  # an order, its trades, a market's ask, the venue's clock
    LIST = auto()  # the venue's markets
    PRICES = auto()  # the prices of many coins
    HISTORY = auto()  # our orders, page by page


_BYTES_AT_MOST: Final = {Kind.LIST: 64 * _MEBIBYTE, Kind.PRICES: 8 * _MEBIBYTE}
"""The size of lists. Binance describes a market in 5 KiB and a price in 700 bytes."""


class OutOfTime(TimeoutError):
    """The call's time, or the time of one of its requests, is over."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The end of the running call by the monotonic clock, and its kind."""

    ends_at: float
    kind: Kind

    @property
    def bytes_at_most(self) -> int:
        """The size of an answer, both as it arrives and decompressed."""
        return _BYTES_AT_MOST.get(self.kind, _MEBIBYTE)

    @property
    def answer_ends_at(self) -> float:
        """The end of a request that is sent now. A list may take all of its call's time."""
        if self.kind in _BYTES_AT_MOST:
            return self.ends_at
        return min(self.ends_at, time.monotonic() + settings.VENUE.read_timeout_seconds)


_current: ContextVar[Limits | None] = ContextVar("limits_of_the_call", default=None)
_under_way: dict[object, float] = {}
_under_way_lock: Final = threading.Lock()


@contextmanager
def calling(kind: Kind) -> Iterator[None]:
    """Give all requests inside the block the limits of a call of this kind. A call within a call ends with it."""
    outer, begun = _current.get(), time.monotonic()
    ends_at = begun + _seconds_of(kind)
    token = _current.set(Limits(ends_at=min(ends_at, outer.ends_at) if outer else ends_at, kind=kind))
    mark = object()
    if outer is None:
        with _under_way_lock:
            _under_way[mark] = begun
    try:
        yield
    finally:
        with _under_way_lock:
            _under_way.pop(mark, None)
        _current.reset(token)


def limits() -> Limits:
    """Return the limits of the running call, or those of a call about an order that begins now."""
    return _current.get() or Limits(ends_at=time.monotonic() + _seconds_of(Kind.ORDER), kind=Kind.ORDER)


def seconds_left() -> float:
    """Return the seconds until the running call has to end; 0 when it is over."""
    return max(limits().ends_at - time.monotonic(), 0.0)


def count_calls(*, longer_than_seconds: float) -> int:
    """Count this process's calls that have been under way for longer than this."""
    before = time.monotonic() - longer_than_seconds
    with _under_way_lock:
        return sum(begun < before for begun in _under_way.values())


def _seconds_of(kind: Kind) -> float:
    return {
        Kind.ORDER: settings.VENUE.call_timeout_seconds,
        Kind.LIST: settings.VENUE.list_timeout_seconds,
        Kind.PRICES: settings.VENUE.list_timeout_seconds,
        Kind.HISTORY: settings.VENUE.history_timeout_seconds,
    }[kind]
