"""The fence around spending: what the next purchase of a batch may cost at most, and which ask is believed.

    cost so far + quantity * limit <= subtotals * (1 + MAX_LOSS) / (1 - taker rate) + TOP_UP_MAX

A venue's filters (its minimum quantity, its minimum notional, its step) may force a purchase that is larger than its
orders. The price limit is lowered until the purchase fits into its budget; only an ask above that limit stops it.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from settlement.exceptions import AskBeyondPriceBound, AskNotBelieved, TopUpTooDear
from settlement.sizing import SMALLEST_PRICE, to_step
from settlement.told import digits
from settlement.venues.protocol import NoAsk

_UP: Final = Context(prec=80, rounding=ROUND_CEILING)
_DOWN: Final = Context(prec=80, rounding=ROUND_FLOOR)
_PLACES: Final = Decimal("0.00000001")
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What the house adds to its orders' subtotals: a share for losses, and US dollars for a venue's filters."""

    max_loss: Decimal
    taker_rate: Decimal
    top_up: Decimal


def ensure_plausible(*, ask: Decimal, last_price: Decimal | None, deviation_limit: Decimal) -> None:
    """Raise AskNotBelieved if the ask is further from the last price than a share of that price, in either direction.

    `last_price` is the fixed price of a coin that has one. Without any price no ask is believed: that is NoAsk.
    """
    if last_price is None:
        raise NoAsk("the coin has no price to compare the ask with")
    if not ask.is_finite() or abs(_UP.subtract(ask, last_price)) > _DOWN.multiply(last_price, deviation_limit):
        raise AskNotBelieved(f"an ask of {digits(ask)} for a coin of {digits(last_price)} is not believed")


def cost_so_far(*, cost: Decimal, reserved: Decimal, completed: Decimal, received: Decimal, paid: Decimal) -> Decimal:
    """Return what a batch has cost until now, in US dollars.

    `cost` is that of its own purchases, which brought `received` coins. Coins that it has `reserved`, or has used to
    complete orders, and did not buy itself come from the house's surplus: they count at `paid`, the customers' price.
    """
    from_surplus = max(reserved + completed - received, _NOTHING)
    return _UP.add(cost, _UP.multiply(from_surplus, paid))


def budget_of(*, charge: Decimal, spent: Decimal, allowance: Allowance) -> Decimal:
    """Return what the next purchase may cost at most, in US dollars, rounded down to eight places; never below zero.

    `charge` is what all orders of the batch have paid for their coins, without fees; `spent` is what the batch has cost
    so far.
    """
    with_loss = _DOWN.multiply(charge, 1 + allowance.max_loss)
    most = _DOWN.add(_DOWN.divide(with_loss, 1 - allowance.taker_rate), allowance.top_up)
    return max(_DOWN.subtract(most, spent), _NOTHING).quantize(_PLACES, context=_DOWN)


def fit_limit(*, highest: Decimal, quantity: Decimal, budget: Decimal, tick: Decimal) -> Decimal:
    """Return the highest price limit, a multiple of `tick`, at which `quantity` coins fit into the budget.

    The limit is at most `highest`: the bounds of the orders, or a little above the ask.
    """
    most = min(highest, _DOWN.divide(budget, quantity))
    return to_step(most, tick, _DOWN).quantize(SMALLEST_PRICE, context=_DOWN)


def ensure_within_limit(*, ask: Decimal, limit: Decimal, highest: Decimal, quantity: Decimal) -> None:
    """Raise AskBeyondPriceBound or TopUpTooDear if the ask is above the limit, or if the limit is no price.

    TopUpTooDear if the ask is within `highest`: then the venue's filters have lowered the limit, not the market.
    """
    if limit > 0 and ask <= limit:
        return
    if highest > 0 and ask > highest:
        raise AskBeyondPriceBound(f"an ask of {digits(ask)} is above the price bound of {digits(highest)}")
    raise TopUpTooDear(f"{digits(quantity)} coins at {digits(ask)} cost more than their orders allow")
