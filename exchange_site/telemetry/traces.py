"""Exports traces by OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/).

Nothing is registered with OpenTelemetry as a whole, so that no other library can export spans of its own. Callers'
`traceparent` is not read, because a stranger would decide what is traced; and venues are not sent ours.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from exchange_site.configuration.telemetry import Telemetry
from exchange_site.telemetry.facts import NAMES, keep_listed
from exchange_site.version import VERSION
from wallets.runtime.tracing import Fact, Kind, trace_with

_EXPORT_SECONDS: Final = 5
_FLUSH_SECONDS: Final = 2
_SERVER_ERROR: Final = 500
_KINDS: Final[Mapping[Kind, trace.SpanKind]] = {
    "request": trace.SpanKind.SERVER,
    "job": trace.SpanKind.CONSUMER,
    "call": trace.SpanKind.CLIENT,
}
_TITLES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "request": ("method", "route"),
    "job": ("task",),
    "call": ("venue", "call"),
}
_PARENT: Final = "traceparent"  # https://www.w3.org/TR/trace-context/
_propagator: Final = TraceContextTextMapPropagator()


def export_traces(given: Telemetry) -> Callable[[], object]:
    """Export traces from now on. Return what sends the spans that still wait, for at most two seconds."""
    exporter = OTLPSpanExporter(
        endpoint=f"{given.otlp_endpoint.rstrip('/')}/v1/traces",
        headers=given.headers_of_otlp(),
        timeout=_EXPORT_SECONDS,
    )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(given.sampled_share)),
        resource=Resource({"service.name": given.service_name, "service.version": VERSION}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_with(OpenTelemetryTracer(provider))
    return lambda: _flush(provider)


def _flush(provider: TracerProvider) -> None:
    """Send the spans that wait, in a thread: the library's own flush waits for a collector that is away."""
    sending = Thread(target=provider.force_flush, name="last-spans", daemon=True)
    sending.start()
    sending.join(_FLUSH_SECONDS)


class OpenTelemetryTracer:
    """Makes spans of the listed facts alone."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("crypto-exchange", VERSION)

    @contextmanager
    def begin(self, kind: Kind, *, parent: str, **facts: Fact) -> Iterator["_Span"]:
        """Make a span around a block; an exception leaves only its type in it."""
        with self._tracer.start_as_current_span(
            _title(kind, facts),
            context=_context_of(kind, parent),
            kind=_KINDS[kind],
            attributes=_attributes(facts),
            record_exception=False,
            set_status_on_exception=False,
        ) as begun:
            span = _Span(kind, begun, facts)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__qualname__)
                raise

    def hand_on(self, **facts: Fact) -> str:
        """Make a span of its own for a job that is enqueued, and return the job's parent; empty outside a trace."""
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return ""
        carrier: dict[str, str] = {}
        with self._tracer.start_as_current_span(
            f"enqueue {facts.get('task')}", kind=trace.SpanKind.PRODUCER, attributes=_attributes(facts)
        ):
            _propagator.inject(carrier)
        return carrier[_PARENT]


class _Span:
    def __init__(self, kind: Kind, span: trace.Span, facts: Mapping[str, Fact]) -> None:
        self._kind, self._span, self._facts = kind, span, dict(facts)

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def note(self, **facts: Fact) -> None:
        self._facts |= facts
        self._span.set_attributes(_attributes(facts))
        self._span.update_name(_title(self._kind, self._facts))
        status = facts.get("status")
        if isinstance(status, int) and status >= _SERVER_ERROR:
            self.fail(str(status))

    def fail(self, why: str) -> None:
        self._span.set_attribute("error.type", why)
        self._span.set_status(trace.StatusCode.ERROR)


def _context_of(kind: Kind, parent: str) -> Context | None:
    """Return the context that a span continues; None is the current one, and an empty one begins a trace."""
    return None if kind == "call" else _propagator.extract({_PARENT: parent}, context=Context())


def _title(kind: Kind, facts: Mapping[str, Fact]) -> str:
    kept = dict(keep_listed(facts))
    return " ".join(str(kept[name]) for name in _TITLES[kind] if name in kept) or kind


def _attributes(facts: Mapping[str, Fact]) -> dict[str, str | int]:
    return {NAMES[name]: value for name, value in keep_listed(facts)}
