"""Queries of Procrastinate's job tables. Besides this module, only the admin reads these tables.

Finished jobs are deleted at once or soon, so the tables stay small.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, ExpressionWrapper, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields import DurationField
from django.db.models.functions import Coalesce, Now
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from settlement.jobs import INTERVENE_TASK, SETTLE_TASK
from trading.jobs import CLAIM_TASK
from wallets.runtime import sql

_ALIVE_SECONDS: Final = 15
"""Workers send a heartbeat every ten seconds."""

COUNT_LIVING_WORKERS: Final = (
    "SELECT count(*) AS alive FROM procrastinate_workers WHERE last_heartbeat > now() - interval '30 seconds'"
)
"""A statement for the worker's own connections. Generous: one that has missed a heartbeat polls all the same."""


def delete_waiting_claims(*, coin_id: int, most: int) -> None:
    """Drop up to `most` jobs that would claim a coin's orders and have not begun."""
    sql.execute("settlement.delete_waiting_claims", task=CLAIM_TASK, coin_id=coin_id, most=most)


def list_enqueued_interventions() -> set[int]:
    """Return the ids of the interventions that still have a job."""
    jobs = ProcrastinateJob.objects.filter(task_name=INTERVENE_TASK, status__in=["todo", "doing"])
    return set(jobs.values_list("args__intervention_id", flat=True))


def list_batches_in_step() -> set[int]:
    """Return the ids of the batches whose step runs in a worker that is alive."""
    alive = Now() - timedelta(seconds=min(_ALIVE_SECONDS, settings.JOBS.stalled_worker_seconds))
    running = ProcrastinateJob.objects.filter(task_name=SETTLE_TASK, status="doing", worker__last_heartbeat__gt=alive)
    return set(running.values_list("args__batch_id", flat=True))


def is_step_enqueued(*, batch_id: int, by: datetime) -> bool:
    """Say whether a job waits that takes the batch's next step at `by` at the latest."""
    waiting = ProcrastinateJob.objects.filter(task_name=SETTLE_TASK, status="todo", args__batch_id=batch_id)
    return waiting.filter(Q(scheduled_at=None) | Q(scheduled_at__lte=by)).exists()


def count_jobs() -> list[tuple[str, str, int]]:
    """Count the jobs by queue and status."""
    groups = ProcrastinateJob.objects.values("queue_name", "status").annotate(count=Count("id"))
    return list(groups.values_list("queue_name", "status", "count"))


def measure_oldest_due() -> dict[str, timedelta]:
    """Return the waiting time of each queue's oldest job that is due."""
    due = ProcrastinateJob.objects.filter(Q(scheduled_at=None) | Q(scheduled_at__lte=Now()), status="todo")
    oldest = due.values("queue_name").annotate(first=Min("id")).values("first")
    since = Coalesce("scheduled_at", Subquery(_events(kind="deferred").values("at")[:1]))
    age = ExpressionWrapper(Now() - since, output_field=DurationField())
    rows = ProcrastinateJob.objects.filter(id__in=oldest).annotate(age=age).values_list("queue_name", "age")
    return {name: age or timedelta(0) for name, age in rows}


@dataclass(frozen=True, kw_only=True)
class FailedJob:
    """A job that failed for good after `runs` runs."""

    id: int
    task: str
    arguments: str
    runs: int
    failed_at: datetime | None


def list_failed_jobs(*, most: int) -> list[FailedJob]:
    """List up to `most` jobs that failed for good, the oldest first."""
    last = _events(kind="failed").values("job").annotate(last=Max("at")).values("last")
    failed = ProcrastinateJob.objects.filter(status="failed").order_by("id")
    return [
        FailedJob(
            id=job.pk,
            task=job.task_name,
            arguments=json.dumps(job.args, ensure_ascii=False),
            runs=job.attempts,
            failed_at=job.failed_at,
        )
        for job in failed.annotate(failed_at=Coalesce(Subquery(last), F("scheduled_at")))[:most]
    ]


def _events(*, kind: str) -> QuerySet[ProcrastinateEvent]:
    return ProcrastinateEvent.objects.filter(job=OuterRef("pk"), type=kind)
