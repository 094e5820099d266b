"""Ask for an intervention: staff decide and say why, and a worker carries it out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from settlement.exceptions import InterventionRefused
from settlement.jobs import intervene_later
from settlement.models import Attempt, AttemptState, Batch, Intervention, InterventionAction
from wallets.models import User

_OF_AN_ATTEMPT: Final = (InterventionAction.MARK_FILLED, InterventionAction.MARK_NOT_PLACED)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A purchase as staff found it at the venue: coins, quote asset, and commission taken in the coin."""

    quantity: Decimal
    cost: Decimal
    commission: Decimal


@transaction.atomic
def request_intervention(
    *,
    batch: Batch,
    action: InterventionAction,
    reason: str,
    requested_by: User,
    now: datetime,
    figures: Figures | None = None,
) -> Intervention:
    """Record a decision of staff, and enqueue it.

    Raises InterventionRefused when it is about an attempt and none is in doubt.
    """
    attempt = None
    if action in _OF_AN_ATTEMPT:
        attempt = find_in_doubt(batch=batch).exclude(state=AttemptState.NOT_PLACED).order_by("-number").first()
        if attempt is None:
            raise InterventionRefused("No attempt of this batch is in doubt.")
    intervention = Intervention.objects.create(
        batch=batch,
        attempt=attempt,
        action=action,
        reason=reason,
        requested_by=requested_by,
        requested_at=now,
        **(vars(figures) if figures else {}),
    )
    intervene_later(intervention_id=intervention.pk)
    return intervention


def find_in_doubt(*, batch: Batch) -> QuerySet[Attempt]:
    """Return the attempts that were sent and have no booked answer: not yet known, parked, or still rechecked."""
    is_open = Q(state__in=[AttemptState.SENT, AttemptState.PARKED]) | Q(recheck_at__isnull=False)
    return batch.attempts.filter(is_open, signed_at__isnull=False)
