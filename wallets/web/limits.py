"""Limits on calls: django-ratelimit's rates, windows and keys, with counters in Redis.

USER             all calls of a customer
WALLET           deposits and withdrawals of a customer
ANONYMOUS        calls from an address without a valid token
REFRESH          refreshes of the tokens of one sign-in
REFRESH_ADDRESS  refreshes from an address; only forged tokens are refused
REGISTER         new accounts from an address
LOGIN            failed attempts to sign in to an account from an address
LOGIN_ACCOUNT    failed attempts to sign in to an account from anywhere
LOGIN_ADDRESS    attempts to sign in from an address
STAFF_…          the same for the admin, counted apart from the API
MAIL             requests for e-mails with links, from an address
MAILBOX          e-mails about new passwords to one mailbox; beyond it none is sent, and nobody is told
MAILBOX_PROOF    the same for e-mails that prove an address
MAILED_TOKEN     tokens from e-mails, from an address
OTP              one-time codes of a customer
OWN_PASSWORD     changes of their own password by a member of staff
RESET_LINK       links for new passwords that a member of staff has sent

Dollars are counted too, where a customer may use no more of them than so many within a minute (`count_dollars`).

django-ratelimit's own `get_usage` costs up to three round trips a limit. Instead, one script increments all counters
of a call (wallets.runtime.redis_round).
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from math import ceil
from typing import Final

from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django_ratelimit.core import EXPIRATION_FUDGE, _get_window, _make_cache_key, _split_rate

from wallets.exceptions import RateLimited
from wallets.runtime.redis_round import RedisRound, add_within, take_one_back
from wallets.runtime.redis_store import RedisAway


@dataclass(frozen=True)
class Limit:
    """A named limit. A field of `settings.LIMITS`, by default the one of that name, holds the rate: N/s, N/m, N/h, N/d.

    `times` multiplies the calls of the rate.
    """

    name: str
    field: str = ""
    times: int = 1

    @property
    def rate(self) -> tuple[int, int]:
        """The calls that fit in a window, and the window's length in seconds."""
        calls, seconds = _parse(getattr(settings.LIMITS, self.field or self.name.replace("-", "_")))
        return calls * self.times, seconds

    def of_network(self, prefix: int, *, times: int) -> "Limit":
        """Return this limit of an address for the network of `prefix` bits around it: `times` as many calls."""
        return Limit(f"{self.name}-{prefix}", self.field or self.name.replace("-", "_"), times)


@cache
def _parse(rate: str) -> tuple[int, int]:
    calls, seconds = _split_rate(rate)
    return calls, seconds


