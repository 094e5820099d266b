"""Asks settlement to claim orders, by its job's name, inside the database transaction that needs the job."""

from typing import Final

from wallets.runtime.jobs import defer_job

SETTLEMENT_QUEUE: Final = "settlement"
CLAIM_TASK: Final = "settlement.claim_waiting_orders"


def request_claim(*, coin_id: int, delay_seconds: float = 0) -> None:
    """Ask settlement to claim the waiting orders of a coin."""
    defer_job(task=CLAIM_TASK, queue=SETTLEMENT_QUEUE, delay_seconds=delay_seconds, coin_id=coin_id)
