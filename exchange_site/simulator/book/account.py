"""The client's account at the venue: balances, and the commission on its trades."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.book.schema import OPEN
from exchange_site.simulator.markets import QUOTE_ASSET, base_of
from exchange_site.simulator.numbers import text

DISCOUNT_ASSET: Final = "BNB"
"""The third asset that commission can be paid in ("Query Commission Rates", Binance)."""


@dataclass(frozen=True, kw_only=True)
class Commission:
    """What a trade pays: a rate, and the asset, None for the one that the trade buys.

    A third asset pays less by `discount` (0.25 is a quarter less), as BNB does at Binance.
    """

    rate: Decimal = Decimal("0.001")
    asset: str | None = None
    discount: Decimal = Decimal(0)

    def describe(self, *, suffix: str, with_sides: bool = False) -> dict[str, Any]:
        """Return the rates in the words of "Query Commission Rates", or with a suffix in those of "Test new order"."""
        sides = ("maker", "taker", "buyer", "seller") if with_sides else ("maker", "taker")
        standard = {side: text(self.rate if side in {"maker", "taker"} else "0") for side in sides}
        return {
            f"standardCommission{suffix}": standard,
            f"specialCommission{suffix}": dict.fromkeys(sides, text("0")),
            f"taxCommission{suffix}": dict.fromkeys(sides, text("0")),
            "discount": {
                "enabledForAccount": self.asset == DISCOUNT_ASSET,
                "enabledForSymbol": True,
                "discountAsset": DISCOUNT_ASSET,
                "discount": text(self.discount),
            },
        }


class Account:
    """Balances by asset. What is in open orders is locked: an order to buy locks dollars, one to sell locks coins."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def balances(self) -> dict[str, Decimal]:
        """Return the free balances by asset."""
        rows = self._db.execute("SELECT * FROM balance ORDER BY asset")
        held, locked = {row["asset"]: Decimal(row["free"]) for row in rows}, self.locked()
        return {asset: held.get(asset, Decimal(0)) - locked.get(asset, Decimal(0)) for asset in {**held, **locked}}

    def locked(self) -> dict[str, Decimal]:
        """Return what open orders lock, by asset."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for row in self._db.execute(f"SELECT * FROM venue_order WHERE {OPEN}"):  # noqa: S608  a constant
            left = Decimal(row["quantity"]) - Decimal(row["executed"])
            is_purchase = row["side"] == "BUY"
            asset = QUOTE_ASSET if is_purchase else base_of(row["symbol"])
            found[asset] += left * Decimal(row["price"]) if is_purchase else left
        return dict(found)

    def set_balances(self, balances: Mapping[str, Decimal]) -> None:
        """Set what is free of assets, beside what open orders lock."""
        locked = self.locked()
        for asset, free in balances.items():
            self._set(asset, free + locked.get(asset, Decimal(0)))

    def change(self, changes: Mapping[str, Decimal]) -> None:
        """Add to balances; a change may be negative."""
        for asset, change in changes.items():
            self._set(asset, self._held(asset) + change)

    def commission(self) -> tuple[Decimal, str | None]:
        """Return the rate, and the asset that pays the commission; None means the asset that a trade buys."""
        terms = self.terms()
        return terms.rate, terms.asset

    def terms(self) -> Commission:
        """Return the commission's rate, asset and discount."""
        rows = {row["name"]: row["value"] for row in self._db.execute("SELECT * FROM setting")}
        return Commission(
            rate=Decimal(rows.get("commission_rate", "0.001")),
            asset=rows.get("commission_asset") or None,
            discount=Decimal(rows.get("commission_discount", "0")),
        )

    def set_commission(
        self, *, rate: Decimal | None = None, asset: str | None = None, discount: Decimal | None = None
    ) -> None:
        """Change the commission's rate, asset or discount. An empty asset means the asset that a trade buys."""
        given = {"commission_rate": rate, "commission_asset": asset, "commission_discount": discount}
        for name, value in given.items():
            if value is not None:
                self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", [name, str(value)])

    def _held(self, asset: str) -> Decimal:
        row = self._db.execute("SELECT free FROM balance WHERE asset = ?", [asset]).fetchone()
        return Decimal(row["free"]) if row else Decimal(0)

    def _set(self, asset: str, held: Decimal) -> None:
        self._db.execute("INSERT OR REPLACE INTO balance VALUES (?, ?)", [asset, f"{held:f}"])
