"""Jobs of settlement, deferred by name inside the database transaction that they follow from.

`_defer_app` exists for deferring alone. It always uses Django's own connection; the app that a worker
runs does not (it has a pool of its own), so a job deferred with that one would outlive a rollback.
"""

from typing import Any, Final

import procrastinate
from procrastinate.contrib.django.django_connector import DjangoConnector

SETTLEMENT_QUEUE: Final = "settlement"
CLAIM_TASK: Final = "settlement.claim_waiting_orders"

_defer_app = procrastinate.App(connector=DjangoConnector())


def defer_job(*, task: str, queue: str, delay_seconds: float = 0, **arguments: Any) -> None:
    """Enqueue a job that commits or rolls back with the running database transaction. One statement.

    Procrastinate schedules by whole seconds; a short wait is one second, not none.
    """
    when = {"schedule_in": {"seconds": max(1, round(delay_seconds))}} if delay_seconds > 0 else {}
    _defer_app.configure_task(task, queue=queue, **when).defer(**arguments)  # type: ignore[arg-type]  # a dict of options


def request_claim(*, coin_id: int, delay_seconds: float = 0) -> None:
    """Have settlement claim the waiting orders of a coin."""
    defer_job(task=CLAIM_TASK, queue=SETTLEMENT_QUEUE, delay_seconds=delay_seconds, coin_id=coin_id)
