"""Where errors and traces are reported to: nowhere, unless a variable names an error tracker or a collector."""

import re
from typing import Annotated, ClassVar, Final
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.variables import PARSED, Group, variable

_HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)=([\x21-\x7e]+)")


def _check_dsn(text: str) -> str:
    parts = urlsplit(text.strip())
    if text.strip() and not (
        parts.scheme in {"http", "https"}
        and parts.username
        and parts.hostname
        and parts.path.rstrip("/")[-1:].isdigit()
    ):
        raise ValueError("Input should be the DSN of a project, such as https://KEY@errors.example/1")
    return text.strip()


def _check_endpoint(text: str) -> str:
    parts = urlsplit(text.strip())
    if text.strip() and not (parts.scheme in {"http", "https"} and parts.hostname and not parts.query):
        raise ValueError("Input should be the address of a collector, such as https://collector.example:4318")
    return text.strip()


def _check_headers(text: str) -> str:
    if not all(_HEADER.fullmatch(part.strip()) for part in text.split(",") if part.strip()):
        raise ValueError("Input should be a list of headers, such as x-api-key=SECRET")
    return text


@dataclass(frozen=True, config=PARSED)
class Telemetry(Group):
    title: ClassVar[str] = "Error tracker and traces"
    intro: ClassVar[str] = (
        "Both need the packages of `requirements-observability.txt`. The section *Errors and traces* of"
        " `docs/operations.md` lists what leaves."
    )

    sentry_dsn: Annotated[str, BeforeValidator(_check_dsn)] = variable(
        "SENTRY_DSN",
        "",
        "a project of an error tracker that speaks Sentry's protocol; if it is empty, errors are only logged",
        unit="URL",
        secret=True,
    )
    sentry_environment: str = variable(
        "SENTRY_ENVIRONMENT", "production", "tells one installation's errors from those of another"
    )
    otlp_endpoint: Annotated[str, BeforeValidator(_check_endpoint)] = variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "a collector of OpenTelemetry, which receives traces by OTLP over HTTP; if it is empty, nothing is traced",
        unit="URL",
    )
    otlp_headers: Annotated[str, BeforeValidator(_check_headers)] = variable(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "",
        "headers that the collector wants, separated by commas, such as `x-api-key=SECRET`; a space is `%20`, as in"
        " `authorization=Basic%20SECRET`, and other characters may be written so, too",
        unit="headers",
        secret=True,
    )
    service_name: str = variable(
        "OTEL_SERVICE_NAME", "crypto-exchange", "tells one installation's traces from those of another"
    )
    sampled_share: Annotated[float, Field(ge=0, le=1)] = variable(
        "OTEL_TRACES_SAMPLER_ARG", "1", "share of the requests that are traced; lower it when there are many"
    )

    def headers_of_otlp(self) -> dict[str, str]:
        """Return the headers by their names: https://opentelemetry.io/docs/specs/otel/protocol/exporter/."""
        found = (_HEADER.fullmatch(part.strip()) for part in self.otlp_headers.split(","))
        return {match[1].lower(): unquote(match[2]) for match in found if match}
