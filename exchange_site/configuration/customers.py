"""Customers: their sign-in, their rate limits, and whether they may credit their own wallets."""

from typing import Annotated, Any, ClassVar, Final

from pydantic import Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Accounts, Count, Networks, Rate, SecondsOrZero
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class SignIn(Group):
    title: ClassVar[str] = "Sign-in"

    access_token_minutes: Count = variable(
        "ACCESS_TOKEN_MINUTES", "15", "how long an access token is valid, even a stolen one", unit="minutes"
    )
    refresh_token_days: Count = variable(
        "REFRESH_TOKEN_DAYS", "14", "how long a customer stays signed in without using the service", unit="days"
    )
    refresh_grace: SecondsOrZero = variable(
        "REFRESH_GRACE_SECONDS",
        "30",
        "how long a refresh token that was just replaced yields the same new pair again, because the answer may have"
        " been lost; later reuse ends the sign-in",
        unit="seconds",
    )
    refuse_common_passwords: bool = variable(
        "REFUSE_COMMON_PASSWORDS",
        "False",
        "refuses common passwords, and passwords that resemble the username",
        unit="switch",
        in_production="True",
    )
    hashing_slots: Count = variable(
        "HASHING_SLOTS",
        "1",
        "passwords that one API process hashes at once, besides one more that is reserved for customers and staff at an"
        " address where they have signed in before; each takes a thread and a processor for 50 to 100 ms, and other"
        " sign-ins get 503 `busy`; fewer than `WEB_THREADS`",
        unit="hashes",
    )

    staff_second_factor: bool = variable(
        "STAFF_SECOND_FACTOR",
        "False",
        "the admin opens only for staff whose second factor is on",
        unit="switch",
        in_production="True",
    )

    leeway_seconds: ClassVar[int] = 5  # between the clocks of the hosts that issue and check tokens


@dataclass(frozen=True, config=PARSED)
class SecurityLog(Group):
    title: ClassVar[str] = "Sign-in"

    keep_days: Annotated[int, Field(ge=30)] = variable(
        "SECURITY_LOG_KEEP_DAYS",
        "400",
        "how long the security log is kept; 30 or more, because the database refuses to delete younger entries",
        unit="days",
    )
    most_per_minute: Count = variable(
        "SECURITY_LOG_MOST_PER_MINUTE",
        "10",
        "failures of one kind that the security log records for one network in a minute; metrics count all",
        unit="entries",
    )


_MOST_CALLS: Final = 999_999_999  # that a Rate can hold


def _four_times_login(given: dict[str, Any]) -> str:
    """Return four times the login limit, because several people may share an address."""
    count, period = given["login"].split("/")
    return f"{min(4 * int(count), _MOST_CALLS)}/{period}"


@dataclass(frozen=True, config=PARSED)
class Limits(Group):
    title: ClassVar[str] = "Limits"
    intro: ClassVar[str] = (
        "Each limit is a number of calls per second, minute, hour or day: `N/s`, `N/m`, `N/h` or `N/d`."
        " Raise a limit when honest callers are refused with 429."
    )

    user: Rate = variable("RATE_LIMIT_USER", "1000/h", "all calls of one customer", unit="rate")
    orders: Rate = variable("RATE_LIMIT_ORDERS", "60/m", "orders placed and cancelled by one customer", unit="rate")
    quotes: Rate = variable("RATE_LIMIT_QUOTES", "60/m", "quotes made for one customer", unit="rate")
    wallet: Rate = variable("RATE_LIMIT_WALLET", "30/m", "deposits and withdrawals of one customer", unit="rate")
    statements: Rate = variable(
        "RATE_LIMIT_STATEMENTS", "60/h", "statements of one customer, in CSV or of a month", unit="rate"
    )
    anonymous: Rate = variable("RATE_LIMIT_ANON", "60/m", "calls without a valid token from one address", unit="rate")
    refresh: Rate = variable("RATE_LIMIT_REFRESH", "30/m", "token refreshes of one sign-in", unit="rate")
    refresh_address: Rate = variable(
        "RATE_LIMIT_REFRESH_ADDRESS",
        "1200/m",
        "token refreshes from one address; beyond it, only forged tokens are refused",
        unit="rate",
    )
    register: Rate = variable(
        "RATE_LIMIT_REGISTER", "5/m", "new accounts from one address; raise it if many people share one", unit="rate"
    )
    login: Rate = variable(
        "RATE_LIMIT_LOGIN", "5/m", "failed attempts to sign in to one account from one address", unit="rate"
    )
    login_account: Rate = variable(
        "RATE_LIMIT_LOGIN_ACCOUNT",
        "60/h",
        "failed attempts to sign in to one account from all addresses together, except where its owner has signed in"
        " within 30 days",
        unit="rate",
    )
    login_address: Rate = variable(
        "RATE_LIMIT_LOGIN_ADDRESS",
        _four_times_login,
        "attempts to sign in from one address; four times `RATE_LIMIT_LOGIN` unless set",
        unit="rate",
        shown="`20/m`",
        example="20/m",
    )
    mail: Rate = variable("RATE_LIMIT_MAIL", "5/m", "requests for e-mails with links, from one address", unit="rate")
    mailbox: Rate = variable(
        "RATE_LIMIT_MAILBOX",
        "5/h",
        "e-mails with links to one mailbox; whoever asks for more gets the same answer, and nothing is sent",
        unit="rate",
    )
    trusted_proxies: Networks = variable(
        "TRUSTED_PROXIES",
        "",
        "proxies whose `X-Forwarded-For` is trusted; name as few as possible",
        unit="networks",
        such_as="10.0.0.7/32",
    )

    # An IPv6 customer has a /64 at least, and often a /56 or /48. So the calls of each of these networks are counted
    # too, with a multiple of the limit of an address.
    times_per_56: ClassVar[int] = 4
    times_per_48: ClassVar[int] = 16

    max_body_bytes: ClassVar[int] = 64 * 1024  # of a call to the API; the proxy has the same limit
    max_uri_length: ClassVar[int] = 4096


@dataclass(frozen=True, config=PARSED)
class Deposits(Group):
    title: ClassVar[str] = "Shop"

    self_service: bool = variable(
        "SELF_SERVICE_DEPOSITS",
        "True",
        "customers may credit their own wallets; for a sandbox only",
        unit="switch",
        in_production="False",
    )
    accounts: Accounts = variable(
        "OUR_ACCOUNTS",
        "*",
        "our accounts at banks, with commas between them: each IBAN or number, and after `=` its other names, with `/`"
        " between them, as in `GB82WEST12345698765432=12345698765432`; statements and deposits of others are refused,"
        " unless `*` is listed",
        unit="accounts",
        in_production="",
    )


@dataclass(frozen=True, config=PARSED)
class PersonalData(Group):
    title: ClassVar[str] = "Customers' data"

    retention_years: Count = variable(
        "RETENTION_YEARS",
        "10",
        "how long data about a customer is kept after their account was closed; then a worker erases what is personal,"
        " and what banks said about them becomes unreadable",
        unit="years",
    )
