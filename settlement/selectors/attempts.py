"""Read attempts."""

from dataclasses import dataclass

from django.db.models import Count, Exists, Max, Q, Subquery, Sum

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, Installation, Intervention, new_client_order_id
from settlement.order_ids import make_client_order_id


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


@dataclass(frozen=True, kw_only=True)
class Following:
    """The number and the client order id of a batch's next attempt."""

    number: int
    client_order_id: str


def find_following(*, batch: Batch) -> Following | None:
    """Return what the batch's next attempt is called; None while another attempt of it is in flight.

    One statement. The caller holds the lock on the batch.
    """
    in_flight = Attempt.objects.filter(batch_id=batch.pk, state__in=IN_FLIGHT)
    last = Attempt.objects.filter(batch_id=batch.pk).order_by("-number").values("number")[:1]
    code = Installation.objects.values("code")[:1]
    row = Batch.objects.filter(pk=batch.pk).values_list(Exists(in_flight), Subquery(last), Subquery(code)).get()
    is_busy, number, installation = row
    if is_busy:
        return None
    made = make_client_order_id(installation=installation) if installation else new_client_order_id()
    return Following(number=(number or 0) + 1, client_order_id=made)