USER: Final = Limit("user")
WALLET: Final = Limit("wallet")
STATEMENTS: Final = Limit("statements")
ANONYMOUS: Final = Limit("anonymous")
REFRESH: Final = Limit("refresh")
REFRESH_ADDRESS: Final = Limit("refresh-address")
REGISTER: Final = Limit("register")
LOGIN: Final = Limit("login")
LOGIN_ACCOUNT: Final = Limit("login-account")
LOGIN_ADDRESS: Final = Limit("login-address")
STAFF_LOGIN: Final = Limit("staff-login", "login")
STAFF_LOGIN_ACCOUNT: Final = Limit("staff-login-account", "login_account")
STAFF_LOGIN_ADDRESS: Final = Limit("staff-login-address", "login_address")
MAIL: Final = Limit("mail")
MAILBOX: Final = Limit("mailbox")
MAILBOX_PROOF: Final = Limit("mailbox-proof", "mailbox")
MAILED_TOKEN: Final = Limit("mailed-token", "login_address")
OTP: Final = Limit("otp", "login_address")
OWN_PASSWORD: Final = Limit("own-password", "login")
RESET_LINK: Final = Limit("reset-link", "login_address")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What is left, after a call, of the `calls` in `seconds` that a limit allows, and when its window resets."""

    limit: Limit
    key: str
    calls: int
    seconds: int
    remaining: int
    reset_seconds: int
    exceeded: bool

    def ensure_within(self) -> None:
        """Raise RateLimited if the call exceeded the limit."""
        if self.exceeded:
            raise RateLimited(limit=self.limit.name, retry_after_seconds=self.reset_seconds)


def count_call(*, limits: Sequence[Limit], caller: str, redis_round: RedisRound | None = None) -> list[Usage]:
    """Count one call of `caller` against each of `limits`. See `count_callers`."""
    return count_callers([(limit, caller) for limit in limits], redis_round=redis_round)


def count_callers(counted: Sequence[tuple[Limit, str]], *, redis_round: RedisRound | None = None) -> list[Usage]:
    """Count one call against each limit, for the caller beside it, in one round trip to Redis.

    Without Redis the call is counted in this process only. The limits after the first that is exceeded are not counted,
    because the call is refused before it could use them. `redis_round` is the request's round trip; the keys added to
    it are read together with the counters.
    """
    windows = [_Window.of(limit, caller) for limit, caller in counted]
    counters = {window.key: (window.seconds + EXPIRATION_FUDGE, window.calls) for window in windows}
    try:
        counts = (redis_round or RedisRound()).count(counters)
    except RedisAway:
        counts = _count_in_process(counters)
    return [window.usage(count) for window, count in zip(windows, counts, strict=True)]


def take_back(usages: Sequence[Usage]) -> list[Usage]:
    """Undo the counts of a call that turned out not to count, and return what is left then. One round trip to Redis."""
    keys = [usage.key for usage in usages]
    try:
        take_one_back(keys)
    except RedisAway:
        _take_back_in_process(keys)
    return [replace(usage, remaining=min(usage.remaining + 1, usage.calls)) for usage in usages]


def read_again(usages: Sequence[Usage], *, caller: str) -> list[Usage]:
    """Return what is left, as far as is known, of limits that counted a call of `caller` before it waited.

    Of a window that has begun since, nothing is used. No round trip to Redis.
    """
    return [_Window.of(usage.limit, caller).usage_after(usage) for usage in usages]


_MINUTE: Final = 60


def count_dollars(*, limit: str, caller: str, amount: Decimal, most: Decimal) -> None:
    """Count `amount` US dollars against the most that `caller` may use within a minute, whenever that begins.

    Raises RateLimited, and counts nothing, if they would be more. One round trip to Redis; without Redis they are
    counted in this process only. An amount above `most` is never counted.
    """
    key, cents, most_cents = f"{limit}:{caller}", int(amount.scaleb(2)), int(most.scaleb(2))
    try:
        wait_seconds = add_within(key, add=cents, most=most_cents, seconds=_MINUTE)
    except RedisAway:
        wait_seconds = _add_in_process(key, add=cents, most=most_cents)
    if wait_seconds:
        raise RateLimited(limit=limit, retry_after_seconds=wait_seconds)


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
            key=self.key,
            calls=self.calls,
            seconds=self.seconds,
            remaining=max(self.calls - count, 0),
            reset_seconds=self.reset_seconds,
            exceeded=count > self.calls,
        )

    def usage_after(self, earlier: Usage) -> Usage:
        """Return an earlier usage as it is by now."""
        if earlier.key != self.key:
            return self.usage(0)
        return replace(earlier, reset_seconds=self.reset_seconds)


# Shared by the threads of this process. A full cache drops some entries, perhaps the counters of an attacker.
_counted_here = LocMemCache("limits", {"OPTIONS": {"MAX_ENTRIES": 100_000}})


_adding: Final = threading.Lock()


def _add_in_process(key: str, *, add: int, most: int) -> int:
    """Do what `add_within` does, with the counters of this process."""
    now = time.time()
    with _adding:
        kept: list[tuple[float, int]] = _counted_here.get(key, [])
        counted = [(at, value) for at, value in kept if now - _MINUTE < at <= now]
        total = sum(value for _, value in counted)
        if total + add <= most:
            _counted_here.set(key, [*counted, (now, add)], _MINUTE)
            return 0
        for at, value in counted:
            total -= value
            if total + add <= most:
                return ceil(at + _MINUTE - now)
    return _MINUTE


def _count_in_process(counters: Mapping[str, tuple[int, int]]) -> list[int]:
    counts: list[int] = []
    exceeded = False
    for key, (seconds, limit) in counters.items():
        counts.append(_counted_here.get(key, 0) if exceeded else _count_one_in_process(key, seconds))
        exceeded = exceeded or counts[-1] > limit
    return counts


def _count_one_in_process(key: str, seconds: int) -> int:
    if _counted_here.add(key, 1, seconds):
        return 1
    try:
        return _counted_here.incr(key)
    except ValueError:  # the key expired or was dropped in between
        _counted_here.set(key, 1, seconds)
        return 1


def _take_back_in_process(keys: Sequence[str]) -> None:
    for key in keys:
        if _counted_here.get(key, 0) > 0:
            _counted_here.decr(key)
