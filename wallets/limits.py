"""How often somebody may call: fixed windows, counted by django-ratelimit in Redis.

USER                 each signed-in customer, every call
ORDERS, WALLET       the same customer's orders, and movements of money
ANONYMOUS            each address, without a token or with a bad one
LOGIN, LOGIN_ADDRESS attempts to sign in: of each account, and from each address
REGISTER             new accounts from each address
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

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


def count_call(*, limit: Limit, caller: str) -> Usage:
    """Count one call of `caller` against `limit`. One round trip to Redis; without it, this process counts alone."""
    rate = limit.rate
    usage = get_usage(
        None,  # a request is for keys and rates that are read from one
        group=limit.name,
        key=lambda *_: caller,
        rate=rate,
        increment=True,
    )
    return Usage(
        limit=limit,
        remaining=max(rate[0] - usage["count"], 0),
        # The window's last second belongs to it, and the second that runs now has partly gone.
        reset_seconds=usage["time_left"] + 1,
        exceeded=usage["should_limit"],
    )


def count_call_against_all(*, limits: Sequence[Limit], caller: str) -> list[Usage]:
    """The same against several limits, still in one round trip."""
    if len(limits) > 1:
        with caches[settings.RATELIMIT_USE_CACHE].gather():  # type: ignore[attr-defined]  # it is a LimitCache
            for limit in limits:
                count_call(limit=limit, caller=caller)
    return [count_call(limit=limit, caller=caller) for limit in limits]
