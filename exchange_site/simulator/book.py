"""The venue's book in SQLite: what was accepted is on disk before anybody hears of it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

from exchange_site.simulator.errors import (
    DUPLICATE_ORDER,
    INSUFFICIENT_BALANCE,
    NO_SUCH_ORDER,
    UNKNOWN_ORDER_SENT,
    UNKNOWN_SYMBOL,
    VenueError,
)
from exchange_site.simulator.markets import QUOTE_ASSET, Filters, default_filters, seeded_prices

_EIGHT = Decimal("0.00000001")
_AMPLE = Decimal(1_000_000_000)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS market (
    symbol TEXT PRIMARY KEY, price TEXT NOT NULL,
    tick TEXT NOT NULL, step TEXT NOT NULL, minimum TEXT NOT NULL, maximum TEXT NOT NULL, notional TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balance (asset TEXT PRIMARY KEY, free TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS venue_order (
    id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
    type TEXT NOT NULL, time_in_force TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    executed TEXT NOT NULL, quote TEXT NOT NULL, status TEXT NOT NULL, time INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS client_ids_of_open_orders ON venue_order (client_id) WHERE status = 'NEW';
CREATE INDEX IF NOT EXISTS orders_by_client_id ON venue_order (client_id);
CREATE TABLE IF NOT EXISTS trade (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES venue_order, price TEXT NOT NULL,
    quantity TEXT NOT NULL, quote TEXT NOT NULL, commission TEXT NOT NULL, commission_asset TEXT NOT NULL,
    time INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS trades_of_order ON trade (order_id);
"""


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """What a client wants: price None for a market order."""

    client_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    price: Decimal | None
    quantity: Decimal


