"""The size of a purchase, and its price bound."""

from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal

from settlement.told import digits
from settlement.venues.protocol import MarketRules, UnusableRules

_UP = Context(prec=80, rounding=ROUND_CEILING)
_DOWN = Context(prec=80, rounding=ROUND_DOWN)

# The price may fall a little after we read the ask and before the venue checks the notional.
_NOTIONAL_SLACK = Decimal("1.02")
_LARGEST = Decimal(10) ** 20


def ensure_usable(rules: MarketRules) -> None:
    """Raise UnusableRules for filters with which no order is possible, or which are no numbers that we can store."""
    numbers = vars(rules)
    for name, value in numbers.items():
        if not value.is_finite() or not 0 <= value <= _LARGEST:
            raise UnusableRules(f"{name} is {value}"[:150])
    if not rules.quantity_step or not rules.price_tick:
        raise UnusableRules("a step of zero")
    largest = _to_step(rules.quantity_maximum, rules.quantity_step, _DOWN)
    if largest <= 0 or largest < rules.quantity_minimum:
        bounds = f"from {digits(rules.quantity_minimum)} to {digits(rules.quantity_maximum)}"
        raise UnusableRules(f"no quantity {bounds} in steps of {digits(rules.quantity_step)}")


def quantity_to_buy(*, missing: Decimal, taker_rate: Decimal, ask: Decimal, rules: MarketRules) -> Decimal:
    """Return the quantity that leaves at least `missing` coins after a commission taken in the coin.

    The quantity is rounded up to the venue's step, and is never below the venue's minimum quantity or notional.
    If the venue's maximum is lower, return the maximum: another attempt buys the rest.
    """
    gross = _UP.divide(missing, 1 - taker_rate)
    notional = _UP.divide(_UP.multiply(rules.notional_minimum, _NOTIONAL_SLACK), ask)
    wanted = max(gross, notional, rules.quantity_minimum)
    return min(
        _to_step(wanted, rules.quantity_step, _UP),
        _to_step(rules.quantity_maximum, rules.quantity_step, _DOWN),
    )


def highest_price(*, charge: Decimal, amount: Decimal, max_loss: Decimal, tick: Decimal) -> Decimal:
    """Return the price bound: the customers' average price plus the allowed loss, rounded down to the tick."""
    paid = _DOWN.divide(charge, amount)
    return _to_step(_DOWN.multiply(paid, 1 + max_loss), tick, _DOWN)


def _to_step(value: Decimal, step: Decimal, context: Context) -> Decimal:
    steps = context.divide(value, step).to_integral_value(context=context)
    return context.multiply(steps, step).quantize(Decimal("0.00000001"), context=context)
