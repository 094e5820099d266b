"""/metrics for Prometheus: counters of this instance, and gauges that are read from the database.

An instance is either one API server with all its processes, or one settlement worker.
"""

import hmac
import os
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, exposition, multiprocess

from exchange_site.metrics.gauges import WithDatabase
from wallets.web.problems import NOT_ALLOWED, answer_problem

REQUEST_SECONDS: Final = Histogram(
    "exchange_http_request_duration_seconds",
    "Requests answered, by operation and status.",
    ["method", "operation", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a caller that has the token or calls directly from a trusted network."""
    if not may_read(request.META):
        return answer_problem(NOT_ALLOWED, detail="Metrics are for METRICS_TOKEN or METRICS_NETWORKS.")
    body, content_type = render(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def render(accept: str) -> tuple[bytes, str]:
    """Return every metric in the form that the scraper accepts, and that form's content type."""
    encode, content_type = exposition.choose_encoder(accept)
    return encode(_registry()), content_type


def may_read(meta: dict[str, Any]) -> bool:
    """Say, from a WSGI environment, whether the caller has the token or calls directly from a trusted network."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS.token and scheme == "Bearer":
        return hmac.compare_digest(token.encode(), settings.METRICS.token.encode())
    if "HTTP_X_FORWARDED_FOR" in meta:  # the caller is behind a proxy, whose own address may be trusted
        return False
    try:
        peer = ip_address(meta.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(peer in network for network in settings.METRICS.networks)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return WithDatabase(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own
    return WithDatabase(registry)
