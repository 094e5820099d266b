"""Enqueue settlement's jobs by name. The names never change, because jobs outlive deployments."""

from math import ceil
from typing import Final

from trading.jobs import SETTLEMENT_QUEUE
from wallets.runtime import clock
from wallets.runtime.jobs import defer_job, defer_job_once

SETTLE_TASK: Final = "settlement.settle_batch"
INTERVENE_TASK: Final = "settlement.intervene"
WATCH_TASK: Final = "settlement.watch_database"
RECHECK_TASK: Final = "settlement.recheck_attempt"
ADOPT_TASK: Final = "settlement.adopt_order"
BOOKS_TASK: Final = "settlement.refresh_books"
CONFIRM_TASK: Final = "settlement.confirm_prices"
ACCOUNT_TASK: Final = "settlement.read_account_of"
BALANCES_TASK: Final = "settlement.compare_balances_of"
RECONCILE_TASK: Final = "settlement.reconcile_at"
OPS_QUEUE: Final = "ops"
RECHECK_QUEUE: Final = "rechecks"
_FIRST: Final = 1
"""The priority of work that has begun. All other jobs have Procrastinate's priority 0."""


def settle_batch_later(*, batch_id: int | None, delay_seconds: float = 0) -> None:
    """Enqueue the batch's next step in the current database transaction. The delay is rounded up to whole seconds.

    A step that is due at once runs before what waits: claims of its coin could begin nothing meanwhile. A later one
    waits its turn, so that many attempts of a silent venue do not keep other coins from being claimed.
    """
    assert batch_id is not None, "nothing settles an adopted attempt"
    defer_job(
        task=SETTLE_TASK,
        queue=SETTLEMENT_QUEUE,
        delay_seconds=ceil(delay_seconds),
        priority=0 if delay_seconds > 0 else _FIRST,
        batch_id=batch_id,
    )


def recheck_attempt_later(*, attempt_id: int) -> None:
    """Enqueue a recheck of an attempt that was presumed not placed."""
    defer_job(task=RECHECK_TASK, queue=RECHECK_QUEUE, attempt_id=attempt_id)


def intervene_later(*, intervention_id: int, delay_seconds: float = 0) -> None:
    """Enqueue the job that carries out an intervention."""
    defer_job(
        task=INTERVENE_TASK,
        queue=SETTLEMENT_QUEUE,
        delay_seconds=delay_seconds,
        intervention_id=intervention_id,
    )


def watch_database_later() -> None:
    """Enqueue the job that asks the venue what the database may have forgotten."""
    defer_job(task=WATCH_TASK, queue=OPS_QUEUE, timestamp=_timestamp())


def refresh_books_later() -> None:
    """Enqueue the job that asks for frozen books, unless it waits already."""
    defer_job_once(task=BOOKS_TASK, queue=OPS_QUEUE, queueing_lock="refresh_books", timestamp=_timestamp())


def confirm_prices_later() -> None:
    """Enqueue the job that asks the second source about suspect prices, unless it waits already."""
    defer_job_once(task=CONFIRM_TASK, queue=OPS_QUEUE, queueing_lock="confirm_prices", timestamp=_timestamp())


def adopt_order_later(*, finding_id: int) -> None:
    """Enqueue the job that adopts an order at the venue, as staff decided about its finding."""
    defer_job(task=ADOPT_TASK, queue=OPS_QUEUE, finding_id=finding_id)


def work_at_venue_later(*, task: str, venue: str) -> None:
    """Enqueue a job about one venue, unless it waits already."""
    defer_job_once(task=task, queue=OPS_QUEUE, queueing_lock=f"{task} {venue}", venue=venue, timestamp=_timestamp())


def _timestamp() -> int:
    """Return the argument of a periodic task, with which it is left out while an earlier run works."""
    return int(clock.now().timestamp())
