"""Risk rules, a first defence against fraud: limits on a customer's orders, cancels and dollars within a window.

A coin may have a limit of its own for each single order (RISK_MAX_VALUE_OF_COINS), such as one that is new or thin.

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


def find_breach(*, recent: RecentOrders, charge: Decimal, coin_name: str) -> Breach | None:
    """Return the breach of the first rule that one more order of `charge` US dollars would break, if any."""
    rules, total = settings.RISK, recent.charge + charge
    most = rules.max_value_of_coins.get(coin_name)
    if most is not None and charge > most:
        return Breach(rule=RiskRule.VALUE, grounds=f"{charge:.2f} USD of {coin_name}, of which {most:.2f} are usual")
    if recent.count >= rules.max_orders:
        return _breach(RiskRule.ORDERS, f"more than {rules.max_orders} orders")
    if recent.cancels > rules.max_cancels:
        return _breach(RiskRule.CANCELS, f"{recent.cancels} cancels")
    if total > rules.max_value:
        return _breach(RiskRule.VALUE, f"{total:.2f} USD")
    return None


def _breach(rule: RiskRule, what: str) -> Breach:
    return Breach(rule=rule, grounds=f"{what} in {settings.RISK.window / timedelta(minutes=1):g} minutes")
