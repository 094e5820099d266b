"""Read batches."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, F, Q, QuerySet, Sum

from settlement.models import IN_DOUBT, IN_FLIGHT, NOT_CLOSED, Attempt, AttemptState, Batch, BatchState


def count_batches() -> dict[str, int]:
    """Count the batches that are not closed, by state."""
    counts = {state.value: 0 for state in NOT_CLOSED}
    rows = Batch.objects.filter(state__in=NOT_CLOSED).values_list("state")
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
    resume_at: datetime | None

    def may_go_on(self, *, now: datetime) -> bool:
        """Say whether its wait is over."""
        return self.resume_at is None or self.resume_at <= now

    def lets_others_go(self) -> bool:
        """Say whether it is the turn of the coin's other orders: after the batch's attempts 1, 4, 7 and so on.

        So the oldest batch has three of four purchases, and a small order waits for one purchase of a large one.
        """
        return self.turns_given < (self.attempts + 2) // 3


def list_idle_batches(*, coin_id: int) -> list[IdleBatch]:
    """List the coin's idle batches, the oldest first."""
    idle = idle_batches().filter(coin_id=coin_id).annotate(count=Count("attempts")).order_by("pk")
    rows = idle.values_list("pk", "count", "turns_given", "resume_at")
    return [IdleBatch(id=pk, attempts=count, turns_given=given, resume_at=at) for pk, count, given, at in rows]


def find_idle_batch(*, coin_id: int) -> int | None:
    """Return the id of the coin's oldest open batch without an attempt in flight, if any."""
    return idle_batches().filter(coin_id=coin_id).order_by("pk").values_list("pk", flat=True).first()


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


def list_purchases(*, batch_id: int) -> list[Bought]:
    """Return what each of a batch's own purchases has cost and brought, in the order in which they were booked."""
    filled = Attempt.objects.filter(batch_id=batch_id, state=AttemptState.FILLED).order_by("ended_at", "number")
    rows = filled.values_list("cost", F("executed") - F("commission"))
    return [Bought(cost=cost, received=received) for cost, received in rows]


def may_have_bought(*, batch_id: int) -> bool:
    """Say whether an attempt of the batch is in doubt: the venue may have executed it after all."""
    return Attempt.objects.filter(IN_DOUBT, batch_id=batch_id).exists()


def waiting_since(*, attempt: Attempt) -> datetime:
    """Return since when the attempt's batch has waited to send a purchase: since its oldest one after the last sent."""
    sent = Attempt.objects.filter(batch_id=attempt.batch.pk, signed_at__isnull=False).order_by("-number")
    last = sent.values_list("number", flat=True).first() or 0
    unsent = Attempt.objects.filter(batch_id=attempt.batch.pk, number__gt=last).order_by("number")
    return unsent.values_list("created_at", flat=True).first() or attempt.created_at
