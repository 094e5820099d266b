"""A script that never changes, on tables that never change: how fast the machine and its Postgres are today.

The script of `limit.py` follows the code, so what it says of two versions differs with the machine and with the code.
This one brings its own tables and statements, as they were in November 2026: the folder `frozen`.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg.sql import SQL, Identifier

from tests.benchmark.limit import run_pgbench
from tests.benchmark.processor_time import read_seconds
from tests.benchmark.still_postgres import connect, tidy

_FILES: Final = Path(__file__).with_name("frozen")
_CLIENTS: Final = 8
_DATABASE: Final = Identifier("frozen")
_COPY: Final = "frozen_copy"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Transactions a second, and the processor time of Postgres for each."""

    rate: float
    postgres_ms: float


def create_tables(environment: Mapping[str, str]) -> None:
    """Make the database with its tables and customers, on the server that `environment` names."""
    with closing(connect(environment, database="postgres")) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(_DATABASE))
    with closing(connect(environment, database="frozen")) as connection:
        for name in ("schema", "seed"):
            connection.execute((_FILES / f"{name}.sql").read_bytes())
        tidy(connection)


def measure(*, environment: Mapping[str, str], pid: int, seconds: float) -> Pace:
    """Play the script on a new copy of the tables: they would grow from one round to the next."""
    with closing(connect(environment, database="postgres")) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(_COPY)))
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(_COPY), _DATABASE))
        connection.execute("CHECKPOINT")
    before = read_seconds(pid=pid)
    rate = play({**environment, "POSTGRES_DB": _COPY}, seconds=seconds)
    used = read_seconds(pid=pid) - before
    with closing(connect(environment, database=_COPY)) as connection:
        [orders] = connection.execute("SELECT count(*) FROM trading_order").fetchone() or (0,)
    return Pace(rate=rate, postgres_ms=used / orders * 1000)


def play(environment: Mapping[str, str], **how: float) -> float:
    """Transactions a second, for `seconds` or of `transactions` by each client."""
    return run_pgbench(script=_FILES / "order.sql", environment=environment, clients=_CLIENTS, **how)
