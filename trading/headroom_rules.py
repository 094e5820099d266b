"""When sales stop until purchases have caught up with them. Amounts are US dollars of subtotals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from django.conf import settings

from trading.exceptions import SalesStopped
from wallets.runtime.allowances import Outcome

NEAR: Final = Decimal("0.20")
"""The share of the whole that is left when staff are told."""

CUSTOMER_SHARE: Final = Decimal("0.20")
"""The share of a coin's limit that one customer may use."""

_RETRY_AFTER_SECONDS: Final = 5

_TIMES_OLDER_WITH_COUNTER: Final = 5
"""How many times FLOAT_MAX_AGE_SECONDS old a count may be while the counter works."""


@dataclass(frozen=True, kw_only=True)
class LastCount:
    """The last count of a coin in Postgres: what might still be sold (None: anything), and the coin's limit, if any."""

    room: Decimal | None
    most: Decimal | None
    counted_at: datetime

    def largest_order(self) -> Decimal | None:
        """Return the most dollars that an order may have by this count; None for any."""
        bounds = [bound for bound in (self.room, self.of_customer()) if bound is not None]
        return min(bounds, default=None)

    def of_customer(self) -> Decimal | None:
        """Return the most dollars that one customer's unsettled orders of the coin may have; None for any."""
        return None if self.most is None else self.most * CUSTOMER_SHARE

    def is_old(self, *, taking: Outcome, now: datetime) -> bool:
        """Say whether the count is too old to be relied on; while the counter works it may be older."""
        times = 1 if taking is Outcome.UNKNOWN else _TIMES_OLDER_WITH_COUNTER
        return abs(now - self.counted_at) > settings.SETTLEMENT.float_max_age * times


class Shortage(Enum):
    """Why an order finds no room: the metric's words."""

    COUNT = "count"  # it is more than there was by the last count
    AGE = "age"  # the last count is old: the order has to count anew, and finds too little
    CUSTOMER = "customer"  # it is more than the customer's share
    COUNTER = "counter"  # the last count has room, but the counter in Redis has not


def find_shortage(
    *, last: LastCount | None, unsettled: Decimal, taking: Outcome, subtotal: Decimal, now: datetime
) -> Shortage | None:
    """Return why an order of `subtotal` is more than may still be sold; None if it is not.

    `unsettled` are the subtotals of the customer's orders of the coin that are neither settled nor held; they matter if
    the coin has a limit. `taking` is what became of its dollars at the counter. The counter can only refuse: Postgres'
    last count holds whatever the counter says. AGE, which comes last, means that a count that is old and has a bound is
    not enough: without the counter nothing is known of the orders since, and one that still works after long may be
    forged.
    """
    room = None if last is None else last.room
    share = None if last is None else last.of_customer()
    if room is not None and subtotal > room:
        return Shortage.COUNT
    if share is not None and unsettled + subtotal > share:
        return Shortage.CUSTOMER
    if taking is Outcome.SHORT:
        return Shortage.COUNTER
    if last is not None and room is not None and last.is_old(taking=taking, now=now):
        return Shortage.AGE
    return None


def sales_stopped() -> SalesStopped:
    """Return the refusal of an order for which there is no room: the next count may have some."""
    return SalesStopped(retry_after_seconds=_RETRY_AFTER_SECONDS)
