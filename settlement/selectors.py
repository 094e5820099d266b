"""Reading attempts and batches."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.models import Count, Max, Q, Sum

from settlement.models import Attempt, AttemptState, Batch, BatchState, Finding, FindingKind, Pause


@dataclass(frozen=True, kw_only=True)
class AttemptSummary:
    """What came of a number of attempts."""

    purchases: int
    orders_settled: int
    lookups: int
    found_by_lookup: int
    parked: int


def summarise_attempts(*, after_id: int = 0) -> AttemptSummary:
    """Sum up the attempts that were made after the one with `after_id`."""
    attempts = Attempt.objects.filter(id__gt=after_id)
    filled = Q(state=AttemptState.FILLED)
    counts = attempts.aggregate(
        purchases=Count("id", filter=filled),
        asked=Sum("lookups"),
        found=Count("id", filter=filled & Q(lookups__gt=0)),
        parked=Count("id", filter=Q(state=AttemptState.PARKED)),
    )
    batches = Batch.objects.filter(id__in=attempts.filter(filled).values("batch_id"))
    return AttemptSummary(
        purchases=counts["purchases"],
        orders_settled=batches.aggregate(orders=Sum("orders_count"))["orders"] or 0,
        lookups=counts["asked"] or 0,
        found_by_lookup=counts["found"],
        parked=counts["parked"],
    )


def last_attempt_id() -> int:
    """The id of the newest attempt, 0 if there is none."""
    return Attempt.objects.aggregate(last=Max("id"))["last"] or 0


@dataclass(kw_only=True)
class QueueSummary:
    """Jobs of a queue by status, and for how long the oldest that is due has waited."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    oldest_due_seconds: float = 0.0


_JOBS = "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY queue_name, status"
_OLDEST_DUE = """
SELECT job.queue_name, extract(epoch FROM now() - coalesce(job.scheduled_at, event.at))
  FROM (SELECT queue_name, min(id) AS id FROM procrastinate_jobs
         WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
         GROUP BY queue_name) oldest
  JOIN procrastinate_jobs job ON job.id = oldest.id
  LEFT JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'deferred'
"""


def summarise_jobs() -> list[QueueSummary]:
    """What the queues hold. Finished jobs are deleted at once or soon, so there are few."""
    queues: dict[str, QueueSummary] = {}
    with connection.cursor() as cursor:
        cursor.execute(_JOBS)
        for name, status, count in cursor.fetchall():
            queues.setdefault(name, QueueSummary(name=name)).counts[status] = count
        cursor.execute(_OLDEST_DUE)
        for name, age in cursor.fetchall():
            queues.setdefault(name, QueueSummary(name=name)).oldest_due_seconds = max(float(age or 0), 0.0)
    return sorted(queues.values(), key=lambda queue: queue.name)


def count_batches() -> dict[str, int]:
    """The batches that are not closed, by state."""
    counts = {BatchState.OPEN.value: 0, BatchState.PARKED.value: 0}
    rows = Batch.objects.filter(state__in=[BatchState.OPEN, BatchState.PARKED]).values_list("state")
    counts.update(rows.annotate(count=Count("id")))
    return counts


def list_paused_coins(*, now: datetime) -> list[str]:
    """The names of the coins whose buying is paused; an empty name stands for everything."""
    pauses = Pause.objects.filter(Q(until=None) | Q(until__gt=now)).values_list("coin__name", flat=True)
    return sorted(name or "" for name in pauses)


def count_open_findings() -> dict[str, int]:
    """The findings that nobody has closed, by kind."""
    counts = dict.fromkeys(FindingKind.values, 0)
    counts.update(Finding.objects.filter(closed_at=None).values_list("kind").annotate(count=Count("id")))
    return counts
