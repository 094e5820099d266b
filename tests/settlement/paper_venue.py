"""A venue on paper: it has the orders and says the words that a test writes down, exactly and at once.

The simulator keeps a true book, so it cannot be asked to disagree with its own list, or to be silent about one coin.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from settlement.venues.protocol import Executed, ListedPurchase, OrderNotFound

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class PaperVenue:
    """`refusals` are raised for a coin's list, or for "balances". `calls` counts the questions by what they are about."""

    orders: list = field(default_factory=list)
    balances: dict = field(default_factory=dict)
    refusals: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    calls: Counter = field(default_factory=Counter)
    name = "binance"

    def have(self, client_order_id, *, coin="ABAN", number="1", quantity="5", cost="20", at=None, **changes):
        """Put an order on the list and in the book. `changes` are what a lookup says otherwise than the list."""
        listed = ListedPurchase(
            client_order_id=client_order_id,
            venue_order_id=number,
            status="closed",
            final=True,
            quantity=Decimal(quantity),
            cost=Decimal(cost),
        )
        self.orders.append((coin, at, listed))
        answer = executed(number, quantity=quantity, cost=cost, **changes)
        self.answers.setdefault(client_order_id, answer)
        self.answers[number] = answer
        return listed

    def read_balances(self):
        self._count("balances")
        return self.balances

    def list_purchases(self, *, coin, since):
        self._count(coin)
        return [listed for name, at, listed in self.orders if name == coin and (at is None or at >= since)]

    def look_up(self, *, coin, client_order_id):
        self._count(client_order_id)
        return self.answers.get(client_order_id, OrderNotFound())

    def look_up_listed(self, *, coin, client_order_id, venue_order_id):
        self._count(venue_order_id)
        return self.answers.get(venue_order_id, OrderNotFound())

    def _count(self, about):
        self.calls[about] += 1
        if about in self.refusals:
            raise self.refusals[about]


def executed(number="1", *, quantity="5", cost="20", **changes):
    """Return a final answer about an order that asked for as much as it bought, at 4.1 at most."""
    figures = {
        "venue_order_id": number,
        "status": "closed",
        "final": True,
        "quantity": Decimal(quantity),
        "cost": Decimal(cost),
        "commission": Decimal(0),
        "asked": Decimal(quantity),
        "limit_price": Decimal("4.1"),
        **changes,
    }
    return Executed(**figures)
