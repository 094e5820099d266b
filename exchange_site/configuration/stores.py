"""The connections to Postgres and Redis."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, CountOrZero, Host, Hosts, Port, Ports, Seconds, SslMode
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Postgres(Group):
    title: ClassVar[str] = "Postgres and Redis"

    url: str = variable(
        "DATABASE_URL",
        "",
        "`postgres://user:password@host:port/name?sslmode=verify-full`, with several `host:port` if there are several;"
        " what it names must not differ from the variables below",
        unit="URL",
        secret=True,
    )
    name: str = variable("POSTGRES_DB", "crypto_exchange", "name of the database")
    user: str = variable("POSTGRES_USER", "postgres", "role of web and worker, which `migrate` makes")
    password: str = variable("POSTGRES_PASSWORD", "", "password of this role", secret=True)
    owner_user: str = variable(
        "POSTGRES_OWNER_USER",
        "",
        "role that owns the tables, for `migrate` and `database_roles`; never set it for web and worker",
    )
    owner_password: str = variable("POSTGRES_OWNER_PASSWORD", "", "password of this role", secret=True)
    hosts: Hosts = variable(
        "POSTGRES_HOST",
        "",
        "tried in this order until one accepts writes; if empty, `task` and the tests start an embedded server,"
        " and other programs use 127.0.0.1",
        unit="hosts",
        such_as="127.0.0.1",
    )
    ports: Ports = variable("POSTGRES_PORT", "5432", "one for all hosts, or one for each", unit="ports")
    sslmode: SslMode = variable(
        "POSTGRES_SSLMODE",
        "prefer",
        "`disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`; use the last one over a network that"
        " others share",
        unit="mode",
    )
    sslrootcert: str = variable(
        "POSTGRES_SSLROOTCERT",
        "",
        "file with the certificates that sign the server's, or `system` for those that the machine trusts",
        unit="file",
    )
    pool_size: CountOrZero = variable(
        "POSTGRES_POOL_SIZE",
        "8",
        "maximum of one worker; 0 for no pool, as behind PgBouncer. Each thread of the API keeps one connection",
        unit="connections",
    )
    prepare: bool = variable(
        "POSTGRES_PREPARE",
        "True",
        "prepares repeated statements once per connection; `False` behind a PgBouncer older than 1.21, or one without "
        "`max_prepared_statements`",
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

    @property
    def silence_seconds(self) -> float:
        """How long the API waits for a statement: a second longer than Postgres itself."""
        return self.statement_timeout_ms / 1000 + 1

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if len(self.ports) not in {1, len(self.hosts)}:
            raise ValueError("POSTGRES_PORT must name one port for all hosts of POSTGRES_HOST, or one for each.")
        if self.sslmode.startswith("verify-") and not self.sslrootcert:
            raise ValueError(
                "POSTGRES_SSLMODE verifies a certificate: name a file in POSTGRES_SSLROOTCERT, or set it to system."
            )
        if self.sslrootcert == "system" and self.sslmode != "verify-full":
            raise ValueError("POSTGRES_SSLROOTCERT=system needs POSTGRES_SSLMODE=verify-full.")
        if self.sslrootcert not in {"", "system"} and not _is_readable(self.sslrootcert):
            raise ValueError("POSTGRES_SSLROOTCERT names a file that cannot be read.")
        return self


@dataclass(frozen=True, config=PARSED)
class Clock(Group):
    title: ClassVar[str] = "Postgres and Redis"

    max_drift: Seconds = variable(
        "CLOCK_MAX_DRIFT_SECONDS",
        "5",
        "difference between the clock of a host and Postgres' clock from which its API is not ready",
        unit="seconds",
    )


@dataclass(frozen=True, config=PARSED)
class Redis(Group):
    title: ClassVar[str] = "Postgres and Redis"

    url: str = variable(
        "REDIS_URL",
        "",
        "`redis://user:password@host:port/number`, or `rediss://…` for TLS; what it names must not differ from the"
        " variables below",
        unit="URL",
        secret=True,
    )
    host: Host = variable("REDIS_HOST", "", "if empty, the same as for `POSTGRES_HOST`", unit="host")
    port: Port = variable("REDIS_PORT", "6379", unit="port")
    user: str = variable("REDIS_USER", "", "user of an access list; without it, Redis' default user")
    password: str = variable("REDIS_PASSWORD", "", secret=True)
    database: CountOrZero = variable("REDIS_DB", "0", "number of the database", unit="number")
    tls: bool = variable(
        "REDIS_TLS", "False", "connects with TLS, and verifies the server's certificate and name", unit="switch"
    )
    ca_file: str = variable(
        "REDIS_CA_FILE",
        "",
        "file with the certificates that sign Redis' own; if empty, those that the machine trusts",
        unit="file",
    )

    # Redis holds rate-limit counters, prices and pool counters. A request waits for Redis for at most 0.2 s. After a
    # failure, requests skip Redis for two seconds.
    timeout_seconds: ClassVar[float] = 0.2
    skip_seconds_after_failure: ClassVar[float] = 2

    def address(self) -> dict[str, Any]:
        """Return the arguments of `redis.Redis` that say where the server is, who we are, and whether to use TLS."""
        address: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "db": self.database,
            "username": self.user or None,
            "password": self.password or None,
        }
        if self.tls:
            address |= {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": self.ca_file or None}
        return address

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.user and not self.password:
            raise ValueError("REDIS_USER needs REDIS_PASSWORD.")
        if self.ca_file and not self.tls:
            raise ValueError("REDIS_CA_FILE needs REDIS_TLS=True, or a REDIS_URL that begins with rediss://.")
        if self.ca_file and not _is_readable(self.ca_file):
            raise ValueError("REDIS_CA_FILE names a file that cannot be read.")
        return self


def _is_readable(name: str) -> bool:
    try:
        with Path(name).open("rb") as opened:
            return bool(opened.read(1))
    except OSError:
        return False
