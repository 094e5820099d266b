"""The rules of pools: which orders join a pool, and when a pool is bought."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


def joins_pool(*, subtotal: Decimal, threshold: Decimal) -> bool:
    """Say whether an order joins its coin's pool: its `subtotal` (US dollars) is below the threshold."""
    return subtotal < threshold


def reaches_threshold(*, total: Decimal, threshold: Decimal) -> bool:
    """Say whether a pool of `total` US dollars is full."""
    return total >= threshold


def in_cents(amount: Decimal) -> int:
    """Return a dollar amount in whole cents, because the pools' counters are integers."""
    return int(amount.scaleb(2))


def from_cents(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


@dataclass(frozen=True, kw_only=True)
class WaitingOrders:
    """The waiting orders of one coin, according to Postgres."""

    has_large: bool
    pool_total: Decimal
    pool_settle_by: datetime | None

    def pool_is_full(self, *, threshold: Decimal) -> bool:
        return reaches_threshold(total=self.pool_total, threshold=threshold)

    def pool_is_overdue(self, *, now: datetime) -> bool:
        """Say whether the pool's time is up. The earliest `settle_by` of its orders counts for the whole pool."""
        return self.pool_settle_by is not None and self.pool_settle_by <= now
