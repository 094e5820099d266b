"""A script and tables that never change. Their rate shows how fast the machine and its Postgres are.

The script of `limit.py` follows the code, so its rates differ with the machine and with the code. This one uses the
tables and statements of November 2026, in the folder `frozen`.
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

COPY: Final = "frozen_copy"
_TABLES: Final = "frozen"
_FILES: Final = Path(__file__).with_name("frozen")
_CLIENTS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Database transactions a second, and the milliseconds of processor time that Postgres took for one."""

    rate: float
    postgres_ms: float


def create_tables(environment: Mapping[str, str]) -> None:
    """Create a database with the frozen tables and customers, on the server in `environment`."""
    with closing(connect(environment, database="postgres")) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(_TABLES)))
    with closing(connect(environment, database=_TABLES)) as connection:
        for name in ("schema", "seed"):
            connection.execute((_FILES / f"{name}.sql").read_bytes())
        tidy(connection)


def measure(*, environment: Mapping[str, str], pid: int, seconds: float) -> Pace:
    """Run the script for some seconds on the server whose process is `pid`."""
    copy_tables(environment)
    before = read_seconds(pid=pid)
    rate = play(environment, seconds=seconds)
    used = read_seconds(pid=pid) - before
    with closing(connect(environment, database=COPY)) as connection:
        [orders] = connection.execute("SELECT count(*) FROM trading_order").fetchone() or (0,)
    return Pace(rate=rate, postgres_ms=used * 1000 / orders)


def copy_tables(environment: Mapping[str, str]) -> None:
    """Replace the last copy of the tables by a new one, so that they do not grow from run to run."""
    with closing(connect(environment, database="postgres")) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(COPY)))
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(COPY), Identifier(_TABLES)))
        connection.execute("CHECKPOINT")


def play(environment: Mapping[str, str], **how: float) -> float:
    """Place orders in the copy, for `seconds` or until each client has placed `transactions`. Return orders a second."""
    script, where = _FILES / "order.sql", {**environment, "POSTGRES_DB": COPY}
    return run_pgbench(script=script, environment=where, clients=_CLIENTS, **how)
