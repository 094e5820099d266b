"""The site itself: Django, serving, metrics, and what only development and tests have."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, Names, Networks
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
        "signs the admin's sessions; a new one signs staff out",
        secret=True,
        shown=_PUBLIC,
        example="change-me-to-50-random-characters",
    )
    jwt_secret_key: str = variable(
        "JWT_SECRET_KEY",
        DEVELOPMENT_SECRET,
        "signs customers' tokens; a new one ends all of them",
        secret=True,
        shown=_PUBLIC,
        example="change-me-to-50-other-random-characters",
    )
    debug: bool = variable(
        "DEBUG", "True", "`False` in production; changes the defaults that say so below", unit="switch"
    )
    log_level: str = variable(
        "LOGLEVEL", "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`; lower while looking for something"
    )
    allowed_hosts: Names = variable(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "host names that callers may use; others get 400",
        unit="names",
    )
    csrf_trusted_origins: Names = variable(
        "CSRF_TRUSTED_ORIGINS", "", "`https://` and the name, for the admin behind a proxy", unit="origins"
    )
    secure_ssl_redirect: bool = variable(
        "SECURE_SSL_REDIRECT",
        "True",
        "in production, sends plain HTTP to HTTPS, health checks and metrics excepted; off for a trial without TLS",
        unit="switch",
    )
    cors_allowed_origins: Names = variable(
        "CORS_ALLOWED_ORIGINS", "", "web pages that may call the API from a browser", unit="origins"
    )
    time_zone: str = variable("TIME_ZONE", "UTC", "of the admin's pages; the API speaks UTC", unit="zone")


@dataclass(frozen=True, config=PARSED)
class Serving(Group):
    title: ClassVar[str] = "Serving and metrics"

    bind_address: str = variable(
        "BIND_ADDRESS", "127.0.0.1", "where the API listens; the image sets `0.0.0.0`", unit="address"
    )
    port: int = variable("PORT", "8000", "the same; another one for a second stack", unit="port")
    web_workers: Count = variable("WEB_WORKERS", "2", "of one instance; about one for each processor", unit="processes")
    web_threads: Count = variable(
        "WEB_THREADS",
        "3",
        "requests that one process answers at once, each with a connection to Postgres;"
        " more where the database is far away",
        unit="threads",
    )


@dataclass(frozen=True, config=PARSED)
class Metrics(Group):
    title: ClassVar[str] = "Serving and metrics"

    token: str = variable(
        "METRICS_TOKEN",
        "",
        "the bearer token that opens `/metrics`; for a scraper that is not in a trusted network",
        secret=True,
    )
    networks: Networks = variable(
        "METRICS_NETWORKS",
        "127.0.0.0/8,::1",
        "direct callers that need no token for `/metrics`",
        unit="networks",
        in_production="",
    )
    worker_port: Annotated[int, Field(ge=0, le=65_535)] = variable(
        "WORKER_METRICS_PORT", "0", "where a worker answers `/metrics`; 0 is nowhere", unit="port"
    )


def _parse_failpoints(text: str) -> list[str]:
    if not _FAILPOINTS.fullmatch(text):
        raise ValueError("Input should be a list such as claim.committed=kill,attempt.sent=stop")
    return [shot for shot in text.split(",") if shot]


@dataclass(frozen=True, config=PARSED)
class Development(Group):
    title: ClassVar[str] = "Development stack"

    data_dir: Path = variable(
        "DATA_DIR", ".data", "the data of `task dev`; another one for a second stack", unit="folder"
    )
    failpoints: Annotated[list[str], BeforeValidator(_parse_failpoints)] = variable(
        "FAILPOINTS",
        "",
        "where tests end or freeze a process, such as `claim.committed=kill,attempt.sent=stop`; refused in production",
    )
    failpoints_dir: Path = variable("FAILPOINTS_DIR", ".data/failpoints", "which of them have fired", unit="folder")
    simulator_port: int = variable(
        "SIMULATOR_PORT",
        "9100",
        "of the exchange simulator; if not set and taken, `task` commands use a free one",
        unit="port",
    )
