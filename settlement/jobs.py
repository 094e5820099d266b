"""Enqueue settlement's jobs by name. The names never change, because jobs outlive deployments."""

from typing import Final

from trading.jobs import SETTLEMENT_QUEUE, defer_job

SETTLE_TASK: Final = "settlement.settle_batch"
INTERVENE_TASK: Final = "settlement.intervene"
RECHECK_TASK: Final = "settlement.recheck_attempt"
OPS_QUEUE: Final = "ops"
RECHECK_QUEUE: Final = "rechecks"


def settle_batch_later(*, batch_id: int, delay_seconds: float = 0) -> None:
    """Enqueue the batch's next step in the current database transaction."""
    defer_job(task=SETTLE_TASK, queue=SETTLEMENT_QUEUE, delay_seconds=delay_seconds, batch_id=batch_id)


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
