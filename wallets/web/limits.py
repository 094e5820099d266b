"""How often somebody may call: django-ratelimit's rates, windows and keys, counted in Redis.

USER                 each signed-in customer, every call
WALLET               the same customer's deposits and withdrawals
ANONYMOUS            each address, without a token or with a bad one
LOGIN, LOGIN_ADDRESS attempts to sign in: of each account, and from each address
REGISTER             new accounts from each address

django-ratelimit's own `get_usage` costs up to three round trips a limit. So its rules are used and its counting is not:
all the counters that a call touches are one script's work (wallets.runtime.redis_round).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django_ratelimit.core import EXPIRATION_FUDGE, _get_window, _make_cache_key, _split_rate

from wallets.exceptions import RateLimited
from wallets.runtime.redis_round import RedisRound
from wallets.runtime.redis_store import RedisAway


@dataclass(frozen=True)
class Limit:
    """A limit; the field of `settings.LIMITS` with its name holds its rate, as N/s, N/m, N/h or N/d."""

    name: str

    @property
    def rate(self) -> tuple[int, int]:
        """The calls that fit in a window, and its length in seconds."""
        return _parse(getattr(settings.LIMITS, self.name.replace("-", "_")))


@cache
def _parse(rate: str) -> tuple[int, int]:
    calls, seconds = _split_rate(rate)
    return calls, seconds


USER: Final = Limit("user")
WALLET: Final = Limit("wallet")
ANONYMOUS: Final = Limit("anonymous")
LOGIN: Final = Limit("login")
LOGIN_ADDRESS: Final = Limit("login-address")
REGISTER: Final = Limit("register")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What remains of a limit after this call, and seconds until its window resets."""

    limit: Limit
    remaining: int
    reset_seconds: int
    exceeded: bool

    def ensure_within(self) -> None:
        """Raise RateLimited when the call was one too many."""
        if self.exceeded:
            raise RateLimited(limit=self.limit.name, retry_after_seconds=self.reset_seconds)


def count_call(*, limits: Sequence[Limit], caller: str, redis_round: RedisRound | None = None) -> list[Usage]:
    """Count one call of `caller` against `limits`, in one round trip to Redis; without Redis this process counts alone.

    `redis_round` is the request's own, for the keys that are to be read along.
    """
    windows = [_Window.of(limit, caller) for limit in limits]
    counters = {window.key: window.seconds + EXPIRATION_FUDGE for window in windows}
    try:
        counts = (redis_round or RedisRound()).count(counters)
    except RedisAway:
        counts = _count_in_process(counters)
    return [window.usage(count) for window, count in zip(windows, counts, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The window that a call falls into: its counter's key, its quota of calls, its length, and its end (Unix time)."""

    limit: Limit
    key: str
    calls: int
    seconds: int
    ends_at: int

    @classmethod
    def of(cls, limit: Limit, caller: str) -> "_Window":
        calls, seconds = limit.rate
        ends_at = _get_window(caller, seconds)
        key = _make_cache_key(limit.name, ends_at, (calls, seconds), caller, None)
        return cls(limit=limit, key=key, calls=calls, seconds=seconds, ends_at=ends_at)

    def usage(self, count: int) -> Usage:
        return Usage(
            limit=self.limit,
            remaining=max(self.calls - count, 0),
            # The window's last second belongs to it, and the second that runs now has partly gone.
            reset_seconds=self.ends_at - int(time.time()) + 1,
            exceeded=count > self.calls,
        )


# Shared by the threads of this process. When it is full it drops some entries: an attacker's keys among them.
_counted_here = LocMemCache("limits", {"OPTIONS": {"MAX_ENTRIES": 100_000}})


def _count_in_process(counters: Mapping[str, int]) -> list[int]:
    return [_count_one_in_process(key, seconds) for key, seconds in counters.items()]


def _count_one_in_process(key: str, seconds: int) -> int:
    if _counted_here.add(key, 1, seconds):
        return 1
    try:
        return _counted_here.incr(key)
    except ValueError:  # it expired, or was dropped, in between
        _counted_here.set(key, 1, seconds)
        return 1