class Book:
    """Orders, trades, balances, prices and filters of the venue."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        with self._transaction():
            if not self._db.execute("SELECT 1 FROM market").fetchone():
                self.set_prices(seeded_prices())
                self.set_balances({QUOTE_ASSET: _AMPLE})

    def close(self) -> None:
        self._db.close()

    def place(self, order: NewOrder, *, fraction: Decimal = Decimal(1)) -> dict[str, Any]:
        """Match an order and write it down; at most `fraction` of it is filled. Returns it with its trades."""
        with self._transaction():
            price = self.price(order.symbol)
            self.filters(order.symbol).check(quantity=order.quantity, price=order.price or price)
            crosses = order.price is None or (order.price >= price if order.side == "BUY" else order.price <= price)
            step = self.filters(order.symbol).step
            filled = _down(order.quantity * fraction, step) if crosses else Decimal(0)
            self._ensure_funds(order, at=order.price or price)
            order_id = self._insert(order)
            if filled:
                self._fill(order_id, quantity=filled, price=price)
            self._finish(order_id, rests=order.time_in_force == "GTC" and order.type == "LIMIT")
            return self.get(order_id)

    def get(self, order_id: int) -> dict[str, Any]:
        """An order with its trades. Raises VenueError for one that is not there."""
        row = self._db.execute("SELECT * FROM venue_order WHERE id = ?", [order_id]).fetchone()
        if row is None:
            raise VenueError(*NO_SUCH_ORDER)
        return {**dict(row), "trades": self.trades(order_id=order_id)}

    def find(self, *, symbol: str, client_id: str) -> dict[str, Any]:
        """The newest order under a client order id, which is unique among open orders only."""
        row = self._db.execute(
            "SELECT id FROM venue_order WHERE symbol = ? AND client_id = ? ORDER BY id DESC",
            [symbol, client_id],
        ).fetchone()
        if row is None:
            raise VenueError(*NO_SUCH_ORDER)
        return self.get(row["id"])

    def cancel(self, order_id: int) -> dict[str, Any]:
        """Cancel an open order."""
        with self._transaction():
            if self.get(order_id)["status"] != "NEW":
                raise VenueError(*UNKNOWN_ORDER_SENT)
            self._db.execute("UPDATE venue_order SET status = 'CANCELED' WHERE id = ?", [order_id])
            return self.get(order_id)

    def orders(self, *, symbol: str | None = None, only_open: bool = False) -> list[dict[str, Any]]:
        """Orders, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM venue_order WHERE (? IS NULL OR symbol = ?) AND (NOT ? OR status = 'NEW') ORDER BY id",
            [symbol, symbol, only_open],
        )
        return [dict(row) for row in rows]

    def trades(self, *, order_id: int | None = None, symbol: str | None = None) -> list[dict[str, Any]]:
        """Trades, oldest first."""
        rows = self._db.execute(
            """
            SELECT trade.*, venue_order.symbol, venue_order.side FROM trade
              JOIN venue_order ON venue_order.id = trade.order_id
             WHERE (? IS NULL OR order_id = ?) AND (? IS NULL OR symbol = ?) ORDER BY trade.id
            """,
            [order_id, order_id, symbol, symbol],
        )
        return [dict(row) for row in rows]

    def price(self, symbol: str) -> Decimal:
        return Decimal(self._market(symbol)["price"])

    def prices(self) -> dict[str, Decimal]:
        return {
            row["symbol"]: Decimal(row["price"]) for row in self._db.execute("SELECT * FROM market ORDER BY symbol")
        }

    def filters(self, symbol: str) -> Filters:
        row = self._market(symbol)
        return Filters(**{name: Decimal(row[name]) for name in Filters.__dataclass_fields__})

    def set_prices(self, prices: dict[str, Decimal]) -> None:
        """Set prices; unknown symbols are listed. Open orders that now cross are filled."""
        for symbol, price in prices.items():
            if not self._db.execute("SELECT 1 FROM market WHERE symbol = ?", [symbol]).fetchone():
                self._list(symbol, price)
            self._db.execute("UPDATE market SET price = ? WHERE symbol = ?", [f"{price:f}", symbol])
            self._fill_crossed(symbol, price)

    def set_filters(self, symbol: str, changes: dict[str, Decimal]) -> None:
        """Change some of a symbol's filters."""
        self._market(symbol)
        for name, value in changes.items():
            assert name in Filters.__dataclass_fields__, "the caller has checked the names"
            self._db.execute(f"UPDATE market SET {name} = ? WHERE symbol = ?", [f"{value:f}", symbol])  # noqa: S608  a field of Filters

    def balances(self) -> dict[str, Decimal]:
        return {row["asset"]: Decimal(row["free"]) for row in self._db.execute("SELECT * FROM balance ORDER BY asset")}

    def set_balances(self, balances: dict[str, Decimal]) -> None:
        for asset, free in balances.items():
            self._db.execute("INSERT OR REPLACE INTO balance VALUES (?, ?)", [asset, f"{free:f}"])

    def commission(self) -> tuple[Decimal, str | None]:
        """The rate, and the asset it is taken in; None for the asset that is received."""
        rows = {row["name"]: row["value"] for row in self._db.execute("SELECT * FROM setting")}
        return Decimal(rows.get("commission_rate", "0.001")), rows.get("commission_asset") or None

    def set_commission(self, *, rate: Decimal | None = None, asset: str | None = None) -> None:
        """Change the rate or the asset; an empty asset stands for the one that is received."""
        for name, value in (("commission_rate", rate), ("commission_asset", asset)):
            if value is not None:
                self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", [name, str(value)])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _market(self, symbol: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM market WHERE symbol = ?", [symbol]).fetchone()
        if row is None:
            raise VenueError(*UNKNOWN_SYMBOL)
        return row

    def _list(self, symbol: str, price: Decimal) -> None:
        filters = default_filters(price=price)
        values = [
            symbol,
            f"{price:f}",
            *(f"{getattr(filters, name):f}" for name in Filters.__dataclass_fields__),
        ]
        self._db.execute(
            "INSERT INTO market (symbol, price, tick, step, minimum, maximum, notional) VALUES (?,?,?,?,?,?,?)",
            values,
        )

    def _ensure_funds(self, order: NewOrder, *, at: Decimal) -> None:
        asset, needed = (
            (QUOTE_ASSET, order.quantity * at) if order.side == "BUY" else (_base(order.symbol), order.quantity)
        )
        if self.balances().get(asset, Decimal(0)) < needed:
            raise VenueError(*INSUFFICIENT_BALANCE)

    def _insert(self, order: NewOrder) -> int:
        try:
            cursor = self._db.execute(
                "INSERT INTO venue_order (client_id, symbol, side, type, time_in_force, price, quantity, executed,"
                " quote, status, time) VALUES (?, ?, ?, ?, ?, ?, ?, '0', '0', 'NEW', ?)",
                [
                    order.client_id,
                    order.symbol,
                    order.side,
                    order.type,
                    order.time_in_force,
                    f"{order.price or 0:f}",
                    f"{order.quantity:f}",
                    now_milliseconds(),
                ],
            )
        except sqlite3.IntegrityError as error:
            raise VenueError(*DUPLICATE_ORDER) from error
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _fill(self, order_id: int, *, quantity: Decimal, price: Decimal) -> None:
        row = self._db.execute("SELECT * FROM venue_order WHERE id = ?", [order_id]).fetchone()
        quote, base = (quantity * price).quantize(_EIGHT), _base(row["symbol"])
        received, amount = (base, quantity) if row["side"] == "BUY" else (QUOTE_ASSET, quote)
        rate, asset = self.commission()
        taken_in = asset or received
        commission = (amount * rate if taken_in == received else quote * rate).quantize(_EIGHT, rounding=ROUND_DOWN)
        sign = 1 if row["side"] == "BUY" else -1
        self._change(base, sign * quantity)
        self._change(QUOTE_ASSET, -sign * quote)
        self._change(taken_in, -commission)
        self._db.execute(
            "INSERT INTO trade (order_id, price, quantity, quote, commission, commission_asset, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                order_id,
                f"{price:f}",
                f"{quantity:f}",
                f"{quote:f}",
                f"{commission:f}",
                taken_in,
                now_milliseconds(),
            ],
        )
        self._db.execute(
            "UPDATE venue_order SET executed = ?, quote = ? WHERE id = ?",
            [f"{Decimal(row['executed']) + quantity:f}", f"{Decimal(row['quote']) + quote:f}", order_id],
        )

    def _finish(self, order_id: int, *, rests: bool) -> None:
        row = self._db.execute("SELECT * FROM venue_order WHERE id = ?", [order_id]).fetchone()
        unfinished = "NEW" if rests else "EXPIRED"
        status = "FILLED" if Decimal(row["executed"]) == Decimal(row["quantity"]) else unfinished
        self._db.execute("UPDATE venue_order SET status = ? WHERE id = ?", [status, order_id])

    def _fill_crossed(self, symbol: str, price: Decimal) -> None:
        for row in self.orders(symbol=symbol, only_open=True):
            limit = Decimal(row["price"])
            if limit >= price if row["side"] == "BUY" else limit <= price:
                self._fill(row["id"], quantity=Decimal(row["quantity"]) - Decimal(row["executed"]), price=price)
                self._finish(row["id"], rests=True)

    def _change(self, asset: str, change: Decimal) -> None:
        self.set_balances({asset: self.balances().get(asset, Decimal(0)) + change})


def now_milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _base(symbol: str) -> str:
    return symbol.removesuffix(QUOTE_ASSET)


def _down(value: Decimal, step: Decimal) -> Decimal:
    return value // step * step
