"""The size of a purchase, and its price bound."""

from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal

from settlement.told import digits
from settlement.venues.protocol import MarketRules, UnusableRules
from wallets.money import PRICE_PLACES

_UP = Context(prec=80, rounding=ROUND_CEILING)
_DOWN = Context(prec=80, rounding=ROUND_DOWN)

# The price may fall a little after we read the ask and before the venue checks the notional.
_NOTIONAL_SLACK = Decimal("1.02")
_LARGEST = Decimal(10) ** 20
_SMALLEST_AMOUNT = Decimal("0.00000001")
SMALLEST_PRICE = Decimal(1).scaleb(-PRICE_PLACES)
"""Amounts have at most 8 decimal places, prices 18: a coin may cost less than one of the amounts' units."""


def ensure_usable(rules: MarketRules) -> None:
    """Raise UnusableRules for filters with which no order is possible, or which are no numbers that we can store."""
    numbers = vars(rules)
    for name, value in numbers.items():
        if not value.is_finite() or not 0 <= value <= _LARGEST:
            raise UnusableRules(f"{name} is {value}"[:150])
    if not rules.quantity_step or not rules.price_tick:
        raise UnusableRules("a step of zero")
    largest = _largest(rules)
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
        to_step(wanted, rules.quantity_step, _UP).quantize(_SMALLEST_AMOUNT, context=_UP),
        _largest(rules),
    )


def _largest(rules: MarketRules) -> Decimal:
    return to_step(rules.quantity_maximum, rules.quantity_step, _DOWN).quantize(_SMALLEST_AMOUNT, context=_DOWN)


def highest_price(*, charge: Decimal, amount: Decimal, max_loss: Decimal, tick: Decimal) -> Decimal:
    """Return the price bound: the customers' average price plus the allowed loss, rounded down to the tick.

    `charge` is what the orders have paid for `amount` coins, without fees.
    """
    paid = _DOWN.divide(charge, amount)
    return _price_to_tick(_DOWN.multiply(paid, 1 + max_loss), tick, _DOWN)


def bound_of_order(*, price: Decimal, max_loss: Decimal, tick: Decimal) -> Decimal:
    """Return the price bound of an order of its own: its price plus what it may lose, rounded down to the tick."""
    return _price_to_tick(_DOWN.multiply(price, 1 + max_loss), tick, _DOWN)


def just_above(*, ask: Decimal, slack: Decimal, tick: Decimal) -> Decimal:
    """Return the limit a little above the ask, rounded down to the tick but never below the ask.

    A venue refuses limits far above its market, as the customers' price is after a fall.
    """
    return max(_price_to_tick(_DOWN.multiply(ask, 1 + slack), tick, _DOWN), _price_to_tick(ask, tick, _UP))


def _price_to_tick(price: Decimal, tick: Decimal, context: Context) -> Decimal:
    return to_step(price, tick, context).quantize(SMALLEST_PRICE, context=context)


def to_step(value: Decimal, step: Decimal, context: Context) -> Decimal:
    """Return a multiple of the step near a value, in the direction in which the context rounds."""
    steps = context.divide(value, step).to_integral_value(context=context)
    return context.multiply(steps, step)
