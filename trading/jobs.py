"""Defers settlement's jobs by name, inside the database transaction that needs the job.

`_defer_app` only defers jobs. It always uses Django's own connection. The worker's app has a connection pool
of its own, so a rollback would not remove a job that was deferred through the worker's app.
"""

from typing import Any, Final

import procrastinate
from procrastinate.contrib.django.django_connector import DjangoConnector

SETTLEMENT_QUEUE: Final = "settlement"
CLAIM_TASK: Final = "settlement.claim_waiting_orders"

_defer_app = procrastinate.App(connector=DjangoConnector())


def defer_job(*, task: str, queue: str, delay_seconds: float = 0, **arguments: Any) -> None:
    """Enqueue a job that commits or rolls back with the running database transaction. One statement.

    Procrastinate schedules by whole seconds: a positive delay below one second becomes one second.
    """
    when = {"schedule_in": {"seconds": max(1, round(delay_seconds))}} if delay_seconds > 0 else {}
    _defer_app.configure_task(task, queue=queue, **when).defer(**arguments)  # type: ignore[arg-type]  # a dict of options


def request_claim(*, coin_id: int, delay_seconds: float = 0) -> None:
    """Ask settlement to claim the waiting orders of a coin."""
    defer_job(task=CLAIM_TASK, queue=SETTLEMENT_QUEUE, delay_seconds=delay_seconds, coin_id=coin_id)
