"""Rules about the error tracker and the collector of traces: the packages that they need, and the way there."""

from importlib.metadata import PackageNotFoundError, distribution
from typing import Final

from exchange_site.configuration.addresses import is_open_url
from exchange_site.configuration.rules import rule


def _lacks(package: str) -> bool:
    """Say whether a package is not installed. It is not imported."""
    try:
        distribution(package)
    except PackageNotFoundError:
        return True
    return False


# In development, too.
REPORTING_NEEDS: Final = (
    rule(
        "SENTRY_DSN",
        "needs the package sentry-sdk: install requirements-observability.txt, or leave the variable empty.",
        lambda given: bool(given.telemetry.sentry_dsn) and _lacks("sentry-sdk"),
    ),
    rule(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "needs the package opentelemetry-exporter-otlp-proto-http: install requirements-observability.txt, or leave the"
        " variable empty.",
        lambda given: bool(given.telemetry.otlp_endpoint) and _lacks("opentelemetry-exporter-otlp-proto-http"),
    ),
)
REPORTING: Final = (
    rule(
        "SENTRY_DSN",
        "must begin with https:// for an error tracker that is not on this machine or a private network.",
        lambda given: bool(given.telemetry.sentry_dsn) and is_open_url(given.telemetry.sentry_dsn),
    ),
    rule(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "must begin with https:// for a collector that is not on this machine or a private network.",
        lambda given: bool(given.telemetry.otlp_endpoint) and is_open_url(given.telemetry.otlp_endpoint),
    ),
)
