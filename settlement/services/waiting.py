"""Let a batch wait whose coins cannot be bought within the fence, and refund it when it has waited long enough.

The fence alone parks no batch. Staff have to decide only if an earlier purchase of the batch may have been executed.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.exceptions import AskBeyondPriceBound, TopUpTooDear
from settlement.models import Attempt, AttemptState, Batch, BatchState
from settlement.selectors.batches import may_have_bought, waiting_since
from settlement.services.batches import lock_batch, refund_batch
from settlement.services.outcomes import park
from settlement.services.pausing import pause_for_trouble
from settlement.venues.protocol import CoinNotListed, NoAsk
from trading.selectors.pools import is_pool
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_SHORTEST: Final = timedelta(seconds=1)

Stop = NoAsk | TopUpTooDear | AskBeyondPriceBound | CoinNotListed
"""Why a purchase was not sent, although the venue answers."""


def wait_or_give_up(*, attempt: Attempt, error: Stop) -> datetime | None:
    """Return the time to try again, or give the attempt up and return None.

    The waits grow. An attempt is given up after SETTLING_LIMIT_SECONDS; that of a pool at once, if the venue's filters
    make it too dear. Then the batch's orders are refunded, or parked if an earlier purchase may have been executed.
    A list of markets without the coin refunds nobody: the venue may be wrong, so the batch waits for staff's word.
    """
    now = database_now()
    deadline = waiting_since(attempt=attempt) + settings.TO_DO.settling_limit
    if _is_pool_to_refund(attempt, error):
        _give_up(attempt, reason="pool_timed_out", note=str(error))
        return None
    if now >= deadline and not isinstance(error, CoinNotListed):
        _give_up(attempt, reason=_customers_reason(error), note=str(error))
        return None
    until = _next_try(attempt, error, now=now)
    return min(until, deadline) if now < deadline else until


def _is_pool_to_refund(attempt: Attempt, error: Stop) -> bool:
    if not isinstance(error, TopUpTooDear) or may_have_bought(batch_id=attempt.batch.pk):
        return False
    return is_pool(batch_id=attempt.batch.pk)


def _next_try(attempt: Attempt, error: Stop, *, now: datetime) -> datetime:
    """Pause buying of the coin, or let this batch alone wait if only its own orders cannot pay the ask."""
    if isinstance(error, AskBeyondPriceBound | TopUpTooDear):
        longest = timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
        Batch.objects.filter(pk=attempt.batch.pk, state=BatchState.OPEN).update(reason=str(error)[:200])
        return now + min(max(now - waiting_since(attempt=attempt), _SHORTEST), longest)
    return pause_for_trouble(coin=attempt.coin, reason=_in_words(error), at_least_seconds=0, now=now)


def _in_words(error: NoAsk | CoinNotListed) -> str:
    if isinstance(error, CoinNotListed):
        return "the venue's list of markets lacks the coin"
    return f"no ask: {error}"


def _customers_reason(error: Stop) -> str:
    return "price_moved" if isinstance(error, AskBeyondPriceBound) else "refused_by_the_exchange"


@transaction.atomic
def _give_up(attempt: Attempt, *, reason: str, note: str) -> None:
    """End an attempt that was never sent, and refund or park its batch. Changes nothing if another run was first."""
    lock_inventory(asset=attempt.coin.name)
    now = database_now()
    batch = lock_batch(batch_id=attempt.batch_id)
    if may_have_bought(batch_id=batch.pk):
        park(attempt=attempt, from_state=AttemptState.NEW, reason=f"an earlier purchase is in doubt, and {note}")
        return
    ended = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW).update(
        state=AttemptState.NOT_PLACED, ended_at=now, reason=note[:200], excused=True
    )
    if ended:
        refunded = refund_batch(batch=batch, reason=reason, now=now, note=note)
        logger.warning("%s is given up, and %s orders are refunded: %s", batch, refunded, note)
