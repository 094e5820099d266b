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
    """An ask (US dollars a coin) with which older orders are compared. `now` is the moment; None: the database's."""

    ask: Decimal
    now: datetime | None = None

    @property
    def most(self) -> Decimal:
        """What the coins of an order may cost at the ask, without commission, for each dollar of its subtotal."""
        return (1 + settings.SETTLEMENT.max_loss_of_an_order) * (1 - settings.VENUE.taker_rate)

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


NO_COMPARISON: dict[str, Any] = {"ask": None, "most_cost": None, "priced_before": None}
"""The parameters of `claim.sql` when no ask is known: then no order is compared."""
