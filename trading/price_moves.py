"""Which orders may no longer be bought, because the market has moved too far against the house since they were placed.

A price is valid for PRICE_VALID_SECONDS. An older order is compared, by itself, with an ask: the coins that the order
needs, with the venue's commission, may cost as much as the order paid for them and MAX_LOSS_OF_AN_ORDER of that more.
Orders from before price rules, without a market price, are not compared.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Expression, F, Q
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThan


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """An ask (US dollars a coin) with which older orders are compared.

    `taker_rate` is the commission where the ask was read; None: at the first venue. `now` is the moment; None: the
    database's.
    """

    ask: Decimal
    taker_rate: Decimal | None = None
    now: datetime | None = None

    @property
    def most(self) -> Decimal:
        """What the coins of an order may cost at the ask, without commission, for each dollar of its subtotal."""
        taker_rate = settings.VENUE.taker_rate if self.taker_rate is None else self.taker_rate
        return (1 + settings.SETTLEMENT.max_loss_of_an_order) * (1 - taker_rate)

    @property
    def beyond(self) -> Q:
        """The condition that an order has a market price that is too low, however new it is."""
        costs: Expression = GreaterThan(F("amount") * self.ask, (F("charge") - F("fee")) * self.most)
        return Q(costs, market_price__isnull=False)

    @property
    def moved(self) -> Q:
        """The condition that an order's price is older than its validity and too low."""
        now: Any = Now() if self.now is None else self.now
        return self.beyond & Q(price_at__lt=now - settings.PRICES.valid_for)

    def in_sql(self) -> dict[str, Any]:
        """Return the comparison as the parameters of `claim.sql`."""
        assert self.now is not None, "claims say when they are"
        return {"ask": self.ask, "most_cost": self.most, "priced_before": self.now - settings.PRICES.valid_for}


def cannot_pay(*, price: Decimal) -> Q:
    """Return the condition that an order may not be bought at a price limit (US dollars a coin), however new it is.

    The limit of an order's purchase is at most its own price and MAX_LOSS_OF_AN_ORDER of that, without commission.
    """
    costs: Expression = GreaterThan(F("amount") * price, (F("charge") - F("fee")) * _most_at_a_limit())
    return Q(costs, market_price__isnull=False)


@dataclass(frozen=True, kw_only=True)
class AvailableCoins:
    """A number of coins for orders. With a limit `price` (US dollars a coin), only for orders that may be bought at it.

    So the coins of a purchase complete the orders for which it was sized, and not an older one that was left aside.
    """

    amount: Decimal
    price: Decimal | None = None

    def in_sql(self) -> dict[str, Any]:
        """Return the coins as the parameters of `complete.sql`."""
        return {"available": self.amount, "price": self.price, "most": _most_at_a_limit()}


def _most_at_a_limit() -> Decimal:
    """Return what the coins of an order may cost at the limit of its purchase, for each dollar of its subtotal."""
    most: Decimal = 1 + settings.SETTLEMENT.max_loss_of_an_order
    return most


NO_COMPARISON: dict[str, Any] = {"ask": None, "most_cost": None, "priced_before": None}
"""The parameters of `claim.sql` when no ask is known: then no order is compared."""
