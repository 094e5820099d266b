"""The facts that may leave this process, and the form that each must have."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

_WORDS: Final = re.compile(r"[A-Za-z0-9_.:/<>^$-]{1,100}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_MOST: Final = 1 << 63

NAMES: Final[Mapping[str, str]] = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "request_id": "request_id",
    "task": "task",
    "queue": "queue",
    "attempts": "attempts",
    "call": "call",
    "venue": "venue",
    "outcome": "outcome",
    "order_id": "order_id",
    "coin_id": "coin_id",
    "batch_id": "batch_id",
    "attempt_id": "attempt_id",
    "intervention_id": "intervention_id",
    "finding_id": "finding_id",
}
"""Names of facts, as the code says them and as they leave. Those of HTTP are OpenTelemetry's semantic conventions."""

_TEXTS: Final = {"method", "route", "task", "queue", "call", "venue", "outcome"}
"""Facts that the code or the environment of this process words. No caller does; `request_id` has to be a UUID."""


def keep_listed(facts: Mapping[str, object]) -> Iterator[tuple[str, str | int]]:
    """Yield the facts that may leave, by the names of the code."""
    return ((name, value) for name, value in facts.items() if isinstance(value, str | int) and _may_leave(name, value))


def _may_leave(name: str, value: str | int) -> bool:
    if name not in NAMES:
        return False
    if isinstance(value, int):
        return name not in _TEXTS and name != "request_id" and abs(value) < _MOST
    form = _UUID if name == "request_id" else _WORDS if name in _TEXTS else None
    return form is not None and form.fullmatch(value) is not None
