"""Read batches."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Q, Sum

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState


def count_batches() -> dict[str, int]:
    """Count the batches that are not closed, by state."""
    counts = {BatchState.OPEN.value: 0, BatchState.PARKED.value: 0}
    rows = Batch.objects.filter(state__in=[BatchState.OPEN, BatchState.PARKED]).values_list("state")
    counts.update(rows.annotate(count=Count("id")))
    return counts


def find_idle_batch(*, coin_id: int) -> int | None:
    """Return the id of the coin's oldest open batch without an attempt in flight, if any."""
    idle = Batch.objects.filter(coin_id=coin_id, state=BatchState.OPEN).exclude(attempts__state__in=IN_FLIGHT)
    return idle.order_by("pk").values_list("pk", flat=True).first()


@dataclass(frozen=True, kw_only=True)
class Bought:
    """What purchases have cost, in US dollars, and the coins that were received."""

    cost: Decimal = Decimal(0)
    received: Decimal = Decimal(0)


def sum_purchases(*, batch_id: int) -> Bought:
    """Sum up what a batch's own purchases have cost and brought."""
    sums = Attempt.objects.filter(batch_id=batch_id, state=AttemptState.FILLED).aggregate(
        cost=Sum("cost"), received=Sum(F("executed") - F("commission"))
    )
    return Bought(cost=sums["cost"] or Decimal(0), received=sums["received"] or Decimal(0))


def may_have_bought(*, batch_id: int) -> bool:
    """Say whether an attempt of the batch is sent, unknown or in doubt: the venue may have executed it after all."""
    in_doubt = (
        Q(state=AttemptState.SENT) | Q(state=AttemptState.PARKED, signed_at__isnull=False) | Q(recheck_at__isnull=False)
    )
    return Attempt.objects.filter(in_doubt, batch_id=batch_id).exists()
