"""Postgres and Redis."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import CountOrZero, Host
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Postgres(Group):
    title: ClassVar[str] = "Postgres and Redis"

    name: str = variable("POSTGRES_DB", "crypto_exchange", "the database")
    user: str = variable("POSTGRES_USER", "postgres", "its user")
    password: str = variable("POSTGRES_PASSWORD", "", "its password", secret=True)
    host: Host = variable(
        "POSTGRES_HOST", "", "none: an embedded server for `task` and the tests, else this machine", unit="host"
    )
    port: int = variable("POSTGRES_PORT", "5432", unit="port")
    pool_size: CountOrZero = variable(
        "POSTGRES_POOL_SIZE",
        "8",
        "of one worker at most; 0 for no pool, behind PgBouncer. The API's threads keep one each",
        unit="connections",
    )
    prepare: bool = variable(
        "POSTGRES_PREPARE",
        "True",
        "parses and plans a repeated statement once a connection; `False` behind a PgBouncer older than 1.21",
        unit="switch",
    )
    statement_timeout_ms: CountOrZero = variable(
        "POSTGRES_STATEMENT_TIMEOUT_MS",
        "5000",
        "ends slow statements; 0: never, for large migrations",
        unit="milliseconds",
    )


@dataclass(frozen=True, config=PARSED)
class Redis(Group):
    title: ClassVar[str] = "Postgres and Redis"

    host: Host = variable("REDIS_HOST", "", "none: as with Postgres", unit="host")
    port: int = variable("REDIS_PORT", "6379", unit="port")
    password: str = variable("REDIS_PASSWORD", "", secret=True)

    # Redis holds rate-limit counters, prices and pool counters. A caller waits 0.2 s for it at most; after a failure
    # it is skipped for two seconds.
    timeout_seconds: ClassVar[float] = 0.2
    skip_seconds_after_failure: ClassVar[float] = 2
