"""Limits on calls: django-ratelimit's rates, windows and keys, with counters in Redis.

USER           all calls of a customer
WALLET         deposits and withdrawals of a customer
ANONYMOUS      calls from an address without a valid token
LOGIN          attempts to sign in to an account
LOGIN_ADDRESS  attempts to sign in from an address
REGISTER       new accounts from an address

django-ratelimit's own `get_usage` costs up to three round trips a limit. Instead, one script increments all counters
of a call (wallets.runtime.redis_round).
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
    """A named limit. The field of that name in `settings.LIMITS` holds the rate: N/s, N/m, N/h or N/d."""

    name: str

    @property
    def rate(self) -> tuple[int, int]:
        """The calls that fit in a window, and the window's length in seconds."""
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
    """The calls left of a limit after this call, and the seconds until its window resets."""

    limit: Limit
    remaining: int
    reset_seconds: int
    exceeded: bool

    def ensure_within(self) -> None:
        """Raise RateLimited if the call exceeded the limit."""
        if self.exceeded:
            raise RateLimited(limit=self.limit.name, retry_after_seconds=self.reset_seconds)


def count_call(*, limits: Sequence[Limit], caller: str, redis_round: RedisRound | None = None) -> list[Usage]:
    """Count one call of `caller` against `limits`, in one round trip to Redis; without Redis, in this process only.

    `redis_round` is the request's round trip; the keys added to it are read together with the counters.
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
    """The window of a call: its counter's key, the calls that fit in, its length, and the seconds until it resets."""

    limit: Limit
    key: str
    calls: int
    seconds: int
    reset_seconds: int

    @classmethod
    def of(cls, limit: Limit, caller: str) -> "_Window":
        calls, seconds = limit.rate
        ends_at = _get_window(caller, seconds)
        key = _make_cache_key(limit.name, ends_at, (calls, seconds), caller, None)
        # Plus one, because the second `ends_at` belongs to the window too. At least one: the clock may have gone on.
        reset_seconds = max(ends_at - int(time.time()), 0) + 1
        return cls(limit=limit, key=key, calls=calls, seconds=seconds, reset_seconds=reset_seconds)

    def usage(self, count: int) -> Usage:
        return Usage(
            limit=self.limit,
            remaining=max(self.calls - count, 0),
            reset_seconds=self.reset_seconds,
            exceeded=count > self.calls,
        )


# Shared by the threads of this process. A full cache drops some entries, perhaps the counters of an attacker.
_counted_here = LocMemCache("limits", {"OPTIONS": {"MAX_ENTRIES": 100_000}})


def _count_in_process(counters: Mapping[str, int]) -> list[int]:
    return [_count_one_in_process(key, seconds) for key, seconds in counters.items()]


def _count_one_in_process(key: str, seconds: int) -> int:
    if _counted_here.add(key, 1, seconds):
        return 1
    try:
        return _counted_here.incr(key)
    except ValueError:  # the key expired or was dropped in between
        _counted_here.set(key, 1, seconds)
        return 1
