"""The money side's metrics for Prometheus."""

from typing import Final

from django.db import transaction
from prometheus_client import Counter

_SECURITY_EVENTS: Final = Counter(
    "exchange_security_events",
    "Entries of the security log, also those left out because their network had too many in a minute.",
    ["kind", "realm"],
)


def count_security_event_after_commit(*, kind: str, realm: str) -> None:
    """Count an event once the current database transaction, if any, has committed."""
    transaction.on_commit(_SECURITY_EVENTS.labels(kind, realm).inc)
