"""The tables of the book, and its transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

OPEN: Final = "status IN ('NEW', 'PARTIALLY_FILLED')"
"""The condition of an open order, as the index has it, so that SQLite uses the index."""

_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS market (
    symbol TEXT PRIMARY KEY, price TEXT NOT NULL,
    tick TEXT NOT NULL, step TEXT NOT NULL, minimum TEXT NOT NULL, maximum TEXT NOT NULL, notional TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS market_filter (
    symbol TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (symbol, name));
CREATE TABLE IF NOT EXISTS market_status (symbol TEXT PRIMARY KEY, status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS market_state (symbol TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS second_source (symbol TEXT PRIMARY KEY, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balance (asset TEXT PRIMARY KEY, free TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS venue_order (
    id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
    type TEXT NOT NULL, time_in_force TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    executed TEXT NOT NULL, quote TEXT NOT NULL, status TEXT NOT NULL, time INTEGER NOT NULL);
DROP INDEX IF EXISTS client_ids_of_open_orders;  -- of books from before orders could be filled partly
CREATE UNIQUE INDEX IF NOT EXISTS one_open_order_for_each_client_id ON venue_order (client_id) WHERE {OPEN};
CREATE INDEX IF NOT EXISTS orders_by_client_id ON venue_order (client_id);
CREATE TABLE IF NOT EXISTS trade (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES venue_order, price TEXT NOT NULL,
    quantity TEXT NOT NULL, quote TEXT NOT NULL, commission TEXT NOT NULL, commission_asset TEXT NOT NULL,
    time INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS trades_of_order ON trade (order_id);
CREATE TABLE IF NOT EXISTS order_terms (
    order_id INTEGER PRIMARY KEY REFERENCES venue_order, commission_asset TEXT NOT NULL, quote TEXT NOT NULL,
    flags TEXT NOT NULL, reference INTEGER);
CREATE TABLE IF NOT EXISTS order_closing (order_id INTEGER PRIMARY KEY REFERENCES venue_order, time INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS nonce (api_key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def open_database(path: Path | str) -> sqlite3.Connection:
    """Open the file of the book, and create a missing file. Each COMMIT waits until its data is on disk."""
    database = sqlite3.connect(path, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(_SCHEMA)
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Write everything or nothing, and lock out other writers."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
