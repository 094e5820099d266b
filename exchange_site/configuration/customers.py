"""Customers: how they sign in, how often they may call, whether they credit themselves."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, Networks, Rate
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class SignIn(Group):
    title: ClassVar[str] = "Sign-in"

    access_token_minutes: Count = variable(
        "ACCESS_TOKEN_MINUTES", "15", "how long an access token is good, a stolen one too", unit="minutes"
    )
    refresh_token_days: Count = variable(
        "REFRESH_TOKEN_DAYS", "14", "how long a customer stays signed in without a visit", unit="days"
    )
    refuse_common_passwords: bool = variable(
        "REFUSE_COMMON_PASSWORDS",
        "False",
        "refuses common passwords, and those like the username",
        unit="switch",
        in_production="True",
    )


def _four_times_login(given: dict[str, Any]) -> str:
    """Return the default for an address, which several people may share."""
    count, period = given["login"].split("/")
    return f"{4 * int(count)}/{period}"


@dataclass(frozen=True, config=PARSED)
class Limits(Group):
    title: ClassVar[str] = "Limits"
    intro: ClassVar[str] = (
        "Each is so many calls in a second, minute, hour or day: `N/s`, `N/m`, `N/h` or `N/d`."
        " Raise one when honest callers are refused with 429."
    )

    user: Rate = variable("RATE_LIMIT_USER", "1000/h", "every call of a customer", unit="rate")
    orders: Rate = variable("RATE_LIMIT_ORDERS", "60/m", "orders and cancels of a customer", unit="rate")
    wallet: Rate = variable("RATE_LIMIT_WALLET", "30/m", "deposits and withdrawals of a customer", unit="rate")
    anonymous: Rate = variable("RATE_LIMIT_ANON", "60/m", "calls from an address without a good token", unit="rate")
    register: Rate = variable(
        "RATE_LIMIT_REGISTER", "5/m", "new accounts from an address; higher where many people share one", unit="rate"
    )
    login: Rate = variable("RATE_LIMIT_LOGIN", "5/m", "attempts to sign in to an account", unit="rate")
    login_address: Rate = variable(
        "RATE_LIMIT_LOGIN_ADDRESS",
        _four_times_login,
        "attempts from an address; unless set, four times `RATE_LIMIT_LOGIN`",
        unit="rate",
        shown="`20/m`",
        example="20/m",
    )
    trusted_proxies: Networks = variable(
        "TRUSTED_PROXIES", "", "whose `X-Forwarded-For` is believed; not more than needed", unit="networks"
    )

    max_body_bytes: ClassVar[int] = 64 * 1024  # of the API; the proxy has it too
    max_uri_length: ClassVar[int] = 4096


@dataclass(frozen=True, config=PARSED)
class Deposits(Group):
    title: ClassVar[str] = "Shop"

    self_service: bool = variable(
        "SELF_SERVICE_DEPOSITS",
        "True",
        "customers credit themselves; for a sandbox only",
        unit="switch",
        in_production="False",
    )
