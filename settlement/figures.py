"""A venue's figures: read in any notation, and rounded once.

Figures that are booked have at most 8 decimal places. The functions `round_*` are the only ones that round a venue's
figure, by the shop's table of roundings: we never book a coin that we may not have.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from typing import Final

from trading.rounding import coins_of_fill, cost_of_fill

PLACES: Final = Decimal("0.00000001")
COLUMN: Final = Decimal(10) ** 30
"""Amounts are stored as numeric(38, 8): 30 digits before the point."""
_LONGEST_NUMBER: Final = 200
_COARSEST: Final = Decimal("0.0001")
"""The coarsest place to which a venue may round a trade's cost."""
_LEEWAY: Final = Decimal(10_000)
"""A trade's cost may differ from its price by a part in so many."""
# Exact for products and sums of numbers that `read_figure` returns.
_EXACT: Final = Context(prec=900)
_DOWN: Final = Context(prec=900, rounding=ROUND_DOWN)


def read_figure(value: object) -> Decimal | None:
    """Return a number in any notation exactly, or None for what is no number or does not fit into a column."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float | str):
        return None
    try:
        text = str(value)
        # Decimal also reads the digits of other scripts, and underscores.
        is_plain = len(text) <= _LONGEST_NUMBER and text.isascii() and "_" not in text
        number = Decimal(text) if is_plain else None
    except (InvalidOperation, ValueError):  # a whole number of thousands of digits is a ValueError
        return None
    if number is None or not number.is_finite():
        return None
    if not number or number.adjusted() < -_LONGEST_NUMBER:
        return Decimal(0)
    return number if number.adjusted() < COLUMN.adjusted() else None


def round_quantity(value: Decimal) -> Decimal:
    """Round coins that we received down to 8 places."""
    return coins_of_fill(value)


def round_cost(value: Decimal) -> Decimal:
    """Round what the venue took from us, a cost or a commission, up to 8 places."""
    return cost_of_fill(value)


def leeway_of(cost: Decimal, *, quantity: Decimal, price: Decimal | None) -> Decimal:
    """Return by how much the venue's rounding of a trade's cost may make the sum of its order differ.

    Where price and quantity say more than 8 places, that is one unit of the 8th place. A venue that writes a cost with
    fewer places, as Kraken does with 5, shows by its difference from price and quantity that it has rounded it: then it
    is one unit of its last place. Otherwise nothing.
    """
    if cost != round_cost(cost):
        return PLACES
    unit = _unit_of(cost)
    is_rounded = price is not None and 0 < abs(subtract(cost, multiply(quantity, price))) < unit <= _COARSEST
    return unit if is_rounded else Decimal(0)


def is_product(cost: Decimal, *, quantity: Decimal, price: Decimal) -> bool:
    """Say whether a trade's cost may be its quantity times its price, each of which the venue may have rounded.

    A price may be an average, so it may differ by one unit of its last place; a quantity by one of the 8th place. Zeros
    after a rounded price hide which place that is, so a ten-thousandth of the cost passes in any case.
    """
    cost_unit = max(min(_unit_of(cost), _COARSEST), PLACES)
    most = add([cost_unit, multiply(quantity, _unit_of(price)), multiply(price, PLACES)])
    difference = abs(subtract(cost, multiply(quantity, price)))
    return difference <= most or multiply(difference, _LEEWAY) <= cost


def _unit_of(value: Decimal) -> Decimal:
    """Return one unit of a number's last place: 0.01 for 4.20, and 1 for 4."""
    return Decimal(1).scaleb(int(value.as_tuple().exponent))


def add(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    return total


def multiply(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact product."""
    return _EXACT.multiply(one, other)


def subtract(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact difference."""
    return _EXACT.subtract(one, other)


def share(amount: Decimal, *, of: Decimal, whole: Decimal) -> Decimal:
    """Return the share of an amount that `of` has in `whole`, rounded down to 8 places."""
    return round_quantity(_DOWN.divide(_EXACT.multiply(amount, of), whole))
