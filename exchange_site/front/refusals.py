"""Answers that the front gives by itself. They are logged and counted like Django's answers."""

import json
import time
from typing import Final

from exchange_site.front.arrivals import Arrival
from exchange_site.front.late import LateAnswers
from exchange_site.middleware.requests import choose_request_id, record_answer
from wallets.runtime.log_context import log_context
from wallets.web.problems import PROBLEM_JSON, ProblemKind, problem_body

_ROUTE: Final = "unknown"


def refuse(
    arrival: Arrival, kind: ProblemKind, *, detail: str = "", closes: bool = False, late: LateAnswers | None = None
) -> None:
    """Answer with a problem; with `closes`, the connection ends after it. Without effect after another answer.

    With `late` the answer is held back for a while.
    """
    request_id = _request_id_of(arrival)
    headers = [("content-type", PROBLEM_JSON), ("x-request-id", request_id)]
    if kind.retry_after_seconds is not None:
        headers.append(("retry-after", str(kind.retry_after_seconds)))
    if closes:
        headers.append(("connection", "close"))
    body = json.dumps(problem_body(kind, request_id=request_id, detail=detail or kind.example)).encode()
    if late:
        late.hold(arrival, kind.status, headers, body)
    else:
        arrival.proto.response_bytes(kind.status, headers, body)
    with log_context(request_id=request_id):
        seconds = time.monotonic() - arrival.begun
        record_answer(method=arrival.scope.method, route=_ROUTE, status=kind.status, seconds=seconds)


def _request_id_of(arrival: Arrival) -> str:
    """Return the id that a request has had since it began to wait; else the caller's, or a new one."""
    if arrival.waited is not None:
        return arrival.waited["X-Request-ID"]
    return choose_request_id(arrival.scope.headers.get("x-request-id", ""))
