"""Read batches."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from settlement.models import IN_FLIGHT, Batch, BatchState


def count_batches() -> dict[str, int]:
    """Count the batches that are not closed, by state."""
    counts = {BatchState.OPEN.value: 0, BatchState.PARKED.value: 0}
    rows = Batch.objects.filter(state__in=[BatchState.OPEN, BatchState.PARKED]).values_list("state")
    counts.update(rows.annotate(count=Count("id")))
    return counts


def idle_batches(*, now: datetime | None = None) -> QuerySet[Batch]:
    """Return the open batches without an attempt in flight; with `now`, only those that may go on by then."""
    idle = Batch.objects.filter(state=BatchState.OPEN).exclude(attempts__state__in=IN_FLIGHT)
    return idle if now is None else idle.filter(Q(resume_at=None) | Q(resume_at__lte=now))


@dataclass(frozen=True, kw_only=True)
class IdleBatch:
    """A batch that waits for its next attempt, with the number of its attempts and of the turns that it gave away."""

    id: int
    attempts: int
    turns_given: int

    def lets_others_go(self) -> bool:
        """Say whether it is the turn of the coin's other orders: after the batch's attempts 1, 4, 7 and so on.

        So the oldest batch has three of four purchases, and a small order waits for one purchase of a large one.
        """
        return self.turns_given < (self.attempts + 2) // 3


def list_idle_batches(*, coin_id: int, now: datetime | None = None) -> list[IdleBatch]:
    """List the coin's idle batches, the oldest first; with `now`, only those that may go on by then."""
    idle = idle_batches(now=now).filter(coin_id=coin_id).annotate(count=Count("attempts")).order_by("pk")
    rows = idle.values_list("pk", "count", "turns_given")
    return [IdleBatch(id=pk, attempts=count, turns_given=given) for pk, count, given in rows]


def find_idle_batch(*, coin_id: int) -> int | None:
    """Return the id of the coin's oldest open batch without an attempt in flight, if any."""
    return idle_batches().filter(coin_id=coin_id).order_by("pk").values_list("pk", flat=True).first()
