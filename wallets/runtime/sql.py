"""Runs SQL statements from files, by name.

The name `trading.claim` means the file `trading/sql/claim.sql`. A file holds one statement, with psycopg's
named placeholders (`%(coin_id)s`; a literal per cent sign is `%%`). Only statements that the ORM cannot
express, or that are measurably slower with the ORM, are in files.

A statement may leave out a part of itself, `{part}`, which another file holds: `wallets.move` is run with the part
`trading.place_order` as `wallets.move+trading.place_order`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from django.db import connection

Row = tuple[Any, ...]
Record = dict[str, Any]
"""A row's values by the names of their columns."""


def fetch_all(name: str, **values: Any) -> list[Row]:
    """Run a statement and return all of its rows."""
    with connection.cursor() as cursor:
        cursor.execute(load_statement(name), values)
        return list(cursor.fetchall())


def fetch_records(name: str, *, part: str, **values: Any) -> list[Record]:
    """Run a statement with `part`, a text of ours, in its place, and return its rows by the names of their columns."""
    with connection.cursor() as cursor:
        cursor.execute(load_statement(name).replace("{part}", part), values)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def fetch_one(name: str, **values: Any) -> Row | None:
    """Run a statement and return its first row; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(load_statement(name), values)
        row: Row | None = cursor.fetchone()
        return row


def execute(name: str, **values: Any) -> int:
    """Run a statement and return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(load_statement(name), values)
        return int(cursor.rowcount)


def records(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a value that a statement reads with `json_to_recordset`.

    The statement's text is the same for any number of rows, so that Postgres prepares it once. Decimals, times
    and UUIDs are texts, which Postgres reads exactly.
    """
    return json.dumps(rows, default=str)


@cache
def load_statement(name: str) -> str:
    """Return the text of a statement without its comment lines. Each process reads a file once."""
    whole, _, part = name.partition("+")
    if part:
        return load_statement(whole).replace("{part}", load_statement(part))
    app, _, statement = name.partition(".")
    text = (files(app) / "sql" / f"{statement}.sql").read_text()
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
