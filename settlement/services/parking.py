"""The way back from `parked`."""

import logging

from django.db import transaction

from settlement.clock import database_now
from settlement.exceptions import BatchNotRetryable
from settlement.jobs import settle_batch_later
from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState
from wallets.services.ledger import lock_inventory

logger = logging.getLogger(__name__)


@transaction.atomic
def retry_parked_batch(*, batch_id: int) -> Attempt:
    """Begin a new attempt for what a parked batch still needs.

    Raises BatchNotRetryable while the coin has an attempt in flight, and for good when an attempt of the batch
    was parked after it had been sent: what it bought is not booked, so buying again would buy twice.
    """
    batch = Batch.objects.select_related("coin").get(pk=batch_id)
    lock_inventory(asset=batch.coin.name)  # the coin's turn, as claims and bookings take it
    batch = Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=batch_id)
    if batch.state != BatchState.PARKED:
        raise BatchNotRetryable("Only a parked batch is retried.")
    if batch.attempts.filter(state=AttemptState.PARKED, signed_at__isnull=False).exists():
        raise BatchNotRetryable("An attempt was parked after it had been sent: it may have bought.")
    if Attempt.objects.filter(coin=batch.coin, state__in=IN_FLIGHT).exists():
        raise BatchNotRetryable("Another purchase of this coin is under way. Try again in a moment.")
    batch.state, batch.reason = BatchState.OPEN, ""
    batch.save(update_fields=["state", "reason"])
    now = database_now()
    last = batch.attempts.order_by("-number").values_list("number", flat=True).first() or 0
    attempt = Attempt.objects.create(batch=batch, coin=batch.coin, number=last + 1, next_step_at=now, created_at=now)
    settle_batch_later(batch_id=batch.pk)
    logger.info("%s is retried by an operator", batch, extra={"batch_id": batch.pk})
    return attempt
