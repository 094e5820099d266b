"""Risk rules, a first defence against fraud: limits on a customer's orders, cancels and dollars within a window.

An order that breaks a rule is charged and `held`: it has no job, joins no pool, and its customer cannot cancel it.
Staff release or refund the order (trading.services.reviewing). Cancels count too, because a cancel is a free option
against the house.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings

from trading.models import RiskRule


@dataclass(frozen=True, kw_only=True)
class RecentOrders:
    """A customer's orders within the window: their number, the number cancelled, and the charges not refunded (USD)."""

    count: int
    cancels: int
    charge: Decimal


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A risk rule that an order breaks, and the grounds in words: for staff, not for the customer."""

    rule: RiskRule
    grounds: str


def find_breach(*, recent: RecentOrders, charge: Decimal) -> Breach | None:
    """Return the breach of the first rule that one more order of `charge` US dollars would break, if any."""
    window = f"in {settings.RISK.window / timedelta(minutes=1):g} minutes"
    total = recent.charge + charge
    if recent.count >= settings.RISK.max_orders:
        return Breach(rule=RiskRule.ORDERS, grounds=f"more than {settings.RISK.max_orders} orders {window}")
    if recent.cancels > settings.RISK.max_cancels:
        return Breach(rule=RiskRule.CANCELS, grounds=f"{recent.cancels} cancels {window}")
    if total > settings.RISK.max_value:
        return Breach(rule=RiskRule.VALUE, grounds=f"{total:.2f} USD {window}")
    return None
