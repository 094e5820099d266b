"""How often somebody may call: fixed windows as django-ratelimit has them, counted in Redis.

USER                 each signed-in customer, every call
ORDERS, WALLET       the same customer's orders, and movements of money
ANONYMOUS            each address, without a token or with a bad one
LOGIN, LOGIN_ADDRESS attempts to sign in: of each account, and from each address
REGISTER             new accounts from each address
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches
from django_ratelimit.core import get_usage

from wallets.exceptions import RateLimited

_PERIODS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Limit:
    """A limit; `setting` holds its rate, as N/s, N/m, N/h or N/d."""

    name: str
    setting: str

    @property
    def rate(self) -> tuple[int, int]:
        """How many calls a window has room for, and how many seconds it lasts."""
        return _parse(getattr(settings, self.setting))


@cache
def _parse(rate: str) -> tuple[int, int]:
    quota, period = rate.split("/")
    return int(quota), _PERIODS[period]


USER: Final = Limit("user", "RATE_LIMIT_USER")
ORDERS: Final = Limit("orders", "RATE_LIMIT_ORDERS")
WALLET: Final = Limit("wallet", "RATE_LIMIT_WALLET")
ANONYMOUS: Final = Limit("anonymous", "RATE_LIMIT_ANON")
LOGIN: Final = Limit("login", "RATE_LIMIT_LOGIN")
LOGIN_ADDRESS: Final = Limit("login-address", "RATE_LIMIT_LOGIN_ADDRESS")
REGISTER: Final = Limit("register", "RATE_LIMIT_REGISTER")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a counted call left of its limit: calls, and seconds until all of them are back."""

    limit: Limit
    remaining: int
    reset_seconds: int
    exceeded: bool

    def ensure_within(self) -> None:
        """Raise RateLimited when the call was one too many."""
        if self.exceeded:
            raise RateLimited(limit=self.limit.name, retry_after_seconds=self.reset_seconds)


@dataclass(frozen=True, kw_only=True)
class Count:
    """What a call left of each of its limits, and what Redis held under the keys that were asked for along with it."""

    usages: Sequence[Usage]
    found: Sequence[str | None]


def count_call(*, limit: Limit, caller: str) -> Usage:
    """Count one call of `caller` against `limit`. One round trip to Redis; without it, this process counts alone."""
    [usage] = count_call_against_all(limits=(limit,), caller=caller).usages
    return usage


def count_call_against_all(*, limits: Sequence[Limit], caller: str, along: Sequence[str] = ()) -> Count:
    """The same against several limits, still in one round trip; the keys `along` are read in it, if Redis is there."""
    cache: Any = caches[settings.RATELIMIT_USE_CACHE]  # a LimitCache
    with cache.taking_down() as counters:
        begun = [_begin_to_count(limit, caller) for limit in limits]
    counts, found = cache.count(counters, along=along)
    usages = [
        Usage(
            limit=limit,
            remaining=max(usage["limit"] - count, 0),
            # The window's last second belongs to it, and the second that runs now has partly gone.
            reset_seconds=usage["time_left"] + 1,
            exceeded=count > usage["limit"],
        )
        for limit, usage, count in zip(limits, begun, counts, strict=True)
    ]
    return Count(usages=usages, found=found)


def _begin_to_count(limit: Limit, caller: str) -> dict[str, Any]:
    """What django-ratelimit says of a window's first call, which this one may not be."""
    return get_usage(  # type: ignore[no-any-return]  # untyped
        None,  # a request is for keys and rates that are read from one
        group=limit.name,
        key=lambda *_: caller,
        rate=limit.rate,
        increment=True,
    )
