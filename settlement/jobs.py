"""The names of settlement's jobs and queues: stable strings, for jobs outlive deployments."""

from typing import Final

from trading.events import SETTLEMENT_QUEUE, defer_job

SETTLE_TASK: Final = "settlement.settle_batch"
OPS_QUEUE: Final = "ops"


def settle_batch_later(*, batch_id: int, delay_seconds: float = 0) -> None:
    """Enqueue the batch's next step, inside the running transaction."""
    defer_job(task=SETTLE_TASK, queue=SETTLEMENT_QUEUE, delay_seconds=_whole(delay_seconds), batch_id=batch_id)


def _whole(seconds: float) -> int:
    """Procrastinate schedules by whole seconds; a short wait is one second, not none."""
    return max(1, round(seconds)) if seconds > 0 else 0
