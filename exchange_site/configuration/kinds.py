"""Types for the values of variables: how each is parsed from text, and its bounds."""

from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, TypeAdapter


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_networks(text: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(part) for part in _split(text)]


def _duration(unit: str, number: type[float] = float) -> BeforeValidator:
    numbers = TypeAdapter(number)

    def parse(text: str) -> timedelta:
        try:
            return timedelta(**{unit: numbers.validate_python(text)})
        except OverflowError as error:
            raise ValueError(f"Input should be a number of {unit} that fits into a calendar") from error

    return BeforeValidator(parse)


_NOTHING: Final = timedelta(0)

Names = Annotated[list[str], BeforeValidator(_split)]
Networks = Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_parse_networks)]
Host = Annotated[str, BeforeValidator(lambda text: text or "127.0.0.1")]
Rate = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/[smhd]$")]
"""A number of calls per second, minute, hour or day, such as `60/m`."""
Dollars = Annotated[Decimal, Field(gt=0, decimal_places=2)]
Share = Annotated[Decimal, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0)]
CountOrZero = Annotated[int, Field(ge=0)]
Seconds = Annotated[timedelta, _duration("seconds"), Field(gt=_NOTHING)]
SecondsOrZero = Annotated[timedelta, _duration("seconds"), Field(ge=_NOTHING)]
SecondsAsNumber = Annotated[float, Field(gt=0)]
Hours = Annotated[timedelta, _duration("hours"), Field(gt=_NOTHING)]
Milliseconds = Annotated[timedelta, _duration("milliseconds", int)]
