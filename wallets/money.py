"""Exact decimal money: the units of the ledger and the only ways into them.

US dollars have 2 places, coins and prices 8. Nothing here rounds: a value that does not fit its unit
is refused. The roundings of the shop live with the shop, each under a name of its own.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

USD = "USD"
USD_PLACES = 2
COIN_PLACES = 8
INTEGER_DIGITS = 12
"""Digits before the point that a request may carry: far above any order, far below numeric(38,8)."""

# Plain ASCII notation. `Decimal` itself would also take "1_000", full-width digits, "NaN" and blanks.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_EXACT = Context(prec=INTEGER_DIGITS + COIN_PLACES, traps=[Inexact, InvalidOperation, Overflow])


def parse_decimal(value: object) -> Decimal:
    """Read a JSON string or number as the very decimal that was written. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("must be a decimal number, as a string or a number")
    if not _NUMBER.fullmatch(str(value)):
        raise ValueError("must be a plain decimal number such as 12.50")
    return Decimal(value)


def exact(value: Decimal, *, places: int) -> Decimal:
    """Bring `value` to `places` decimals without changing it. Raises ValueError when it does not fit."""
    try:
        fitted = value.quantize(Decimal(1).scaleb(-places), context=_EXACT)
    except Inexact as error:
        raise ValueError(f"must have at most {places} decimal places") from error
    except InvalidOperation as error:
        raise ValueError(f"must have at most {INTEGER_DIGITS} digits before the point") from error
    if fitted.adjusted() >= INTEGER_DIGITS:
        raise ValueError(f"must have at most {INTEGER_DIGITS} digits before the point")
    return fitted


def plain(value: Decimal, *, places: int) -> str:
    """Write `value` in plain notation with exactly `places` decimals: never `1E-8`."""
    return format(value, f".{places}f")
