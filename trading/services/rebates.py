"""Gives customers back what the purchase of their coins saved beyond the house's spread.

A market may have fallen while an order waited for its purchase. The saving is reckoned from what the coins cost that
the order's batch has bought, or from the average cost of the coins delivered if that is more. Both contain the venue's
commission. So coins from inventory that cost more save nothing, and coins that were bought cheaply before give away
nothing that the house has gained.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal
from typing import Any, Final

from django.conf import settings

from trading.rounding import rebate_for
from wallets.runtime import sql
from wallets.services.ledger.crediting import OrderCredit, improve_prices

LEAST_FALL: Final = Decimal("0.02")
"""Nothing is given back unless the market price at placing was above that of the purchase by more than this share."""

_UP: Final = Context(prec=80, rounding=ROUND_CEILING)
_DOWN: Final = Context(prec=80, rounding=ROUND_DOWN)


def give_rebates(*, rows: Sequence[Sequence[Any]], cost: Decimal, amount: Decimal, now: datetime) -> Decimal:
    """Credit the rebates of orders that are being completed with coins that cost `cost` dollars. Return their sum.

    `cost` is the larger one of the cost at the purchases' price and of the average cost in inventory.

    `rows` are those of `complete.sql`: id, customer, coins, subtotal, fee, age, market price, spread. Costs no
    statement if there is no rebate. The caller holds the lock on the coin's inventory, for which all wait who lock
    these customers' wallets before these orders; a cancel skips orders that are locked.
    """
    if cost <= 0:
        return Decimal(0)
    credits_ = [credit for row in rows if (credit := _rebate_of(row, cost=cost, amount=amount)).amount]
    if not credits_:
        return Decimal(0)
    changed = sql.execute(
        "trading.set_rebates",
        orders=[credit.order_id for credit in credits_],
        rebates=[credit.amount for credit in credits_],
    )
    assert changed == len(credits_), "the orders were completed just now"
    improve_prices(credits_=credits_, now=now)
    return sum((credit.amount for credit in credits_), Decimal(0))


def _rebate_of(row: Sequence[Any], *, cost: Decimal, amount: Decimal) -> OrderCredit:
    order_id, customer_id, coins, subtotal, _, _, market_price, spread_rate, *_ = row
    rebate = Decimal(0)
    if market_price is not None and _has_fallen(market_price, cost=cost, amount=amount):
        its_cost = _UP.divide(_UP.multiply(cost, coins), amount)
        rebate = rebate_for(subtotal=subtotal, cost=its_cost, spread_rate=spread_rate)
    return OrderCredit(order_id=order_id, customer_id=customer_id, amount=rebate)


def _has_fallen(market_price: Decimal, *, cost: Decimal, amount: Decimal) -> bool:
    """Say whether the purchase's own price, without commission, was lower than the market price by more than 2 %."""
    bought_at = _UP.divide(_UP.multiply(cost, 1 - settings.VENUE.taker_rate), amount)
    return market_price > _DOWN.multiply(bought_at, 1 + LEAST_FALL)
