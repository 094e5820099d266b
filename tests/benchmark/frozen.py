"""Measure the speed of the machine and its Postgres, with a script and tables that never change.

The script of `limit.py` follows the code, so its rates for two versions differ with the machine and with the code. The
frozen script has its own tables and statements, as they were in November 2026, in the folder `frozen`. It places one order
in a transaction, for a customer drawn by chance, or always for the first: the hot wallet.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final, TypedDict, Unpack

from psycopg.sql import SQL, Identifier

from tests.benchmark.limit import run_pgbench
from tests.benchmark.processor_time import read_seconds
from tests.benchmark.still_postgres import StillPostgres, connect, tidy

COPY: Final = "frozen_copy"
_TABLES: Final = "frozen"
_FILES: Final = Path(__file__).with_name("frozen")
_DRAWN: Final = "\\set n random(0, 299)"
MEASURES: Final[Mapping[str, "Manner"]] = {
    "frozen script, 8 clients": {"clients": 8, "hot": False},
    "frozen script, 32 clients": {"clients": 32, "hot": False},
    "frozen script, hot wallet": {"clients": 8, "hot": True},
}


class Manner(TypedDict, total=False):
    """How the script is played; by default by 8 clients, for customers drawn by chance."""

    clients: int
    hot: bool


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Transactions a second, and the milliseconds of processor time that Postgres took for each."""

    rate: float
    postgres_ms: float


def create_tables(environment: Mapping[str, str]) -> None:
    """Create a database with the frozen tables and customers on the server that `environment` names."""
    with closing(connect(environment, database="postgres")) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(_TABLES)))
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(_TABLES)))
    with closing(connect(environment, database=_TABLES)) as connection:
        for name in ("schema", "seed"):
            connection.execute((_FILES / f"{name}.sql").read_bytes())
        tidy(connection)


def yardstick(*, postgres: StillPostgres, **manner: Unpack[Manner]) -> Callable[[float], dict[str, Any]]:
    """Return a function that runs the script for the given number of seconds."""

    def take_turn(seconds: float) -> dict[str, Any]:
        pace = measure(environment=postgres.environment, pid=postgres.pid, seconds=seconds, **manner)
        return {"rate": pace.rate, "milliseconds": {"Postgres": pace.postgres_ms}}

    return take_turn


def measure(*, environment: Mapping[str, str], pid: int, seconds: float, **manner: Unpack[Manner]) -> Pace:
    """Run the script for `seconds` on the server with the process id `pid`, with new tables."""
    copy_tables(environment)
    before = read_seconds(pid=pid)
    rate = play(environment, seconds=seconds, **manner)
    used = read_seconds(pid=pid) - before
    with closing(connect(environment, database=COPY)) as connection:
        [orders] = connection.execute("SELECT count(*) FROM trading_order").fetchone() or (0,)
    return Pace(rate=rate, postgres_ms=used * 1000 / orders)


def copy_tables(environment: Mapping[str, str]) -> None:
    """Replace the last copy of the tables with a new copy, because each measurement makes the tables grow."""
    with closing(connect(environment, database="postgres")) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(COPY)))
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(COPY), Identifier(_TABLES)))
        connection.execute("CHECKPOINT")


def play(environment: Mapping[str, str], *, clients: int = 8, hot: bool = False, **length: float) -> float:
    """Place orders in the copy for `seconds`, or `transactions` per client. Return orders per second."""
    where = {**environment, "POSTGRES_DB": COPY}
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(write_script(hot=hot))
        script.flush()
        return run_pgbench(script=Path(script.name), environment=where, clients=clients, **length)


def write_script(*, hot: bool) -> str:
    """Return the script; for the hot wallet with one customer in place of the one that is drawn."""
    script = (_FILES / "order.sql").read_text()
    assert script.count(_DRAWN) == 1
    return script.replace(_DRAWN, "\\set n 0") if hot else script
