"""Read, record, fill and end the orders of the book."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.book.schema import OPEN
from exchange_site.simulator.book.terms import Terms
from exchange_site.simulator.errors import DUPLICATE_ORDER, NO_SUCH_ORDER, UNKNOWN_ORDER_SENT, VenueError

OPEN_STATUSES: Final = ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """A client's request for an order; `price` is None for a market order."""

    client_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    price: Decimal | None
    quantity: Decimal
    terms: Terms | None = None


@dataclass(frozen=True, kw_only=True)
class Fill:
    """An executed quantity, its price, its value in the quote asset, and the commission."""

    quantity: Decimal
    price: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str

    def figures(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Return the trade's numbers in the order of its columns."""
        return self.price, self.quantity, self.quote, self.commission


class Orders:
    """The orders of the book. A client order id is unique among open orders only."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def get(self, order_id: int) -> dict[str, Any]:
        """Return an order with its trades. Raises VenueError if there is no such order."""
        return {**self.row(order_id), "trades": self.trades(order_id=order_id)}

    def row(self, order_id: int) -> dict[str, Any]:
        """Return an order without its trades. Raises VenueError if there is no such order."""
        row = self._db.execute("SELECT * FROM venue_order WHERE id = ?", [order_id]).fetchone()
        if row is None:
            raise VenueError(*NO_SUCH_ORDER)
        return dict(row)

    def find(self, *, symbol: str, client_id: str) -> dict[str, Any]:
        """Return the newest order with a client order id. Raises VenueError if there is none."""
        row = self._db.execute(
            "SELECT id FROM venue_order WHERE symbol = ? AND client_id = ? ORDER BY id DESC",
            [symbol, client_id],
        ).fetchone()
        if row is None:
            raise VenueError(*NO_SUCH_ORDER)
        return self.get(row["id"])

    def list_all(self, *, symbol: str | None = None, only_open: bool = False) -> list[dict[str, Any]]:
        """Return orders, oldest first."""
        condition = OPEN if only_open else "TRUE"
        rows = self._db.execute(
            f"SELECT * FROM venue_order WHERE {condition} AND (? IS NULL OR symbol = ?) ORDER BY id",  # noqa: S608  one of the two
            [symbol, symbol],
        )
        return [dict(row) for row in rows]

    def trades_of_market(self, symbol: str, *, since: int = 0) -> list[dict[str, Any]]:
        """Return the trades of a market since a moment, in milliseconds, oldest first."""
        return [row for row in self.trades(symbol=symbol) if row["time"] >= since]

    def trades(self, *, order_id: int | None = None, symbol: str | None = None) -> list[dict[str, Any]]:
        """Return trades, oldest first."""
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
        """Record a new order and return its id. Raises VenueError if an open order has the same client order id."""
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

    def fill(self, order_id: int, fills: Sequence[Fill]) -> None:
        """Record trades of the order."""
        row, now = self.row(order_id), now_milliseconds()
        self._db.executemany(
            "INSERT INTO trade (order_id, price, quantity, quote, commission, commission_asset, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(order_id, *(f"{figure:f}" for figure in fill.figures()), fill.commission_asset, now) for fill in fills],
        )
        executed = Decimal(row["executed"]) + sum((fill.quantity for fill in fills), Decimal(0))
        quote = Decimal(row["quote"]) + sum((fill.quote for fill in fills), Decimal(0))
        self._db.execute(
            "UPDATE venue_order SET executed = ?, quote = ? WHERE id = ?", [f"{executed:f}", f"{quote:f}", order_id]
        )

    def finish(self, order_id: int, *, rests: bool) -> None:
        """Set the order's status by its fills. An order that is not filled stays open if `rests`, else it expires."""
        row = self.row(order_id)
        unfinished = ("PARTIALLY_FILLED" if Decimal(row["executed"]) else "NEW") if rests else "EXPIRED"
        self._set_status(order_id, "FILLED" if Decimal(row["executed"]) == Decimal(row["quantity"]) else unfinished)

    def cancel(self, order_id: int) -> None:
        """Cancel an order. Raises VenueError if it is not open."""
        if self.row(order_id)["status"] not in OPEN_STATUSES:
            raise VenueError(*UNKNOWN_ORDER_SENT)
        self._set_status(order_id, "CANCELED")

    def _set_status(self, order_id: int, status: str) -> None:
        self._db.execute("UPDATE venue_order SET status = ? WHERE id = ?", [status, order_id])


def now_milliseconds() -> int:
    """Return the venue's time in Binance's unit."""
    return time.time_ns() // 1_000_000
