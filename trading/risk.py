"""A first line against fraud: who orders, cancels or spends too much within a window is looked at by staff.

The order is charged and `held`: it has no job and no place in a pool, and its customer cannot cancel it.
Staff release or refund it (trading.services.reviews). A cancel is a free option against the house, so
cancels count too.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import connection

from trading.models import RiskRule

# Bounded: more orders than the limit are one rule's finding, however many more.
_RECENT: Final = """
SELECT count(*),
       count(*) FILTER (WHERE state = 'cancelled'),
       coalesce(sum(total_price) FILTER (WHERE state NOT IN ('cancelled', 'refunded')), 0),
       (SELECT id FROM trading_order WHERE customer_id = %(customer)s AND idempotency_key = %(key)s)
  FROM (SELECT state, total_price FROM trading_order
         WHERE customer_id = %(customer)s AND created_at > %(since)s
         ORDER BY created_at DESC, id DESC LIMIT %(most)s) recent
"""


@dataclass(frozen=True, kw_only=True)
class RecentOrders:
    """A customer's orders within the window: how many, how many of them cancelled, and US dollars spent.

    `same_key_id` is the order, of any age, that was placed with the idempotency key of this request.
    """

    count: int
    cancels: int
    value: Decimal
    same_key_id: int | None


@dataclass(frozen=True, kw_only=True)
class Breach:
    """The rule that an order breaks, and in words by how much: for staff, not for the customer."""

    rule: RiskRule
    finding: str


def read_recent_orders(*, customer_id: int, key: str | None, now: datetime) -> RecentOrders:
    """Read what the rules judge by. One statement; its cost is bounded by RISK_MAX_ORDERS.

    The caller holds the lock on the customer's wallet, so that orders placed at once see each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RECENT,
            {
                "customer": customer_id,
                "key": key,
                "since": now - settings.RISK_WINDOW,
                "most": settings.RISK_MAX_ORDERS + 1,
            },
        )
        count, cancels, value, same_key_id = cursor.fetchone()
    return RecentOrders(count=count, cancels=cancels, value=value, same_key_id=same_key_id)


def find_breach(*, recent: RecentOrders, charge: Decimal) -> Breach | None:
    """The first rule that one more order of `charge` US dollars would break, if any."""
    window = f"in {settings.RISK_WINDOW}"
    value = recent.value + charge
    if recent.count >= settings.RISK_MAX_ORDERS:
        return Breach(rule=RiskRule.ORDERS, finding=f"more than {settings.RISK_MAX_ORDERS} orders {window}")
    if recent.cancels > settings.RISK_MAX_CANCELS:
        return Breach(rule=RiskRule.CANCELS, finding=f"{recent.cancels} cancels {window}")
    if value > settings.RISK_MAX_VALUE:
        return Breach(rule=RiskRule.VALUE, finding=f"{value:.2f} USD {window}")
    return None
