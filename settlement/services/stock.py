"""Stock: the coins in inventory that no batch has reserved, when a batch may have them, and what its own have cost.

A coin from stock is treated like one that has to be bought: a market price is bound by an ask that nobody could know
when the order was placed. Otherwise whoever is quick would get the stock at the price of before a jump.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal
from typing import Final

from django.conf import settings
from django.db.models import Subquery, Sum

from settlement.exceptions import AskBeyondPriceBound
from settlement.models import NOT_CLOSED, Batch
from settlement.selectors.batches import Bought, list_purchases, sum_purchases
from settlement.told import digits
from trading.models import Coin
from trading.selectors.prices import last_price_of, newest_ask_of
from trading.selectors.settling import has_fixed_prices, is_beyond_bounds, newest_order_at
from trading.services.settling import SettledOrders, sum_completed_orders, sum_open_orders
from wallets.models import Wallet, WalletRole

logger = logging.getLogger(__name__)

_CENT: Final = Decimal("0.01")
_NOTHING: Final = Decimal(0)
_UP: Final = Context(prec=80, rounding=ROUND_CEILING)


def price_of_coins(*, batch_id: int) -> Decimal | None:
    """Return what a coin has cost on average that the batch bought and still holds, with commission (US dollars).

    If it has delivered all of them, the price is that of its newest purchase; None if it has bought nothing. One
    query, or two if it has bought something.
    """
    if not (purchases := list_purchases(batch_id=batch_id)):
        return None
    return _price_of_rest(purchases, delivered=sum_completed_orders(batch_id=batch_id).amount)


def _price_of_rest(purchases: Iterable[Bought], *, delivered: Decimal) -> Decimal | None:
    """Return the average price of the coins that are left when the first ones are delivered, else the newest price."""
    cost = held = _NOTHING
    newest: Decimal | None = None
    for bought in purchases:
        if not bought.received:  # all coins went into the commission
            cost = _UP.add(cost, bought.cost)
            continue
        newest = _UP.divide(bought.cost, bought.received)
        left = max(bought.received - delivered, _NOTHING)
        delivered -= bought.received - left
        cost, held = _UP.add(cost, _UP.multiply(newest, left)), held + left
    return _UP.divide(cost, held) if held else newest


def needs_no_ask(*, batch: Batch, needed: Decimal) -> bool:
    """Say whether the batch's reserve covers the `needed` coins of its open orders, and may be delivered at any ask.

    It may if the batch has bought these coins itself, but for a share of MAX_LOSS_OF_AN_ORDER: even if the market
    doubles, the rest costs no more than an order may lose. It also may if no order has a price of the market.
    """
    if needed > batch.reserved:
        return False
    return newest_order_at(batch_id=batch.pk) is None or _has_bought(batch, needed=needed)


def may_deliver_now(*, batch: Batch, needed: Decimal, now: datetime) -> bool:
    """Say whether the reserve covers the `needed` coins of the open orders, and nothing speaks against a delivery.

    Without `needs_no_ask`, the ask has to be new, read after the newest of the orders was placed, and within their
    bounds. Else it is read at the venue, as before a purchase.
    """
    if needed > batch.reserved:
        return False
    newest = newest_order_at(batch_id=batch.pk)
    if newest is None or _has_bought(batch, needed=needed):
        return True
    ask = newest_ask_of(coin=batch.coin, now=now, after=newest)
    return ask is not None and not is_beyond_bounds(batch_id=batch.pk, ask=ask)


def ensure_within_bounds(*, batch: Batch, ask: Decimal) -> None:
    """Raise AskBeyondPriceBound if an open order of the batch would lose more than it may at the ask."""
    if is_beyond_bounds(batch_id=batch.pk, ask=ask):
        raise AskBeyondPriceBound(f"an ask of {digits(ask)} is above the price bound of coins from inventory")


def _has_bought(batch: Batch, *, needed: Decimal) -> bool:
    bought = sum_purchases(batch_id=batch.pk).received
    if not bought:
        return False
    held = bought - sum_completed_orders(batch_id=batch.pk).amount
    return held >= needed * (1 - settings.SETTLEMENT.max_loss_of_an_order)


def worth_of_stock(*, coin: Coin) -> Decimal:
    """Return what the coins in inventory that no batch has reserved are worth at the coin's price, in US dollars.

    Nothing, if a fixed price is too low for them. The caller holds the lock on the coin's inventory.
    """
    stock = _unreserved_stock(coin)
    price = last_price_of(coin=coin) or Decimal(0)
    if stock.coins <= 0 or (coin.fixed_price is not None and not stock.is_paid_by(subtotal=price, amount=Decimal(1))):
        return Decimal(0)
    return (stock.coins * price).quantize(_CENT, ROUND_DOWN)


@dataclass(frozen=True, kw_only=True)
class _Stock:
    """Coins that no batch has reserved, and what all `balance` coins in inventory cost (US dollars, None: unknown)."""

    coins: Decimal
    balance: Decimal
    cost: Decimal | None

    def is_paid_by(self, *, subtotal: Decimal, amount: Decimal) -> bool:
        """Say whether `subtotal` US dollars for `amount` coins are their average cost, less MAX_LOSS of it, or more."""
        if self.cost is None:
            return False
        return subtotal * self.balance >= self.cost * amount * (1 - settings.SETTLEMENT.max_loss)


def usable_stock(*, batch: Batch, still_open: SettledOrders | None = None) -> Decimal:
    """Return the coins in inventory that no batch has reserved and that the batch's orders may have; at least 0.

    A market price is bounded by the market. A fixed price is one that somebody has typed: below the stock's cost,
    its orders are bought, because a purchase is compared with the venue's ask.
    """
    stock = _unreserved_stock(batch.coin, without=batch)
    free = stock.coins - batch.reserved
    if free <= 0:
        return Decimal(0)
    still_open = still_open or sum_open_orders(batch_id=batch.pk)
    if stock.is_paid_by(subtotal=still_open.subtotal, amount=still_open.amount):
        return free
    if not has_fixed_prices(batch_id=batch.pk):
        return free
    logger.warning("%s is not delivered from inventory: its orders paid too little for coins of that cost", batch)
    return Decimal(0)


def _unreserved_stock(coin: Coin, *, without: Batch | None = None) -> _Stock:
    """Return the coins in inventory less what batches have reserved. The caller holds the lock on the inventory."""
    unsettled = Batch.objects.filter(coin=coin, state__in=NOT_CLOSED)
    if without is not None:
        unsettled = unsettled.exclude(pk=without.pk)
    reserved = Subquery(unsettled.order_by().values("coin").values(total=Sum("reserved")))
    inventory = Wallet.objects.filter(role=WalletRole.INVENTORY, asset=coin.name, owner=None)
    balance, cost, taken = inventory.values_list("balance", "cost", reserved).get()
    balance = balance or Decimal(0)
    return _Stock(coins=balance - (taken or Decimal(0)), balance=balance, cost=cost)
