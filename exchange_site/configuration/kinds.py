"""Types for the values of variables: how each is parsed from text, and its bounds."""

import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_networks(text: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(part) for part in _split(text)]


def _parse_host(text: str) -> str:
    """Return a host name, an address without brackets, or the folder of a Unix socket."""
    host = text.strip().removeprefix("[").removesuffix("]") or "127.0.0.1"
    is_address = host.count(":") > 1
    if any(mark in host for mark in ("@", ",", " ")) or (":" in host and not is_address):
        raise ValueError("Input should be a host name or address, without user and port")
    return host


def _parse_hosts(text: str) -> list[str]:
    return [_parse_host(part) for part in _split(text) or [""]]


def _duration(unit: str, number: type[float] = float) -> BeforeValidator:
    numbers = TypeAdapter(number)

    def parse(text: str) -> timedelta:
        try:
            return timedelta(**{unit: numbers.validate_python(text)})
        except OverflowError as error:
            raise ValueError(f"Input should be a number of {unit} that fits into a calendar") from error

    return BeforeValidator(parse)


def _check_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:  # unknown, outside of the folder of zones, or that folder
        raise ValueError("Input should be the name of a time zone, such as Europe/Berlin") from error
    return text


def _parse_accounts(text: str) -> dict[str, str]:
    """Return the account of each name, all in one spelling: an account is a name of itself."""
    found: dict[str, str] = {}
    for part in _split("".join(text.split()).upper()):
        account, _, others = part.partition("=")
        for name in (account, *filter(None, others.split("/"))):
            if not account or found.setdefault(name, account) != account:
                raise ValueError("Each name should be of one account, as in IBAN=NUMBER/NUMBER")
    return found


def _parse_dollars_of_coins(text: str) -> dict[str, Decimal]:
    """Return the dollars of each coin. Raises ValueError in words of its own: pydantic would name the coin as wrong."""
    parts = [part.partition("=") for part in _split(text)]
    try:
        dollars = TypeAdapter(list[DollarsOrZero]).validate_python([amount.strip() for _, _, amount in parts])
    except ValidationError as error:
        raise ValueError(_NO_DOLLARS_OF_COINS) from error
    found = dict(zip((coin.strip() for coin, _, _ in parts), dollars, strict=True))
    if not all(map(_COIN.fullmatch, found)) or len(found) < len(parts):
        raise ValueError(_NO_DOLLARS_OF_COINS)
    return found


_COIN: Final = re.compile("[A-Z0-9]{1,12}")  # as trading.models has it: a rule about another name would hold nothing
_NO_DOLLARS_OF_COINS: Final = "Each coin should be named once, with its dollars, as in PEPE=100.00,BONK=0"
_NOTHING: Final = timedelta(0)


def _split_keys(text: str) -> list[str]:
    """Return the secrets of a text, which are separated by commas, blanks or lines."""
    return [part for part in re.split(r"[,\s]+", text) if part]


Accounts = Annotated[dict[str, str], BeforeValidator(_parse_accounts)]
"""Our accounts by each of their names; `*` stands for any other account."""
Names = Annotated[list[str], BeforeValidator(_split)]
Keys = Annotated[list[str], BeforeValidator(_split_keys)]
Networks = Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_parse_networks)]
Host = Annotated[str, BeforeValidator(_parse_host)]
Hosts = Annotated[list[str], BeforeValidator(_parse_hosts)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Ports = Annotated[list[Port], BeforeValidator(lambda text: _split(text) or ["5432"])]
SslMode = Annotated[
    Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    BeforeValidator(lambda text: text or "prefer"),
]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Rate = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/[smhd]$")]
"""A number of calls per second, minute, hour or day, such as `60/m`."""
Dollars = Annotated[Decimal, Field(gt=0, decimal_places=2)]
DollarsOrZero = Annotated[Decimal, Field(ge=0, decimal_places=2)]
DollarsOrNone = Annotated[Dollars | None, BeforeValidator(lambda text: text or None)]
DollarsOfCoins = Annotated[dict[str, Decimal], BeforeValidator(_parse_dollars_of_coins)]
"""Amounts by the coin's name."""
Share = Annotated[Decimal, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0)]
CountOrZero = Annotated[int, Field(ge=0)]
Seconds = Annotated[timedelta, _duration("seconds"), Field(gt=_NOTHING)]
SecondsOrZero = Annotated[timedelta, _duration("seconds"), Field(ge=_NOTHING)]
SecondsAsNumber = Annotated[float, Field(gt=0)]
Hours = Annotated[timedelta, _duration("hours"), Field(gt=_NOTHING)]
HoursOrZero = Annotated[timedelta, _duration("hours"), Field(ge=_NOTHING)]
Milliseconds = Annotated[timedelta, _duration("milliseconds", int)]
