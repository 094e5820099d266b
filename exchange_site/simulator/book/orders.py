"""The orders of the book and their trades: read, written down, filled and ended."""

import sqlite3
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange_site.simulator.errors import DUPLICATE_ORDER, NO_SUCH_ORDER, UNKNOWN_ORDER_SENT, VenueError


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """An order that a client asks for: price None for a market order."""

    client_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    price: Decimal | None
    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """A quantity that is executed at a price, its value in the quote asset, and the commission on it."""

    quantity: Decimal
    price: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str


class Orders:
    """Orders by id, and by client order id, which is unique among open orders only."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def get(self, order_id: int) -> dict[str, Any]:
        """An order with its trades. Raises VenueError for one that is not there."""
        row = self._db.execute("SELECT * FROM venue_order WHERE id = ?", [order_id]).fetchone()
        if row is None:
            raise VenueError(*NO_SUCH_ORDER)
        return {**dict(row), "trades": self.trades(order_id=order_id)}

    def find(self, *, symbol: str, client_id: str) -> dict[str, Any]:
        """The newest order under a client order id."""
        row = self._db.execute(
            "SELECT id FROM venue_order WHERE symbol = ? AND client_id = ? ORDER BY id DESC",
            [symbol, client_id],
        ).fetchone()
        if row is None:
            raise VenueError(*NO_SUCH_ORDER)
        return self.get(row["id"])

    def list_all(self, *, symbol: str | None = None, only_open: bool = False) -> list[dict[str, Any]]:
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

    def add(self, order: NewOrder) -> int:
        """Write a new order down and return its id. Raises VenueError where an open one has its client order id."""
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

    def fill(self, order_id: int, fill: Fill) -> None:
        """Write a trade of the order down."""
        row = self.get(order_id)
        figures = (fill.price, fill.quantity, fill.quote, fill.commission)
        self._db.execute(
            "INSERT INTO trade (order_id, price, quantity, quote, commission, commission_asset, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [order_id, *(f"{figure:f}" for figure in figures), fill.commission_asset, now_milliseconds()],
        )
        self._db.execute(
            "UPDATE venue_order SET executed = ?, quote = ? WHERE id = ?",
            [f"{Decimal(row['executed']) + fill.quantity:f}", f"{Decimal(row['quote']) + fill.quote:f}", order_id],
        )

    def finish(self, order_id: int, *, rests: bool) -> None:
        """Give the order the status of its fills: one that is not filled rests or expires."""
        row = self.get(order_id)
        unfinished = "NEW" if rests else "EXPIRED"
        self._set_status(order_id, "FILLED" if Decimal(row["executed"]) == Decimal(row["quantity"]) else unfinished)

    def cancel(self, order_id: int) -> None:
        """Raise VenueError for an order that is not open."""
        if self.get(order_id)["status"] != "NEW":
            raise VenueError(*UNKNOWN_ORDER_SENT)
        self._set_status(order_id, "CANCELED")

    def _set_status(self, order_id: int, status: str) -> None:
        self._db.execute("UPDATE venue_order SET status = ? WHERE id = ?", [status, order_id])


def now_milliseconds() -> int:
    """The venue's time, as Binance gives it."""
    return time.time_ns() // 1_000_000
