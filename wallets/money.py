"""Exact decimal amounts in the units of the ledger.

US dollars have 2 decimal places, coins 8, and prices of coins up to 18. Nothing here rounds: the functions refuse a
value that does not fit its unit. The shop's roundings are in `trading.rounding`.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import cache

USD = "USD"
USD_PLACES = 2
COIN_PLACES = 8
PRICE_PLACES = 18
"""A coin of 0.0000000012 dollars keeps five significant digits and more."""
INTEGER_DIGITS = 12
"""The largest number of digits before the point in a request: far above any order, far below numeric(38,8)."""

# Plain ASCII notation. `Decimal` itself would also accept "1_000", full-width digits, "NaN" and blanks.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_EXACT = Context(prec=INTEGER_DIGITS + PRICE_PLACES, traps=[Inexact, InvalidOperation, Overflow])
_WIDE = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])


def parse_decimal(value: object) -> Decimal:
    """Return exactly the decimal that a JSON string or number states. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("must be a decimal number, as a string or a number")
    if not _NUMBER.fullmatch(str(value)):
        raise ValueError("must be a plain decimal number such as 12.50")
    return Decimal(value)


@cache
def _exact_to(places: int) -> Context:
    return Context(prec=INTEGER_DIGITS + places, traps=[Inexact, InvalidOperation, Overflow])


def exact(value: Decimal, *, places: int) -> Decimal:
    """Return `value`, unrounded, with `places` decimal places. Raises ValueError if it does not fit."""
    try:
        fitted = value.quantize(Decimal(1).scaleb(-places), context=_exact_to(places))
    except Inexact as error:
        raise ValueError(f"must have at most {places} decimal places") from error
    except InvalidOperation as error:
        raise ValueError(f"must have at most {INTEGER_DIGITS} digits before the point") from error
    if fitted.adjusted() >= INTEGER_DIGITS:
        raise ValueError(f"must have at most {INTEGER_DIGITS} digits before the point")
    return fitted


def without_zeros(value: Decimal) -> Decimal:
    """Return `value`, unrounded, without the zeros at its end. `Decimal.normalize` alone would round to 28 digits."""
    return value.normalize(_WIDE)


def plain(value: Decimal, *, places: int) -> str:
    """Return `value` in plain notation with `places` decimal places, never as `1E-8`."""
    return format(value, f".{places}f")
