"""Answers that the front gives by itself. They are logged and counted like Django's answers; so are callers who go."""

import json
import time
from typing import Final

from django.conf import settings

from exchange_site.front.arrivals import Arrival, is_call
from exchange_site.front.late import LateAnswers
from exchange_site.middleware.requests import choose_request_id, record_answer
from wallets.runtime.log_context import log_context
from wallets.web.problems import PROBLEM_JSON, ProblemKind, problem_body
from wallets.web.waiting_answers import UNKNOWN_ROUTE

_CLOSED_BY_CALLER: Final = 499


def refuse(
    arrival: Arrival, kind: ProblemKind, *, detail: str = "", closes: bool = False, late: LateAnswers | None = None
) -> None:
    """Answer with a problem; with `closes`, the connection ends after it. Without effect after another answer.

    With `late` the answer is held back for a while.
    """
    request_id = _request_id_of(arrival)
    headers = [("content-type", PROBLEM_JSON), ("x-request-id", request_id), *_for_origin(arrival)]
    if kind.retry_after_seconds is not None:
        headers.append(("retry-after", str(kind.retry_after_seconds)))
    if closes:
        headers.append(("connection", "close"))
    body = json.dumps(problem_body(kind, request_id=request_id, detail=detail or kind.example)).encode()
    if late:
        late.hold(arrival, kind.status, headers, body)
    else:
        arrival.proto.response_bytes(kind.status, headers, body)
    _record(arrival, status=kind.status, request_id=request_id)


def record_gone(arrival: Arrival) -> None:
    """Log and count a request whose caller went before it was answered, with the status that nginx has for that."""
    _record(arrival, status=_CLOSED_BY_CALLER, request_id=_request_id_of(arrival))


def _record(arrival: Arrival, *, status: int, request_id: str) -> None:
    route = arrival.waited.route if arrival.waited else UNKNOWN_ROUTE
    with log_context(request_id=request_id):
        seconds = time.monotonic() - arrival.begun
        record_answer(method=arrival.method, route=route, status=status, seconds=seconds)


def _for_origin(arrival: Arrival) -> list[tuple[str, str]]:
    """Return the headers without which a browser hides the answer from a page of another origin, if that is allowed."""
    origin = arrival.scope.headers.get("origin")
    if origin not in settings.CORS_ALLOWED_ORIGINS or not is_call(arrival):
        return []
    exposed = ", ".join(settings.CORS_EXPOSE_HEADERS)
    return [("access-control-allow-origin", origin), ("access-control-expose-headers", exposed), ("vary", "origin")]


def _request_id_of(arrival: Arrival) -> str:
    """Return the id that a request has had since it began to wait; else the caller's, or a new one."""
    if arrival.waited is not None:
        return arrival.waited["X-Request-ID"]
    return choose_request_id(arrival.scope.headers.get("x-request-id", ""))
