"""Let a batch wait whose coins cannot be bought within the fence, and refund it when it has waited long enough.

The fence alone parks no batch. Staff have to decide only if an earlier purchase of the batch may have been executed.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from settlement.clock import database_now
from settlement.exceptions import AskBeyondPriceBound, AskNotBelieved, TopUpTooDear
from settlement.models import LISTS_APART, AbsentMarket, Attempt, AttemptState, Batch, BatchState, Pause, PauseKind
from settlement.selectors.batches import may_have_bought, waiting_since
from settlement.services.batches import lock_batch, refund_batch
from settlement.services.outcomes import park
from settlement.services.pausing import pause_for_trouble
from settlement.venues.protocol import CoinNotListed, NoAsk
from trading.selectors.pools import is_pool
from trading.selectors.prices import is_suspended
from trading.services.settling import PRICE_MOVED
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

REFUNDED_BY_STAFF: Final = "refunded_by_staff"
NOT_LISTED: Final = "not_listed"
_SHORTEST: Final = timedelta(seconds=1)

Stop = NoAsk | TopUpTooDear | AskBeyondPriceBound | CoinNotListed
"""Why a purchase was not sent, although the venue answers."""


def wait_or_give_up(*, attempt: Attempt, venue: str, error: Stop) -> datetime | None:
    """Return the time to try again, or give the attempt up and return None.

    The waits grow. An attempt is given up after SETTLING_LIMIT_SECONDS; that of a pool at once, if the venue's filters
    make it too dear. Then the batch's orders are refunded, or parked if an earlier purchase may have been executed.
    Orders against which the market has moved are not parked: they wait until that doubt ends or the ask is lower.
    A list of markets without the coin refunds nobody: the venue may be wrong. The batch waits until a list has the coin
    again, or until staff refund it, which they can after two such lists (`is_refund_too_early`).
    """
    now = database_now()
    absent = _record_list(attempt, error, now=now)
    in_doubt = isinstance(error, AskBeyondPriceBound) and may_have_bought(batch_id=attempt.batch.pk)
    deadline = waiting_since(attempt=attempt) + settings.TO_DO.settling_limit
    if _is_pool_to_refund(attempt, error):
        _give_up(attempt, reason="pool_timed_out", note=str(error))
        return None
    if now >= deadline and not (in_doubt or isinstance(error, CoinNotListed)):
        _give_up(attempt, reason=_customers_reason(attempt, error), note=str(error))
        return None
    if in_doubt:
        error = AskBeyondPriceBound(f"{error}, and nothing is refunded until an earlier purchase is no longer in doubt")
    until = _next_try(attempt, error, venue=venue, absent=absent, now=now)
    return min(until, deadline) if now < deadline else until


def _is_pool_to_refund(attempt: Attempt, error: Stop) -> bool:
    if not isinstance(error, TopUpTooDear) or may_have_bought(batch_id=attempt.batch.pk):
        return False
    return is_pool(batch_id=attempt.batch.pk)


def is_refund_too_early(*, batch: Batch) -> str:
    """Say why staff cannot refund a batch that waits because the venue's lists lack its coin, or nothing if they can.

    One such list may be a slip. Other reasons to refund stay: nothing is said while staff have paused buying, or after
    an answer that cannot be true.
    """
    absent = _find_absence(batch)
    if absent is None or absent.is_confirmed:
        return ""
    others = Pause.objects.filter(Q(coin=batch.coin_id) | Q(coin=None), kind__in=[PauseKind.STAFF, PauseKind.UNTRUE])
    if others.exists():
        return ""
    minutes = LISTS_APART.total_seconds() / 60
    return (
        f"The venue's list of markets lacks the coin, but so far only {absent}. Refund it when a list"
        f" {minutes:.0f} minutes after the first lacks it too; the batch goes on by itself if a list has it again."
    )


def reason_of_staffs_refund(*, batch: Batch) -> str:
    """Return what customers read when staff refund a batch: that the coin is not listed, if two lists lacked it."""
    absent = _find_absence(batch)
    return NOT_LISTED if absent and absent.is_confirmed else REFUNDED_BY_STAFF


def _find_absence(batch: Batch) -> AbsentMarket | None:
    return AbsentMarket.objects.filter(attempt__batch=batch, attempt__state=AttemptState.NEW).first()


def _record_list(attempt: Attempt, error: Stop, *, now: datetime) -> AbsentMarket | None:
    """Record that a list lacked the coin, and return the evidence; forget it after a list that had the coin."""
    if not isinstance(error, CoinNotListed):
        AbsentMarket.objects.filter(attempt=attempt).delete()
        return None
    absent, is_first = AbsentMarket.objects.get_or_create(
        attempt=attempt, defaults={"first_at": now, "latest_at": now, "lists": 1}
    )
    if not is_first:
        AbsentMarket.objects.filter(pk=absent.pk).update(latest_at=Greatest(F("latest_at"), now), lists=F("lists") + 1)
        absent.refresh_from_db()
    return absent


def _next_try(attempt: Attempt, error: Stop, *, venue: str, absent: AbsentMarket | None, now: datetime) -> datetime:
    """Pause buying of the coin, or let this batch alone wait if only its own orders cannot pay the ask."""
    if isinstance(error, AskBeyondPriceBound | TopUpTooDear):
        waited = now - waiting_since(attempt=attempt)
        longest = timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
        if isinstance(error, AskBeyondPriceBound) and waited < settings.TO_DO.settling_limit:
            longest = min(longest, settings.PRICES.valid_for)  # by then the price of new orders is compared
        Batch.objects.filter(pk=attempt.batch.pk, state=BatchState.OPEN).update(reason=str(error)[:200])
        return now + min(max(waited, _SHORTEST), longest)
    reason = _in_words(attempt, error, absent)
    return pause_for_trouble(venue=venue, coin=attempt.coin, reason=reason, at_least_seconds=0, now=now)


def _in_words(attempt: Attempt, error: NoAsk | CoinNotListed, absent: AbsentMarket | None) -> str:
    if isinstance(error, CoinNotListed):
        return (
            f"the venue's list of markets lacks the coin ({absent}). Compare the venue's notices; batch"
            f" {attempt.batch_id} goes on by itself with a list that has it; else refund it"
        )
    return f"no ask: {error}"


def _customers_reason(attempt: Attempt, error: Stop) -> str:
    """Return what customers read: that the price has moved, also if we believe the new one not or not yet."""
    has_moved = isinstance(error, AskBeyondPriceBound | AskNotBelieved)
    if has_moved or (isinstance(error, NoAsk) and is_suspended(coin=attempt.coin)):
        return PRICE_MOVED
    return "refused_by_the_exchange"


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
