"""The operators' list: whatever waits for somebody, or has been in a state that is not final beyond its limit.

Read by a statement for each kind, over what is open only: history costs nothing. What is many for one reason (the
orders of a pool, of a batch) is one row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.db.models.functions import Coalesce

from settlement.models import Attempt, AttemptState, Batch, BatchState, Finding, Intervention, Pause
from trading.models import WAITING, CoinPrice, Order, OrderState

MOST_OF_A_KIND: Final = 200


class Kind(Enum):
    """Why something is on the list, the most pressing first."""

    PARKED = "parked"
    UNKNOWN = "unknown"
    FINDING = "finding"
    SETTLING = "settling"
    PENDING = "pending"
    POOL = "pool"
    PAUSE = "pause"
    SUSPENDED = "suspended"
    INTERVENTION = "intervention"
    HELD = "held"
    JOB = "job"


@dataclass(frozen=True, kw_only=True)
class Target:
    """The record that a row is about: `model` as app_model, and its key; or the filters of a list of them."""

    model: str
    pk: object = None
    filters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Concern:
    """One row. `count` orders or records are in it, the oldest since `since`."""

    kind: Kind
    subject: str
    since: datetime
    reason: str
    target: Target
    count: int = 1


def list_concerns(*, now: datetime) -> list[Concern]:
    """Everything that waits for an operator, by kind and the oldest first; MOST_OF_A_KIND of each at most."""
    return [concern for kind in Kind for concern in _READERS[kind](now)]


def count_concerns(*, now: datetime) -> dict[Kind, int]:
    """How many orders or records of each kind are on the list."""
    counts = dict.fromkeys(Kind, 0)
    for concern in list_concerns(now=now):
        counts[concern.kind] += concern.count
    return counts


def list_pauses(*, now: datetime) -> list[Pause]:
    """The pauses in force, the oldest first."""
    return list(_pauses_in_force(now).order_by("set_at", "pk")[:MOST_OF_A_KIND])


def _read_parked(now: datetime) -> Iterator[Concern]:
    batches = Batch.objects.filter(state=BatchState.PARKED).select_related("coin")
    since = Coalesce(Max("attempts__ended_at"), F("created_at"))
    for batch in batches.annotate(since=since).order_by("since")[:MOST_OF_A_KIND]:
        yield Concern(
            kind=Kind.PARKED,
            subject=f"batch {batch.pk}, {batch.needed.normalize():f} {batch.coin} for {batch.charged} USD",
            since=batch.since,
            reason=batch.reason,
            target=Target(model="settlement_batch", pk=batch.pk),
        )


def _read_unknown(now: datetime) -> Iterator[Concern]:
    sent = Attempt.objects.filter(state=AttemptState.SENT, signed_at__lte=now - settings.UNKNOWN_LIMIT)
    for attempt in sent.select_related("coin").order_by("signed_at")[:MOST_OF_A_KIND]:
        assert attempt.signed_at is not None
        yield Concern(
            kind=Kind.UNKNOWN,
            subject=f"purchase of {attempt.coin}, attempt {attempt.number} of batch {attempt.batch_id}",
            since=attempt.signed_at,
            reason=f"{attempt.reason or 'no answer yet'} ({attempt.lookups} lookups)",
            target=Target(model="settlement_attempt", pk=attempt.pk),
        )


def _read_findings(now: datetime) -> Iterator[Concern]:
    for finding in Finding.objects.filter(closed_at=None).order_by("found_at")[:MOST_OF_A_KIND]:
        figures = f": ours {finding.ours or '-'}, theirs {finding.theirs or '-'}"
        yield Concern(
            kind=Kind.FINDING,
            subject=finding.subject,
            since=finding.found_at,
            reason=finding.get_kind_display() + (figures if finding.ours or finding.theirs else ""),
            target=Target(model="settlement_finding", pk=finding.pk),
        )


def _read_settling(now: datetime) -> Iterator[Concern]:
    """Not those of parked batches: these are named themselves."""
    late = Order.objects.filter(state=OrderState.SETTLING, settling_at__lte=now - settings.SETTLING_LIMIT)
    parked = Batch.objects.filter(state=BatchState.PARKED).values("pk")
    groups = late.exclude(batch_id__in=parked).values("batch_id", "coin__name")
    for row in groups.annotate(count=Count("pk"), since=Min("settling_at")).order_by("since")[:MOST_OF_A_KIND]:
        yield Concern(
            kind=Kind.SETTLING,
            subject=f"{_orders(row['count'])} of {row['coin__name']} in batch {row['batch_id']}",
            since=row["since"],
            reason="claimed, and neither bought nor refunded yet",
            target=Target(model="settlement_batch", pk=row["batch_id"]),
            count=row["count"],
        )


def _read_pending(now: datetime) -> Iterator[Concern]:
    """An order that staff released waits since then."""
    since = Coalesce("review__decided_at", "created_at")
    waiting = _waiting(OrderState.PENDING).annotate(waits_since=since)
    late = waiting.filter(created_at__lte=now - settings.PENDING_LIMIT, waits_since__lte=now - settings.PENDING_LIMIT)
    groups = late.values("coin_id", "coin__name").annotate(count=Count("pk"), since=Min("waits_since"))
    for row in groups.order_by("since")[:MOST_OF_A_KIND]:
        yield _concern_of_coin(Kind.PENDING, row, reason="not claimed yet", state=OrderState.PENDING)


def _read_pools(now: datetime) -> Iterator[Concern]:
    late = _waiting(OrderState.POOLED).filter(settle_by__lte=now - settings.POOL_LIMIT)
    groups = late.values("coin_id", "coin__name").annotate(count=Count("pk"), since=Min("settle_by"))
    for row in groups.order_by("since")[:MOST_OF_A_KIND]:
        reason = "the pool's time is up, and it is not claimed"
        yield _concern_of_coin(Kind.POOL, row, reason=reason, state=OrderState.POOLED)


def _waiting(state: OrderState) -> QuerySet[Order]:
    return Order.objects.filter(state__in=WAITING).filter(state=state)  # both: the partial index is by the first


def _concern_of_coin(kind: Kind, row: Mapping[str, Any], *, reason: str, state: OrderState) -> Concern:
    return Concern(
        kind=kind,
        subject=f"{_orders(row['count'])} of {row['coin__name']}",
        since=row["since"],
        reason=reason,
        target=Target(model="trading_order", filters={"state__exact": state.value, "coin__id__exact": row["coin_id"]}),
        count=row["count"],
    )


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


def _read_pauses(now: datetime) -> Iterator[Concern]:
    for pause in list_pauses(now=now):
        what = f"buying of {pause.coin}" if pause.coin else "buying of everything"
        by = f"paused by {pause.set_by}" if pause.set_by else f"paused by what the exchange answers, {pause.times} ×"  # noqa: RUF001  times
        yield Concern(
            kind=Kind.PAUSE,
            subject=what,
            since=pause.set_at,
            reason=f"{pause.reason} ({by})",
            target=Target(model="settlement_pause", pk=pause.pk),
        )


def _pauses_in_force(now: datetime) -> QuerySet[Pause]:
    return Pause.objects.filter(Q(until=None) | Q(until__gt=now)).select_related("coin", "set_by")


def _read_suspended(now: datetime) -> Iterator[Concern]:
    doubted = CoinPrice.objects.filter(suspended_at__isnull=False, coin__is_sold=True, coin__fixed_price=None)
    for price in doubted.select_related("coin").order_by("suspended_at")[:MOST_OF_A_KIND]:
        assert price.suspended_at is not None
        candidate = f"{price.candidate.normalize():f}" if price.candidate else "no reading"
        yield Concern(
            kind=Kind.SUSPENDED,
            subject=str(price.coin),
            since=price.suspended_at,
            reason=f"not sold: read {candidate} after {price.value.normalize():f}",
            target=Target(model="trading_coin", pk=price.coin_id),
        )


def _read_interventions(now: datetime) -> Iterator[Concern]:
    undecided = Intervention.objects.filter(outcome=None, requested_at__lte=now - settings.SWEEP_AFTER)
    for each in undecided.select_related("requested_by").order_by("requested_at")[:MOST_OF_A_KIND]:
        yield Concern(
            kind=Kind.INTERVENTION,
            subject=f"{each.get_action_display()}, batch {each.batch_id}",
            since=each.requested_at,
            reason=f"requested by {each.requested_by}, and not carried out yet",
            target=Target(model="settlement_intervention", pk=each.pk),
        )


def _read_held(now: datetime) -> Iterator[Concern]:
    held = Order.objects.filter(state=OrderState.HELD, held_at__lte=now - settings.HELD_LIMIT)
    for order in held.select_related("review", "coin", "customer").order_by("held_at")[:MOST_OF_A_KIND]:
        assert order.held_at is not None
        yield Concern(
            kind=Kind.HELD,
            subject=f"{order}, {order.charge} USD of {order.customer}",
            since=order.held_at,
            reason=order.review.grounds,
            target=Target(model="trading_review", pk=order.pk),
        )


_FAILED_JOBS: Final = """
SELECT job.id, job.task_name, job.args::text, job.attempts, coalesce(failed.at, job.scheduled_at, %(now)s)
  FROM procrastinate_jobs job
  LEFT JOIN LATERAL (SELECT max(at) AS at FROM procrastinate_events
                      WHERE job_id = job.id AND type = 'failed') failed ON true
 WHERE job.status = 'failed' ORDER BY job.id LIMIT %(most)s
"""


def _read_failed_jobs(now: datetime) -> Iterator[Concern]:
    with connection.cursor() as cursor:
        cursor.execute(_FAILED_JOBS, {"now": now, "most": MOST_OF_A_KIND})
        rows = cursor.fetchall()
    for job_id, task, arguments, runs, since in rows:
        yield Concern(
            kind=Kind.JOB,
            subject=f"job {job_id}, {task} {arguments}",
            since=since,
            reason=f"failed for good after {runs} runs",
            target=Target(model="procrastinate_procrastinatejob", pk=job_id),
        )


_READERS: Final[Mapping[Kind, Callable[[datetime], Iterator[Concern]]]] = {
    Kind.PARKED: _read_parked,
    Kind.UNKNOWN: _read_unknown,
    Kind.FINDING: _read_findings,
    Kind.SETTLING: _read_settling,
    Kind.PENDING: _read_pending,
    Kind.POOL: _read_pools,
    Kind.PAUSE: _read_pauses,
    Kind.SUSPENDED: _read_suspended,
    Kind.INTERVENTION: _read_interventions,
    Kind.HELD: _read_held,
    Kind.JOB: _read_failed_jobs,
}
