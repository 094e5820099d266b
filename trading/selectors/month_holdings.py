"""Reads a customer's coins at a moment: the amounts, their cost and their value."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Sum

from trading.models import Order, OrderState, PriceChange
from trading.rounding import value_of
from wallets.selectors.months import sum_coins


@dataclass(frozen=True, kw_only=True)
class HoldingThen:
    """Coins held at a moment: what their completed orders had cost (US dollars), and the price that was known last.

    The price is the venue's ask without spread (US dollars a coin), with its source and the time since when it held;
    None if none is known from then. The value is rounded down.
    """

    crypto: str
    amount: Decimal
    cost: Decimal
    price: Decimal | None
    price_source: str | None
    price_at: datetime | None

    @property
    def value(self) -> Decimal | None:
        """US dollars at the price, or None without one."""
        return None if self.price is None else value_of(amount=self.amount, price=self.price)


def list_holdings_before(*, customer_id: int, before: datetime) -> list[HoldingThen]:
    """Return the customer's coins at a moment, ordered by name. Five queries, and one for each coin."""
    costs = _sum_costs_before(customer_id, before)
    return [
        _with_price(coin, amount, costs.get(coin, Decimal(0)), before)
        for coin, amount in sum_coins(customer_id=customer_id, before=before).items()
    ]


def _sum_costs_before(customer_id: int, before: datetime) -> dict[str, Decimal]:
    completed = Order.objects.filter(customer_id=customer_id, state=OrderState.COMPLETED, completed_at__lt=before)
    return dict(completed.values_list("coin__name").annotate(cost=Sum(F("charge") - F("rebate"))))


def _with_price(coin: str, amount: Decimal, cost: Decimal, before: datetime) -> HoldingThen:
    changes = PriceChange.objects.filter(coin__name=coin, read_at__lt=before).order_by("-read_at", "-pk")
    last = changes.first()
    return HoldingThen(
        crypto=coin,
        amount=amount,
        cost=cost,
        price=last.value if last else None,
        price_source=last.source if last else None,
        price_at=last.read_at if last else None,
    )
