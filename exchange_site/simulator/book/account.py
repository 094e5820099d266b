"""The client's account at the venue: balances, and the commission on its trades."""

import sqlite3
from decimal import Decimal


class Account:
    """Free balances by asset; nothing is ever locked."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def balances(self) -> dict[str, Decimal]:
        return {row["asset"]: Decimal(row["free"]) for row in self._db.execute("SELECT * FROM balance ORDER BY asset")}

    def set_balances(self, balances: dict[str, Decimal]) -> None:
        for asset, free in balances.items():
            self._db.execute("INSERT OR REPLACE INTO balance VALUES (?, ?)", [asset, f"{free:f}"])

    def change(self, asset: str, change: Decimal) -> None:
        """Add `change` to a balance; it may be negative."""
        self.set_balances({asset: self.balances().get(asset, Decimal(0)) + change})

    def commission(self) -> tuple[Decimal, str | None]:
        """Return the rate, and the asset that pays the commission; None means the asset that a trade buys."""
        rows = {row["name"]: row["value"] for row in self._db.execute("SELECT * FROM setting")}
        return Decimal(rows.get("commission_rate", "0.001")), rows.get("commission_asset") or None

    def set_commission(self, *, rate: Decimal | None = None, asset: str | None = None) -> None:
        """Change the commission's rate or asset. An empty asset means the asset that a trade buys."""
        for name, value in (("commission_rate", rate), ("commission_asset", asset)):
            if value is not None:
                self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", [name, str(value)])
