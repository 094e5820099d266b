"""Read batches."""

from django.db.models import Count

from settlement.models import IN_FLIGHT, Batch, BatchState


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
