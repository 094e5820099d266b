"""Reads how the newest movements have changed the wallets of the ledger."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from wallets.runtime import sql

MOST: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class NewestMovements:
    """Changes of wallets in US dollars, by role, through the newest `count` movements."""

    count: int
    changes: dict[str, Decimal]

    @property
    def total(self) -> Decimal:
        """The sum over all roles: zero, if stored balances agree with movements."""
        return sum(self.changes.values(), Decimal(0))


def sum_newest_movements(*, most: int = MOST) -> NewestMovements:
    """Sum up the newest movements of US dollars, at most so many. One statement, whose cost `most` bounds."""
    rows = sql.fetch_all("wallets.newest_changes", most=most)
    return NewestMovements(
        count=rows[0][2] if rows else 0,
        changes={role: change for role, change, _ in rows},
    )
