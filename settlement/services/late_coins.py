"""Deliver coins that turn up later: bought by a purchase that we had given up, or found and adopted."""

import logging
from datetime import datetime

from settlement.models import Batch, BatchState, Finding, FindingKind
from settlement.services.batches import complete_from_stock, lock_batch
from trading.models import Coin

logger = logging.getLogger(__name__)


def deliver_late_coins(*, coin: Coin, reference: str, now: datetime) -> int:
    """Complete whole orders of the coin's open and parked batches, the oldest first, with coins that nobody reserved.

    Return the number of completed orders. The caller has booked the coins to inventory under `reference` in the same
    database transaction, and holds the lock on the coin's inventory.
    """
    completed = 0
    unsettled = Batch.objects.filter(coin=coin, state__in=[BatchState.OPEN, BatchState.PARKED])
    for batch_id in unsettled.order_by("pk").values_list("pk", flat=True):
        batch = lock_batch(batch_id=batch_id)
        count = complete_from_stock(batch=batch, reference=f"{reference}:batch:{batch_id}", now=now)
        if count:
            logger.warning("%s of %s is delivered %s orders from coins that turned up", batch, coin, count)
        completed += count
    return completed


def name_denials(*, batch: Batch) -> str:
    """Return the subject of the finding about a batch whose purchases the venue denies."""
    return f"purchases of {batch}"


def end_doubt(*, batch: Batch, now: datetime) -> None:
    """Close the finding that the venue denies the batch's purchases, because one of them has turned up."""
    denied = Finding.objects.filter(kind=FindingKind.MISSING, subject=name_denials(batch=batch), closed_at=None)
    denied.update(closed_at=now)
