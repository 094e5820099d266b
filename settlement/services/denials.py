"""End attempts that the venue denies: sent, then not found by id, nor in the venue's lists.

A venue may deny an order that it has filled. So a batch buys once more after its first denial, and staff decide after
the second. Whatever the venue denied is looked up again before the batch buys again, and later for a day.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Subquery

from settlement.clock import database_now
from settlement.models import Attempt, AttemptState, Batch, FindingKind
from settlement.services.asking import growing_wait, look_up_in_both
from settlement.services.batches import lock_batch, park_batch
from settlement.services.choosing import GetVenue
from settlement.services.ending import end_attempt
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.late_coins import name_denials
from settlement.services.outcomes import book_late_fill, doubt_late_answer, leave_to_staff, presume_not_placed
from settlement.venues.configured import VenueNotConfigured
from settlement.venues.protocol import Executed, OrderNotFound, Unknown, Untrue, VenueAnswer
from settlement.waits import bounded
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_MOST_DENIALS: Final = 2
_REASON: Final = "not found after its window, nor in the venue's lists"


@transaction.atomic
def end_denied(*, attempt: Attempt) -> None:
    """End a sent attempt that neither the lookups nor the venue's lists know.

    After the batch's first denial, begin another attempt. After the second, park the batch and raise a finding.
    """
    lock_inventory(asset=attempt.coin.name)
    if not Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).exists():
        return
    Batch.objects.filter(pk=attempt.batch.pk).update(denials=F("denials") + 1)
    batch = lock_batch(batch_id=attempt.batch_id)
    if batch.denials < _MOST_DENIALS:
        presume_not_placed(attempt=attempt, reason=_REASON)
    else:
        _park_denied(attempt, batch, now=database_now())


def find_before_repeat(*, attempt: Attempt, get_venue: GetVenue) -> datetime | None:
    """Look up the batch's purchase before a new attempt, if its venue denied it or said that it was not accepted.

    That is the last one, or else the newest that is still rechecked: others may have been bought since, without the
    orders that were left aside for it, and the venue may refuse the new attempt for good.

    Return None if the new attempt may be sent, or the time to try again. If the earlier purchase was executed after
    all, its coins are booked, and the new attempt buys what is missing or is withdrawn. If the venue says what cannot
    be true, staff decide. Where requests do not expire, nothing is looked up: such a venue's denial proves nothing, so
    it never leads to a new attempt.
    """
    if attempt.number == 1:
        return None
    sent = Attempt.objects.filter(batch_id=attempt.batch.pk, signed_at__isnull=False).order_by("-number")
    is_last = Q(number=Subquery(sent.values("number")[:1]))  # others may have been withdrawn
    not_placed = sent.filter(is_last | Q(recheck_at__isnull=False), state=AttemptState.NOT_PLACED)
    denied = not_placed.select_related("batch", "coin").first()
    if denied is None:
        return None
    answer = _look_up_unless_denials_prove_nothing(denied, get_venue)
    if isinstance(answer, OrderNotFound) or (isinstance(answer, Executed) and answer.final and not answer.quantity):
        return None
    now = database_now()
    if isinstance(answer, Untrue):
        doubt_late_answer(attempt=denied, answer=answer)
        leave_to_staff(attempt=denied)
        return now
    if isinstance(answer, Executed) and answer.final:
        if not book_late_fill(attempt=denied, execution=answer):
            leave_to_staff(attempt=denied)
        return now
    denied.lookups += 1
    Attempt.objects.filter(pk=denied.pk).update(lookups=denied.lookups)
    asked_for = bounded(answer.retry_after_seconds) if isinstance(answer, Unknown) else 0.0
    logger.warning("%s waits: the purchase before it, %s, is unclear: %s", attempt, denied, answer)
    return now + timedelta(seconds=max(growing_wait(lookups=denied.lookups), asked_for))


def _look_up_unless_denials_prove_nothing(denied: Attempt, get_venue: GetVenue) -> VenueAnswer:
    """Look up an attempt at its own venue. Without keys for that venue, what became of it stays unknown."""
    try:
        venue = get_venue(denied.place)
    except VenueNotConfigured as error:
        return Unknown(reason=str(error))
    return look_up_in_both(attempt=denied, venue=venue) if venue.requests_expire else OrderNotFound()


def _park_denied(attempt: Attempt, batch: Batch, *, now: datetime) -> None:
    """Give the attempt up, to be looked up later, and let staff decide about its batch."""
    recheck_at = now + settings.SETTLEMENT.recheck_first_wait
    end_attempt(
        attempt, AttemptState.SENT, state=AttemptState.NOT_PLACED, now=now, reason=_REASON, recheck_at=recheck_at
    )
    assert attempt.quantity is not None
    sent = batch.attempts.filter(signed_at__isnull=False).order_by("number")
    numbers = ", ".join(str(number) for number in sent.values_list("number", flat=True))
    contradiction = Contradiction(
        kind=FindingKind.MISSING,
        subject=name_denials(batch=batch),
        ours=f"attempts {numbers} were sent; the last for {attempt.quantity.normalize():f} {batch.coin}",
        theirs=f"{batch.denials} of them not found by id ({attempt.not_found} times), nor in the lists",
        coin=batch.coin,
        venue=attempt.place,
    )
    raise_finding(contradiction=contradiction, now=now)
    reason = (
        f"{batch.denials} purchases were sent, and the venue denies them by id and in its lists; "
        "compare its account's history and balance, then look up, buy again or refund"
    )
    park_batch(batch=batch, reason=reason)
