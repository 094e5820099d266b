"""Read what the control API is given. A ValueError says in a sentence what is wrong."""

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MOST: Final = Decimal("1e30")
LEAST_PRICE: Final = Decimal("1e-30")
MOST_PRICE: Final = Decimal("1e30")
"""Far beyond the prices of coins, from 1e-10 to 1e12: a test may want a price that cannot be believed."""


def read_object(data: object, *, name: str, known: Collection[str] | None = None) -> Mapping[str, Any]:
    """Return an object whose members are all known. Raises ValueError."""
    if not isinstance(data, dict):
        raise ValueError(f"{name} is an object, not {_shortened(data)}")
    unknown = data.keys() - set(data if known is None else known)
    if unknown:
        raise ValueError(f"{name} knows {', '.join(sorted(known or ()))}, and not {', '.join(sorted(unknown))}")
    return data


def ensure_listed(given: Collection[str], *, listed: Collection[str]) -> None:
    """Refuse symbols that are not listed. Raises ValueError."""
    unknown = set(given) - set(listed)
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is not listed: set its price first")


def read_number(
    value: object, *, name: str, at_least: Decimal | int = 0, at_most: Decimal | int = MOST, zero: bool = True
) -> Decimal:
    """Return a number, given as a number or as text, within its bounds. Raises ValueError."""
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(f"{name} is a number, not {_shortened(value)}")
    if not at_least <= number <= at_most:
        raise ValueError(f"{name} is from {at_least} to {at_most}, not {_shortened(value)}")
    if not zero and not number:
        raise ValueError(f"{name} is not zero")
    if number and number.adjusted() < -MOST.adjusted():
        raise ValueError(f"{name} is too small: {_shortened(value)}")
    return number


def read_price(value: object, *, name: str) -> Decimal:
    """Return a price in the quote asset. Raises ValueError."""
    return read_number(value, name=name, at_least=LEAST_PRICE, at_most=MOST_PRICE)


def read_whole(value: object, *, name: str, at_least: int = 0, at_most: int = 2**63) -> int:
    """Return a whole number. Raises ValueError."""
    number = read_number(value, name=name, at_least=at_least, at_most=at_most)
    if number != int(number):
        raise ValueError(f"{name} is a whole number, not {_shortened(value)}")
    return int(number)


def read_text(value: object, *, name: str) -> str:
    """Return a text that is not empty. Raises ValueError."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is a text, not {_shortened(value)}")
    return value


def read_switch(value: object, *, name: str) -> bool:
    """Return true or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is true or false, not {_shortened(value)}")
    return value


def read_list(data: object, *, name: str, at_most: int) -> list[Any]:
    """Return a list of at most so many entries. Raises ValueError."""
    if not isinstance(data, list):
        raise ValueError(f"{name} is a list, not {_shortened(data)}")
    if len(data) > at_most:
        raise ValueError(f"{name} has at most {at_most} entries")
    return data


def _shortened(value: object) -> str:
    return f"{value!r:.60}" if not isinstance(value, Decimal) else f"{value:.60}"
