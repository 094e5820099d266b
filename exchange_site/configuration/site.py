"""The site itself: Django, serving, metrics, and variables for development and tests only."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, Keys, LogLevel, Names, Networks, Port, Seconds, Zone
from exchange_site.configuration.variables import PARSED, Group, variable

DEVELOPMENT_SECRET: Final = "development-only-secret-do-not-use-in-production-0000"  # noqa: S105  refused where DEBUG is off

_PUBLIC: Final = "a public one, in production none"
_FAILPOINTS: Final = re.compile(r"([a-z_.]+=(kill|stop)(,|$))*")


@dataclass(frozen=True, config=PARSED)
class Django(Group):
    title: ClassVar[str] = "Django"

    secret_key: str = variable(
        "SECRET_KEY",
        DEVELOPMENT_SECRET,
        "signs the admin's sessions; a new key signs staff out",
        secret=True,
        shown=_PUBLIC,
        example="change-me-to-50-random-characters",
    )
    jwt_secret_key: str = variable(
        "JWT_SECRET_KEY",
        DEVELOPMENT_SECRET,
        "signs customers' tokens; a new key ends all tokens",
        secret=True,
        shown=_PUBLIC,
        example="change-me-to-50-other-random-characters",
    )
    debug: bool = variable(
        "DEBUG",
        "True",
        "`False` in production; some variables below have other defaults then",
        unit="switch",
        such_as="True, or DEBUG=False in production",
    )
    log_level: LogLevel = variable(
        "LOGLEVEL", "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`; use `DEBUG` to find a fault"
    )
    allowed_hosts: Names = variable(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "host names that callers may use; others get 400",
        unit="names",
    )
    csrf_trusted_origins: Names = variable(
        "CSRF_TRUSTED_ORIGINS", "", "`https://` and the admin's host name, if a proxy ends TLS", unit="origins"
    )
    secure_ssl_redirect: bool = variable(
        "SECURE_SSL_REDIRECT",
        "True",
        "in production, redirects HTTP to HTTPS, except health checks and metrics; `False` for a trial without TLS",
        unit="switch",
    )
    cors_allowed_origins: Names = variable(
        "CORS_ALLOWED_ORIGINS", "", "web pages that may call the API from a browser", unit="origins"
    )
    time_zone: Zone = variable("TIME_ZONE", "UTC", "used on the admin's pages; the API always uses UTC", unit="zone")


@dataclass(frozen=True, config=PARSED)
class Encryption(Group):
    title: ClassVar[str] = "Encryption at rest"

    # Empty counts as unset: there is nothing that works without a key.
    keys: Annotated[Keys, BeforeValidator(lambda text: text.strip() or DEVELOPMENT_SECRET)] = variable(
        "ENCRYPTION_KEYS",
        DEVELOPMENT_SECRET,
        "encrypt second factors and other secrets in the database; the first key encrypts and all of them decrypt, see"
        " `manage.py rotate_keys`; whoever loses a key loses all that it has encrypted",
        unit="keys",
        secret=True,
        shown=_PUBLIC,
        example="change-me-to-50-more-random-characters",
    )


@dataclass(frozen=True, config=PARSED)
class Serving(Group):
    title: ClassVar[str] = "Serving and metrics"

    bind_address: str = variable(
        "BIND_ADDRESS", "127.0.0.1", "address on which the API listens; the image sets `0.0.0.0`", unit="address"
    )
    port: Port = variable("PORT", "8000", "port on which the API listens; change it for a second stack", unit="port")
    web_workers: Count = variable(
        "WEB_WORKERS", "2", "processes of one API instance; about one per processor", unit="processes"
    )
    web_threads: Count = variable(
        "WEB_THREADS",
        "3",
        "threads of one process, each with one request at a time and one connection to Postgres;"
        " raise it if the database is far away",
        unit="threads",
    )
    order_threads: Count = variable(
        "WEB_ORDER_THREADS",
        "16",
        "further threads of one process, which place orders; orders that wait at the same time share a database"
        " transaction, so more threads make larger groups, and cost a connection to Postgres each",
        unit="threads",
    )
    web_queue: Count = variable(
        "WEB_QUEUE",
        "200",
        "requests of one process that may wait for a thread, and as many orders; of more, those of the address with"
        " most get 429",
        unit="requests",
    )
    queue_timeout: Seconds = variable(
        "WEB_QUEUE_SECONDS", "10", "time that a request may wait for a thread; after it, 503", unit="seconds"
    )
    request_timeout: Seconds = variable(
        "REQUEST_TIMEOUT_SECONDS",
        "10",
        "time in which a request's headers must arrive, and then its body; an idle connection is closed after it",
        unit="seconds",
    )


@dataclass(frozen=True, config=PARSED)
class Metrics(Group):
    title: ClassVar[str] = "Serving and metrics"

    token: str = variable(
        "METRICS_TOKEN",
        "",
        "the bearer token for `/metrics`; needed by a scraper outside `METRICS_NETWORKS`",
        secret=True,
    )
    networks: Networks = variable(
        "METRICS_NETWORKS",
        "127.0.0.0/8,::1",
        "networks whose direct callers need no token for `/metrics`",
        unit="networks",
        in_production="",
    )
    worker_port: Annotated[int, Field(ge=0, le=65_535)] = variable(
        "WORKER_METRICS_PORT", "0", "port on which a worker serves `/metrics`; 0 turns this off", unit="port"
    )


def _parse_failpoints(text: str) -> list[str]:
    if not _FAILPOINTS.fullmatch(text):
        raise ValueError("Input should be a list such as claim.committed=kill,attempt.sent=stop")
    return [shot for shot in text.split(",") if shot]


@dataclass(frozen=True, config=PARSED)
class Development(Group):
    title: ClassVar[str] = "Development stack"

    data_dir: Path = variable(
        "DATA_DIR", ".data", "the data of `task dev`; change it for a second stack", unit="folder"
    )
    failpoints: Annotated[list[str], BeforeValidator(_parse_failpoints)] = variable(
        "FAILPOINTS",
        "",
        "places where tests end or freeze a process, such as `claim.committed=kill,attempt.sent=stop`;"
        " refused in production",
    )
    load_test: bool = variable(
        "LOAD_TEST",
        "False",
        "for load tests: production starts with limits that protect nothing; refused with a real venue",
        unit="switch",
    )
    failpoints_dir: Path = variable("FAILPOINTS_DIR", ".data/failpoints", "records the fired failpoints", unit="folder")
    simulator_port: Port = variable(
        "SIMULATOR_PORT",
        "9100",
        "port of the exchange simulator; if it is unset and 9100 is taken, `task` commands use a free port",
        unit="port",
    )
