"""The markets of the book: the price of each symbol as it was set, and the filters on its orders."""

import sqlite3
from decimal import Decimal

from exchange_site.simulator.errors import UNKNOWN_SYMBOL, VenueError
from exchange_site.simulator.markets import BASIC_FILTERS, TRADING, Filters, default_filters


class Listings:
    """The listed symbols. Reading or changing a symbol that is not listed raises VenueError."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def is_empty(self) -> bool:
        """Return True if the book lists no symbols, as when it is new."""
        return self._db.execute("SELECT 1 FROM market").fetchone() is None

    def symbols(self) -> list[str]:
        return [row["symbol"] for row in self._db.execute("SELECT symbol FROM market ORDER BY symbol")]

    def has(self, symbol: str) -> bool:
        """Return True if a symbol is listed."""
        return self._db.execute("SELECT 1 FROM market WHERE symbol = ?", [symbol]).fetchone() is not None

    def filters(self, symbol: str) -> Filters:
        row = self._read(symbol)
        more = self._db.execute("SELECT name, value FROM market_filter WHERE symbol = ?", [symbol])
        return Filters(
            **{name: Decimal(row[name]) for name in BASIC_FILTERS},
            **{change["name"]: Decimal(change["value"]) for change in more},
        )

    def status(self, symbol: str) -> str:
        """Return the market's state, TRADING unless it was changed."""
        row = self._db.execute("SELECT status FROM market_status WHERE symbol = ?", [symbol]).fetchone()
        return str(row["status"]) if row else TRADING

    def set_status(self, symbol: str, status: str) -> None:
        self._read(symbol)
        self._db.execute("INSERT OR REPLACE INTO market_status (symbol, status) VALUES (?, ?)", [symbol, status])

    def delist(self, symbol: str) -> None:
        """Take a symbol off the venue; its orders stay in the book."""
        self._read(symbol)
        for table in ("market", "market_filter", "market_status", "market_state"):
            self._db.execute(f"DELETE FROM {table} WHERE symbol = ?", [symbol])  # noqa: S608  one of the four names

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Set the price of a symbol, and list the symbol if it is new."""
        if not self.has(symbol):
            self._list(symbol, price)
        self._db.execute("UPDATE market SET price = ? WHERE symbol = ?", [f"{price:f}", symbol])

    def set_filters(self, symbol: str, changes: dict[str, Decimal]) -> None:
        """Change some of a symbol's filters."""
        self._read(symbol)
        for name, value in changes.items():
            assert name in Filters.__dataclass_fields__, "the caller has checked the names"
            if name in BASIC_FILTERS:
                self._db.execute(f"UPDATE market SET {name} = ? WHERE symbol = ?", [f"{value:f}", symbol])  # noqa: S608  a field of Filters
            else:
                row = [symbol, name, f"{value:f}"]
                self._db.execute("INSERT OR REPLACE INTO market_filter (symbol, name, value) VALUES (?, ?, ?)", row)

    def _read(self, symbol: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM market WHERE symbol = ?", [symbol]).fetchone()
        if row is None:
            raise VenueError(*UNKNOWN_SYMBOL)
        return row

    def _list(self, symbol: str, price: Decimal) -> None:
        filters = default_filters(price=price)
        values = [symbol, f"{price:f}", *(f"{getattr(filters, name):f}" for name in BASIC_FILTERS)]
        self._db.execute(
            "INSERT INTO market (symbol, price, tick, step, minimum, maximum, notional) VALUES (?,?,?,?,?,?,?)",
            values,
        )
