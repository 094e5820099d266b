"""The connections to Postgres and Redis."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, CountOrZero, Host
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Postgres(Group):
    title: ClassVar[str] = "Postgres and Redis"

    name: str = variable("POSTGRES_DB", "crypto_exchange", "name of the database")
    user: str = variable("POSTGRES_USER", "postgres", "role of web and worker, which `migrate` makes")
    password: str = variable("POSTGRES_PASSWORD", "", "password of this role", secret=True)
    owner_user: str = variable(
        "POSTGRES_OWNER_USER",
        "",
        "role that owns the tables, for `migrate` and `database_roles`; never set it for web and worker",
    )
    owner_password: str = variable("POSTGRES_OWNER_PASSWORD", "", "password of this role", secret=True)
    host: Host = variable(
        "POSTGRES_HOST",
        "",
        "if empty, `task` and the tests start an embedded server; other programs use 127.0.0.1",
        unit="host",
    )
    port: int = variable("POSTGRES_PORT", "5432", unit="port")
    pool_size: CountOrZero = variable(
        "POSTGRES_POOL_SIZE",
        "8",
        "maximum of one worker; 0 for no pool, as behind PgBouncer. Each thread of the API keeps one connection",
        unit="connections",
    )
    prepare: bool = variable(
        "POSTGRES_PREPARE",
        "True",
        "prepares repeated statements once per connection; `False` behind a PgBouncer older than 1.21",
        unit="switch",
    )
    statement_timeout_ms: Count = variable(
        "POSTGRES_STATEMENT_TIMEOUT_MS",
        "5000",
        "aborts slower statements of web and worker; after a change run `manage.py database_roles`",
        unit="milliseconds",
    )

    lock_timeout_ms: ClassVar[int] = 2_000
    idle_in_transaction_timeout_ms: ClassVar[int] = 10_000


@dataclass(frozen=True, config=PARSED)
class Redis(Group):
    title: ClassVar[str] = "Postgres and Redis"

    host: Host = variable("REDIS_HOST", "", "if empty, the same as for `POSTGRES_HOST`", unit="host")
    port: int = variable("REDIS_PORT", "6379", unit="port")
    password: str = variable("REDIS_PASSWORD", "", secret=True)

    # Redis holds rate-limit counters, prices and pool counters. A request waits for Redis for at most 0.2 s. After a
    # failure, requests skip Redis for two seconds.
    timeout_seconds: ClassVar[float] = 0.2
    skip_seconds_after_failure: ClassVar[float] = 2
