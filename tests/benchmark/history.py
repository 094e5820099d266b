"""Write a long history quickly: customers with settled orders, for trials of lists, reports and speed.

`python -m tests.benchmark.history --orders 1000000` writes a history for the stack of `task dev`. The ledger balances
after every part.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import django
from django.db import connection, transaction
from django.utils import timezone
from psycopg import ClientCursor
from rich.progress import track

from exchange_site.database.owner import as_owner
from exchange_site.stack.environment import data_dir
from exchange_site.stack.running import find_running_stack

_CUSTOMERS_AT_ONCE: Final = 1_000
_ORDERS_OF_EACH: Final = 50
_PAST: Final = timedelta(days=330)
_SETTLED: Final = Path(__file__).with_name("settled_history.sql").read_text()


def write_settled_orders(*, orders: int, now: datetime) -> Iterator[int]:
    """Write at least `orders` completed orders, fifty per new customer, and yield the number that each part added."""
    coins = _read_coins()
    assert coins, "there are coins to have been bought"
    customers = min(_CUSTOMERS_AT_ONCE, -(-orders // _ORDERS_OF_EACH))
    written = part = 0
    while written < orders:
        coin_id, coin = coins[part % len(coins)]
        _write_part(coin_id=coin_id, coin=coin, customers=customers, begun=now - _PAST)
        part, written = part + 1, written + customers * _ORDERS_OF_EACH
        yield customers * _ORDERS_OF_EACH
    _tidy()


def _tidy() -> None:
    """Do what autovacuum would do after so many new rows: now, and not by chance during a measurement."""
    with as_owner(), connection.cursor() as cursor:
        for statement in ("SET statement_timeout = 0", "VACUUM (ANALYZE)", "RESET statement_timeout"):
            cursor.execute(statement)


def _read_coins() -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM trading_coin WHERE is_sold ORDER BY id")
        found: list[tuple[int, str]] = cursor.fetchall()
    return found


def _write_part(*, coin_id: int, coin: str, customers: int, begun: datetime) -> None:
    values = {"coin": coin, "coin_id": coin_id, "customers": customers, "rounds": _ORDERS_OF_EACH, "begun": begun}
    with as_owner(), transaction.atomic():  # makes temporary tables
        connection.ensure_connection()
        with ClientCursor(connection.connection) as cursor:  # can send several statements with values at once
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(_SETTLED, values)


def main(arguments: list[str]) -> int:
    """Write a history for the stack that runs on DATA_DIR."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.history", description="Write a long history.")
    parser.add_argument("--orders", type=int, required=True, metavar="N", help="write at least N completed orders")
    options = parser.parse_args(arguments)
    running = find_running_stack(data_dir())
    if running is None:
        sys.stderr.write(f"No stack runs on {data_dir()}: task dev\n")
        return 1
    os.environ.update({**running.environment, **running.owner})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    django.setup()
    parts = write_settled_orders(orders=options.orders, now=timezone.now())
    sys.stdout.write(f"{sum(track(parts, description='parts'))} orders were written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
