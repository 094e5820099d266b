"""Request an intervention: staff decide and give a reason, and a worker carries the decision out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from settlement.exceptions import InterventionRefused
from settlement.jobs import intervene_later
from settlement.models import (
    GIVEN_UP,
    IN_DOUBT,
    UNDECIDED,
    Attempt,
    Batch,
    Finding,
    FindingKind,
    Intervention,
    InterventionAction,
)
from trading.models import Order
from wallets.models import User

_OF_AN_ATTEMPT: Final = (
    InterventionAction.MARK_FILLED,
    InterventionAction.MARK_NOT_PLACED,
    InterventionAction.BOOK_EXCESS,
)
_OF_WHAT_WAS_BOUGHT: Final = (InterventionAction.MARK_FILLED, InterventionAction.BOOK_EXCESS)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A purchase's figures that staff read at the venue: `cost` is in the quote asset, the others in coins."""

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
    """Record a decision of staff, and enqueue the job that carries the decision out.

    Raises InterventionRefused when `action` marks an attempt and no attempt of the batch is in doubt, and when the
    batch holds an order of the staff member: nobody decides about their own orders. A lookup decides nothing.
    """
    ensure_may_decide(batch=batch, action=action, decided_by=requested_by)
    attempt = find_attempt(batch=batch, action=action)
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


def ensure_may_decide(*, batch: Batch, action: InterventionAction, decided_by: User) -> None:
    """Refuse a decision of somebody who has an order in the batch. Raises InterventionRefused."""
    if action != InterventionAction.LOOK_UP and _holds_an_order_of(decided_by, batch=batch):
        raise InterventionRefused("The batch holds an order of yours. Ask somebody else to decide.")


def find_attempt(*, batch: Batch, action: InterventionAction) -> Attempt | None:
    """Return the attempt that `action` marks, or None if it marks none. Raises InterventionRefused.

    That is an undecided one. If there is none, what was bought may be that of an attempt that was given up.
    """
    if action not in _OF_AN_ATTEMPT:
        return None
    in_doubt = find_in_doubt(batch=batch).order_by("-number")
    attempt = in_doubt.filter(UNDECIDED).first()
    if attempt is None and action in _OF_WHAT_WAS_BOUGHT:
        attempt = find_disbelieved(batch=batch).order_by("-number").first()
    if attempt is None and action == InterventionAction.BOOK_EXCESS:
        attempt = in_doubt.first()
    if attempt is None:
        raise InterventionRefused("No attempt of this batch is in doubt.")
    return attempt


def _holds_an_order_of(user: User, *, batch: Batch) -> bool:
    return Order.objects.filter(batch_id=batch.pk, customer_id=user.pk).exists()


def find_in_doubt(*, batch: Batch) -> QuerySet[Attempt]:
    """Return the batch's attempts that the venue may have executed without our books saying so."""
    return batch.attempts.filter(IN_DOUBT | _disbelieved())


def find_disbelieved(*, batch: Batch) -> QuerySet[Attempt]:
    """Return the batch's attempts that were given up and that a finding says the venue knows, in a way not booked."""
    return batch.attempts.filter(_disbelieved())


def _disbelieved() -> Q:
    open_ = Finding.objects.filter(attempt=OuterRef("pk"), closed_at=None)
    is_found = Exists(open_.filter(kind__in=(FindingKind.UNTRUE, FindingKind.DIFFERS)))
    return Q(is_found, state__in=GIVEN_UP, signed_at__isnull=False)
