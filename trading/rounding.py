"""The shop's two roundings, both in favour of the house."""

from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal

_CENT = Decimal("0.01")
# 80 digits hold the product of two ledger amounts exactly, so that only `quantize` rounds it.
_CEILING = Context(prec=80, rounding=ROUND_CEILING)
_DOWN = Context(prec=80, rounding=ROUND_DOWN)


def charge_for(*, amount: Decimal, price: Decimal) -> Decimal:
    """Return the charge for `amount` coins in US dollars, rounded up to the cent."""
    return _CEILING.multiply(amount, price).quantize(_CENT, context=_CEILING)


def amount_for(*, total: Decimal, price: Decimal, step: Decimal) -> Decimal:
    """Return the coins that `total` US dollars buy, rounded down to the coin's step.

    The charge for these coins (`charge_for`) is never above `total`.
    """
    steps = _DOWN.divide_int(_DOWN.divide(total, price), step)
    return _DOWN.multiply(steps, step).quantize(Decimal("0.00000001"), context=_DOWN)
