"""A Postgres that works only on request: without autovacuum, and without checkpoints by the clock."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from exchange_site.stack.servers import POSTGRES_OWNER, prepare_postgres, stop_server

Connection = psycopg.Connection[tuple[Any, ...]]

_SETTINGS: Final[tuple[LiteralString, ...]] = (
    "ALTER SYSTEM SET autovacuum = off",
    "ALTER SYSTEM SET checkpoint_timeout = '1d'",
    "ALTER SYSTEM SET max_wal_size = '8GB'",
)


@dataclass(frozen=True, kw_only=True)
class StillPostgres:
    """A running server; `environment` has the variables that point the project's programs at it, as its superuser."""

    pid: int
    environment: Mapping[str, str]

    def connect(self, *, database: str) -> Connection:
        """Connect with autocommit."""
        return connect(self.environment, database=database)


@contextmanager
def running_postgres(folder: Path) -> Iterator[StillPostgres]:
    """Start a new cluster in `folder`, as durable as in production."""
    server = prepare_postgres(folder)
    process = server.start()
    environment = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(server.port),
        "POSTGRES_USER": POSTGRES_OWNER,
        "POSTGRES_PASSWORD": server.password,
    }
    try:
        postgres = StillPostgres(pid=process.pid, environment=environment)
        with postgres.connect(database="postgres") as connection:
            for setting in _SETTINGS:
                connection.execute(setting)
            connection.execute("SELECT pg_reload_conf()")
        yield postgres
    finally:
        stop_server(process)


def connect(environment: Mapping[str, str], *, database: str) -> Connection:
    """Connect with autocommit to the server that `environment` names."""
    return psycopg.connect(
        host=environment["POSTGRES_HOST"],
        port=environment["POSTGRES_PORT"],
        user=environment["POSTGRES_USER"],
        password=environment["POSTGRES_PASSWORD"],
        dbname=database,
        autocommit=True,
    )


def tidy(connection: Connection) -> None:
    """Vacuum and checkpoint now, so that this work does not fall into the next measurement.

    After a checkpoint, Postgres logs a whole page at its first change. So each measurement pays for all pages that it
    changes.
    """
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
