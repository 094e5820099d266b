"""Read attempts."""

from dataclasses import dataclass

from django.db.models import Count, Max, Q, Sum

from settlement.models import Attempt, AttemptState, Batch, Intervention


@dataclass(frozen=True, kw_only=True)
class AttemptSummary:
    """Totals over several attempts."""

    purchases: int
    orders_settled: int
    lookups: int
    found_by_lookup: int
    parked: int


def find_coin_of_attempt(*, attempt_id: int) -> int | None:
    """Return the id of the attempt's coin."""
    return Attempt.objects.filter(pk=attempt_id).values_list("coin_id", flat=True).first()


def find_coin_of_intervention(*, intervention_id: int) -> int | None:
    """Return the id of the coin of the intervention's batch."""
    return Intervention.objects.filter(pk=intervention_id).values_list("batch__coin_id", flat=True).first()


def summarise_attempts(*, after_id: int = 0) -> AttemptSummary:
    """Sum up the attempts whose id is above `after_id`."""
    attempts = Attempt.objects.filter(id__gt=after_id)
    filled = Q(state=AttemptState.FILLED)
    counts = attempts.aggregate(
        purchases=Count("id", filter=filled),
        total_lookups=Sum("lookups"),
        found=Count("id", filter=filled & Q(lookups__gt=0)),
        parked=Count("id", filter=Q(state=AttemptState.PARKED)),
    )
    batches = Batch.objects.filter(id__in=attempts.filter(filled).values("batch_id"))
    return AttemptSummary(
        purchases=counts["purchases"],
        orders_settled=batches.aggregate(orders=Sum("orders_count"))["orders"] or 0,
        lookups=counts["total_lookups"] or 0,
        found_by_lookup=counts["found"],
        parked=counts["parked"],
    )


def last_attempt_id() -> int:
    """Return the id of the newest attempt, 0 if there is none."""
    return Attempt.objects.aggregate(last=Max("id"))["last"] or 0
