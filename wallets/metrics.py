"""The money side's metrics for Prometheus."""

from collections.abc import Iterable
from itertools import product
from typing import Final

from django.db import transaction
from prometheus_client import Counter

_SECURITY_EVENTS: Final = Counter(
    "exchange_security_events",
    "Entries of the security log, also those left out because their network had too many in a minute.",
    ["kind", "realm"],
)


def show_security_events(*, kinds: Iterable[str], realms: Iterable[str]) -> None:
    """Report zero for events that have not happened: Prometheus sees no increase in a counter that begins at one."""
    for kind, realm in product(kinds, realms):
        _SECURITY_EVENTS.labels(kind, realm)


def count_security_event_after_commit(*, kind: str, realm: str) -> None:
    """Count an event once the current database transaction, if any, has committed."""
    transaction.on_commit(_SECURITY_EVENTS.labels(kind, realm).inc)
