"""The shop's roundings: charges and orders by total in favour of the house, and a coin's limits to its step."""

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


def smallest_amount(*, minimum: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of the step that is not below the minimum."""
    return _on_step(minimum, step, _CEILING)


def largest_amount(*, maximum: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of the step that is not above the maximum."""
    return _on_step(maximum, step, _DOWN)


def _on_step(amount: Decimal, step: Decimal, context: Context) -> Decimal:
    if step <= 0:  # the database refuses it, but the admin shows a coin with it beside the error
        return amount
    steps = context.divide(amount, step).to_integral_value(context=context)
    return context.multiply(steps, step).quantize(Decimal("0.00000001"), context=context)
