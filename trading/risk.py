"""A first line against fraud: staff review a customer who orders, cancels or spends too much within a window.

The order is charged and `held`: it has no job and no place in a pool, and its customer cannot cancel it.
Staff release or refund it (trading.services.reviewing). A cancel is a free option against the house, so
cancels count too.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from trading.models import RiskRule


@dataclass(frozen=True, kw_only=True)
class RecentOrders:
    """A customer's orders within the window: how many, how many cancelled, and the sum of the charges (US dollars)."""

    count: int
    cancels: int
    charge: Decimal


@dataclass(frozen=True, kw_only=True)
class Breach:
    """The rule that an order breaks, and in words by how much: for staff, not for the customer."""

    rule: RiskRule
    grounds: str


def find_breach(*, recent: RecentOrders, charge: Decimal) -> Breach | None:
    """Return the first rule that one more order of `charge` US dollars would break, if any."""
    window = f"in {settings.RISK.window}"
    total = recent.charge + charge
    if recent.count >= settings.RISK.max_orders:
        return Breach(rule=RiskRule.ORDERS, grounds=f"more than {settings.RISK.max_orders} orders {window}")
    if recent.cancels > settings.RISK.max_cancels:
        return Breach(rule=RiskRule.CANCELS, grounds=f"{recent.cancels} cancels {window}")
    if total > settings.RISK.max_value:
        return Breach(rule=RiskRule.VALUE, grounds=f"{total:.2f} USD {window}")
    return None
