"""Every rounding of money, coins and prices: its direction, its unit, and the function that does it.

price      up, to 8 decimal places, or to 5 digits where that is finer     price_for
subtotal   up, to the cent                                                 subtotal_for
subtotal   down, to the cent, if the customer says the total               subtotal_within
fee        up, to the cent                                                 fee_for
amount     down, to the coin's step                                        amount_for
minimum    up, to the coin's step                                          smallest_amount
maximum    down, to the coin's step                                        largest_amount
fill       coins down, cost and commission up, to 8 decimal places         coins_of_fill, cost_of_fill
rebate     down, to the cent                                               rebate_for
proceeds   down, to the cent                                               proceeds_of
value      down, to the cent                                               value_of

Each of them favours the house, by less than one unit.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal
from functools import lru_cache

_CENT = Decimal("0.01")
_SMALLEST = Decimal("0.00000001")
# 80 digits hold the product of two ledger amounts exactly, so that only `quantize` rounds it.
_CEILING = Context(prec=80, rounding=ROUND_CEILING)
_DOWN = Context(prec=80, rounding=ROUND_DOWN)


_PRICE_PLACES = 8
_PRICE_DIGITS = 5


@lru_cache(maxsize=1024)  # every order of a coin between two readings asks for the same
def price_for(*, market_price: Decimal, spread_rate: Decimal, taker_rate: Decimal) -> Decimal:
    """Return the price at which a coin is sold that costs `market_price`: with the venue's commission and the spread.

    In US dollars a coin, rounded up to 8 decimal places; a small price to as many as show 5 digits of it.
    """
    with_spread = _CEILING.multiply(market_price, 1 + spread_rate)
    price = _CEILING.divide(with_spread, 1 - taker_rate)
    places = max(_PRICE_PLACES, _PRICE_DIGITS - 1 - price.adjusted())
    return price.quantize(Decimal(1).scaleb(-places), context=_CEILING)


def subtotal_for(*, amount: Decimal, price: Decimal) -> Decimal:
    """Return what `amount` coins cost without the fee, in US dollars, rounded up to the cent."""
    return _CEILING.multiply(amount, price).quantize(_CENT, context=_CEILING)


def proceeds_of(*, amount: Decimal, bid: Decimal) -> Decimal:
    """Return what `amount` coins of a customer bring at the bid, in US dollars, rounded down to the cent."""
    return _DOWN.multiply(amount, bid).quantize(_CENT, context=_DOWN)


def fee_for(*, subtotal: Decimal, rate: Decimal, minimum: Decimal, maximum: Decimal | None) -> Decimal:
    """Return the fee in US dollars: a share of the subtotal, rounded up to the cent, within its limits."""
    fee = max(_CEILING.multiply(subtotal, rate).quantize(_CENT, context=_CEILING), minimum.quantize(_CENT))
    return fee if maximum is None else min(fee, maximum.quantize(_CENT))


def subtotal_within(*, total: Decimal, rate: Decimal, minimum: Decimal, maximum: Decimal | None) -> Decimal:
    """Return the largest subtotal that is not more than `total` US dollars together with its fee; at least 0.

    Whole cents, so rounded down: as `total` and the subtotal are whole cents, so is the room for the fee, and a share
    that fits into it still fits when it is rounded up.
    """
    with_share = _DOWN.divide(total, 1 + rate).quantize(_CENT, context=_DOWN)
    most = min(with_share, total - minimum)
    if maximum is not None:
        most = max(most, total - maximum)
    return max(most, Decimal(0)).quantize(_CENT, context=_DOWN)


def amount_for(*, total: Decimal, price: Decimal, step: Decimal) -> Decimal:
    """Return the coins that `total` US dollars buy, rounded down to the coin's step.

    The subtotal of these coins (`subtotal_for`) is never above `total`, which is whole cents.
    """
    steps = _DOWN.divide_int(_DOWN.divide(total, price), step)
    return _DOWN.multiply(steps, step).quantize(_SMALLEST, context=_DOWN)


def coins_of_fill(coins: Decimal) -> Decimal:
    """Return the coins that a venue says it has sold, rounded down to 8 decimal places."""
    return coins.quantize(_SMALLEST, context=_DOWN)


def cost_of_fill(cost: Decimal) -> Decimal:
    """Return what a venue says it has taken, dollars or coins, rounded up to 8 decimal places."""
    return cost.quantize(_SMALLEST, context=_CEILING)


def rebate_for(*, subtotal: Decimal, cost: Decimal, spread_rate: Decimal) -> Decimal:
    """Return what a purchase saved beyond the spread, in US dollars, rounded down to the cent; at least 0.

    `cost` is what the coins cost the house, with the venue's commission: a market price divided by 1 - taker rate.
    """
    saved = _DOWN.subtract(subtotal, _CEILING.multiply(cost, 1 + spread_rate))
    return max(saved, Decimal(0)).quantize(_CENT, context=_DOWN)


def value_of(*, amount: Decimal, price: Decimal) -> Decimal:
    """Return what coins are worth at a price, in US dollars, rounded down to the cent so as never to state too much."""
    return _DOWN.multiply(amount, price).quantize(_CENT, context=_DOWN)


@lru_cache(maxsize=1024)
def smallest_amount(*, minimum: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of the step that is not below the minimum."""
    return _on_step(minimum, step, _CEILING)


@lru_cache(maxsize=1024)
def largest_amount(*, maximum: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of the step that is not above the maximum."""
    return _on_step(maximum, step, _DOWN)


def _on_step(amount: Decimal, step: Decimal, context: Context) -> Decimal:
    if step <= 0:  # the database refuses it, but the admin shows a coin with it beside the error
        return amount
    steps = context.divide(amount, step).to_integral_value(context=context)
    return context.multiply(steps, step).quantize(_SMALLEST, context=context)
