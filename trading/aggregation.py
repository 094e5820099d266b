"""When an order is small, and when a pool of small orders is bought."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


def is_small(*, charge: Decimal, threshold: Decimal) -> bool:
    """A small order costs less than the threshold (US dollars) and joins its coin's pool."""
    return charge < threshold


def in_cents(amount: Decimal) -> int:
    """Whole cents of a dollar amount: the pool counters are integers."""
    return int(amount.scaleb(2))


def from_cents(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


@dataclass(frozen=True, kw_only=True)
class WaitingOrders:
    """What waits to be bought of one coin, according to Postgres."""

    has_large: bool
    pool_total: Decimal
    pool_settle_by: datetime | None

    def pool_is_full(self, *, threshold: Decimal) -> bool:
        return self.pool_total >= threshold

    def pool_is_overdue(self, *, now: datetime) -> bool:
        """The earliest `settle_by` decides for the whole pool."""
        return self.pool_settle_by is not None and self.pool_settle_by <= now
