"""What Kraken's dialect adds to the book: terms of orders, the times at which orders closed, and nonces of API keys."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

_CLOSED: Final = """
SELECT venue_order.*, coalesce(
           order_closing.time, (SELECT max(time) FROM trade WHERE order_id = venue_order.id), venue_order.time
       ) AS closed_at
  FROM venue_order LEFT JOIN order_closing ON order_closing.order_id = venue_order.id
"""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms of an order beside its price: the asset that pays the commission, and words to repeat in answers.

    `quote` is the quote asset of its pair, `flags` are its order flags, and `reference` is the client's number for it.
    """

    commission_asset: str
    quote: str
    flags: str
    reference: int | None = None


class OrderTerms:
    """The terms of orders. An order of another dialect has none."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def add(self, order_id: int, terms: Terms) -> None:
        """Record the terms of a new order."""
        self._db.execute(
            "INSERT INTO order_terms (order_id, commission_asset, quote, flags, reference) VALUES (?, ?, ?, ?, ?)",
            [order_id, terms.commission_asset, terms.quote, terms.flags, terms.reference],
        )

    def get(self, order_id: int) -> Terms | None:
        """Return the terms of an order, or None if it has none."""
        row = self._db.execute(
            "SELECT commission_asset, quote, flags, reference FROM order_terms WHERE order_id = ?", [order_id]
        ).fetchone()
        return None if row is None else Terms(**dict(row))

    def commission_asset(self, order_id: int) -> str | None:
        """Return the asset that pays the commission of an order, or None if the order does not say."""
        terms = self.get(order_id)
        return terms.commission_asset if terms else None

    def close(self, order_id: int, *, now: int) -> None:
        """Record when an order was cancelled, in milliseconds."""
        self._db.execute("INSERT OR REPLACE INTO order_closing (order_id, time) VALUES (?, ?)", [order_id, now])

    def rows(self) -> list[dict[str, Any]]:
        """Return all orders with `closed_at`, the oldest first."""
        return [dict(row) for row in self._db.execute(f"{_CLOSED} ORDER BY venue_order.id")]

    def named(self, client_id: str) -> list[dict[str, Any]]:
        """Return the orders with a client order id, with `closed_at`, the oldest first."""
        rows = self._db.execute(f"{_CLOSED} WHERE client_id = ? ORDER BY venue_order.id", [client_id])
        return [dict(row) for row in rows]

    def find(self, order_id: int) -> dict[str, Any] | None:
        """Return an order with `closed_at`, or None if there is none."""
        row = self._db.execute(f"{_CLOSED} WHERE venue_order.id = ?", [order_id]).fetchone()
        return None if row is None else dict(row)


class Nonces:
    """The last nonce of each API key. It survives a killed process, as the venue's does."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def use(self, api_key: str, nonce: int) -> bool:
        """Record a nonce. Return False, and record nothing, unless it is above the key's last one."""
        row = self._db.execute("SELECT value FROM nonce WHERE api_key = ?", [api_key]).fetchone()
        if row is not None and nonce <= int(row["value"]):
            return False
        self._db.execute("PRAGMA synchronous = NORMAL")  # no wait for the disk: each question has a nonce
        self._db.execute("INSERT OR REPLACE INTO nonce (api_key, value) VALUES (?, ?)", [api_key, str(nonce)])
        self._db.execute("PRAGMA synchronous = FULL")
        return True
