"""Refund the orders of a batch against which the market has moved too far, before the purchase is sent."""

import logging

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.models import Attempt, AttemptState, BatchState
from settlement.selectors.batches import may_have_bought
from settlement.services.batches import close_batch, lock_batch
from trading.price_moves import Comparison
from trading.services.price_moves import refund_moved_settling, return_to_pool
from trading.services.settling import PRICE_MOVED, sum_open_orders
from wallets.runtime import failpoints
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)


@transaction.atomic
def refund_moved_orders(*, attempt: Attempt, comparison: Comparison) -> bool:
    """Refund the batch's orders that have moved. Return False if the attempt is not to be sent afterwards.

    Nothing is refunded if another run has sent or ended the attempt, or while an earlier purchase of the batch may have
    been executed: then these orders are left aside until a better ask, or until the end of the doubt. If the other
    orders are a pool that is no longer due, they wait in it again. A batch without orders is closed.

    The attempt's row is locked and its time changes, so a run that has summed up the orders before cannot send.
    """
    lock_inventory(asset=attempt.coin.name)
    batch = lock_batch(batch_id=attempt.batch_id)
    unsent, now = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW), database_now()
    unchanged = unsent.filter(next_step_at=attempt.next_step_at)
    if may_have_bought(batch_id=batch.pk) or not unchanged.update(next_step_at=now):
        return True
    attempt.next_step_at = now
    refunded = refund_moved_settling(batch_id=batch.pk, comparison=comparison, now=now)
    failpoints.reach("moved.refunded")
    logger.warning("the price has moved: %s of %s are refunded", refunded, batch)
    if not batch.attempts.filter(signed_at__isnull=False).exists():
        return_to_pool(batch_id=batch.pk, threshold=settings.POOLS.threshold, now=now)
    if sum_open_orders(batch_id=batch.pk).count:
        return True
    reason = "every order is refunded or waits in its pool again"
    unsent.update(state=AttemptState.NOT_PLACED, ended_at=now, excused=True, reason=reason)
    if refunded:
        close_batch(batch=batch, state=BatchState.REFUNDED, reason=PRICE_MOVED, now=now)
    else:
        close_batch(batch=batch, state=BatchState.SETTLED, reason=reason, now=now)
    return False
