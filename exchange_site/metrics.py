"""/metrics, for Prometheus: what processes counted, and what the database says is open.

The counts are of this host's group of processes (the API's, or one settlement worker). What is read
from the database is the same wherever it is asked for: take the maximum over instances, not the sum.
"""

import hmac
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, exposition, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric

from exchange_site.api.problems import problem
from settlement.selectors.batches import count_batches
from settlement.selectors.findings import count_open_findings
from settlement.selectors.jobs import summarise_jobs
from settlement.selectors.pauses import list_paused_coins
from settlement.to_do.readers import count_to_do
from trading.models import OrderState
from trading.selectors.orders import summarise_open_orders
from trading.selectors.pools import sum_pools
from wallets.web.problems import NOT_ALLOWED

logger = logging.getLogger(__name__)

REQUEST_SECONDS: Final = Histogram(
    "exchange_http_request_duration_seconds",
    "Requests answered, by operation and status.",
    ["method", "operation", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus, if it has the token or calls from the internal network itself."""
    if not _may_read(request.META):
        return problem(NOT_ALLOWED, detail="Metrics are for METRICS_TOKEN or METRICS_NETWORKS.")
    body, content_type = render(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def render(accept: str) -> tuple[bytes, str]:
    """Everything, in the form that the scraper accepts."""
    encode, content_type = exposition.choose_encoder(accept)
    return encode(_registry()), content_type


def serve_metrics(*, port: int) -> None:
    """Answer /metrics from a thread of a process that is no web server: a worker."""
    server = make_server("", port, _wsgi, server_class=_Server, handler_class=_Silent)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if not _may_read(environ):
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b""]
    try:
        body, content_type = render(environ.get("HTTP_ACCEPT", ""))
    finally:
        connection.close()
    start_response("200 OK", [("Content-Type", content_type)])
    return [body]


class _Server(ThreadingMixIn, WSGIServer):
    """A caller that says nothing keeps nobody else waiting."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    timeout = 5

    def log_message(self, *_: Any) -> None:
        """A line for every scrape says nothing."""


def _may_read(meta: dict[str, Any]) -> bool:
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS_TOKEN and scheme == "Bearer":
        return hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())
    if "HTTP_X_FORWARDED_FOR" in meta:  # somebody behind a proxy, which itself may be internal
        return False
    try:
        peer = ip_address(meta.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(peer in network for network in settings.METRICS_NETWORKS)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return _WithDatabase(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own
    return _WithDatabase(registry)


class _WithDatabase(CollectorRegistry):
    """What `counted` has, and what the database says now."""

    def __init__(self, counted: CollectorRegistry) -> None:
        super().__init__()
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        yield from self._counted.collect()
        reachable = GaugeMetricFamily("exchange_database_up", "Whether the database answered this scrape.")
        try:
            found = list(_read_database())
        except DatabaseError as error:
            logger.warning("metrics: the database did not answer: %s", type(error).__name__)
            found = []
        reachable.add_metric([], float(bool(found)))
        yield reachable
        yield from found


def _read_database() -> Iterator[Metric]:
    """A handful of statements, each over what is open only: the cost does not grow with history."""
    orders = GaugeMetricFamily("exchange_orders", "Open orders.", labels=["state"])
    ages = GaugeMetricFamily("exchange_order_oldest_age_seconds", "Age of the oldest open order.", labels=["state"])
    unsettled = GaugeMetricFamily("exchange_unsettled_usd", "Paid by customers and not settled, US dollars.")
    found = {row.state: row for row in summarise_open_orders()}
    for state in (OrderState.PENDING, OrderState.POOLED, OrderState.HELD, OrderState.SETTLING):
        row = found.get(state.value)
        orders.add_metric([state.value], row.count if row else 0)
        ages.add_metric([state.value], row.oldest_age_seconds if row else 0)
    unsettled.add_metric([], float(sum(row.total for row in found.values())))
    yield from (orders, ages, unsettled)

    pools = GaugeMetricFamily("exchange_pool_usd", "What waits in each pool, US dollars.", labels=["coin"])
    for coin, total in sum_pools().items():
        pools.add_metric([coin], float(total))
    yield pools

    jobs = GaugeMetricFamily("exchange_jobs", "Jobs in the queues.", labels=["queue", "status"])
    job_ages = GaugeMetricFamily(
        "exchange_job_oldest_age_seconds", "How long the oldest job that is due has waited.", labels=["queue"]
    )
    for queue in summarise_jobs():
        for status, count in queue.counts.items():
            jobs.add_metric([queue.name, status], count)
        job_ages.add_metric([queue.name], queue.oldest_due_seconds)
    yield from (jobs, job_ages)

    batches = GaugeMetricFamily("exchange_batches", "Batches that are not closed.", labels=["state"])
    for state_, count in count_batches().items():
        batches.add_metric([state_], count)
    yield batches

    now = timezone.now()
    paused = GaugeMetricFamily("exchange_buying_paused", "Coins that are not bought; no name: all.", labels=["coin"])
    for coin in list_paused_coins(now=now):
        paused.add_metric([coin], 1)
    attention = GaugeMetricFamily("exchange_attention", "What the operators' list names, by kind.", labels=["kind"])
    for concern, count in count_to_do(now=now).items():
        attention.add_metric([concern.value], count)
    yield from (paused, attention)

    findings = GaugeMetricFamily("exchange_findings", "Open findings of reconciliation.", labels=["kind"])
    for kind, count in count_open_findings().items():
        findings.add_metric([kind], count)
    yield findings
