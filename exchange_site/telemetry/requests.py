"""The middleware that makes a span of each request. The settings name it only if traces are exported."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from wallets.runtime import tracing
from wallets.runtime.log_context import add_to_log_context, current_ids
from wallets.web.waiting_answers import WaitingAnswer

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNTRACED: Final = ("/health", "/metrics", "/static/")


class RequestSpan:
    """Make a span of each request, but of health checks, scrapes and static files. Log lines get the trace's id.

    A request that waits has two spans: one until it waits, and one in which it is answered.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_UNTRACED):
            return self.get_response(request)
        method = request.method if request.method in _METHODS else "other"
        with tracing.span("request", method=method) as span:
            add_to_log_context(trace_id=span.trace_id)
            response = self.get_response(request)
            route = request.resolver_match.route if request.resolver_match else "unknown"
            end = {"outcome": "waits"} if isinstance(response, WaitingAnswer) else {"status": response.status_code}
            span.note(**current_ids(), route=f"/{route}", **end)
        return response
