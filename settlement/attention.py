"""The operators' list: what stays in a state for longer than it should, and what waits for a decision.

Statements over what is open alone, each with an index of its own, so the list costs the same after years.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState, Finding, Intervention, Pause
from trading.models import CoinPrice, Order, OrderState

MOST_OF_EACH: Final = 200

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Concern:
    """Something for an operator to look at. `model` and `pk` name the record (app_model)."""

    kind: str
    subject: str
    since: datetime
    reason: str
    model: str
    pk: int | str


Reader = Callable[[datetime], Iterator[Concern]]


def list_concerns(*, now: datetime) -> list[Concern]:
    """Everything that needs an operator, the most urgent kind first, at most 200 of each kind."""
    return [concern for read in _READERS for concern in read(now)]


def count_concerns(*, now: datetime) -> dict[str, int]:
    """How many of each kind, those without any included; 200 stands for as many or more."""
    counts = dict.fromkeys(KINDS, 0)
    for concern in list_concerns(now=now):
        counts[concern.kind] += 1
    return counts


KINDS: Final = (
    "finding",
    "parked batch",
    "unknown purchase",
    "order settling",
    "order pending",
    "pool overdue",
    "pause",
    "waiting intervention",
    "order held",
    "suspended price",
    "failed job",
)


def _findings(now: datetime) -> Iterator[Concern]:
    for finding in _oldest(Finding.objects.filter(closed_at=None), "found_at"):
        yield Concern(
            kind="finding",
            subject=f"{finding.get_kind_display()}: {finding.subject}",
            since=finding.found_at,
            reason=f"ours {finding.ours or '-'}, theirs {finding.theirs or '-'}",
            model="settlement_finding",
            pk=finding.pk,
        )


def _parked_batches(now: datetime) -> Iterator[Concern]:
    for batch in _oldest(Batch.objects.filter(state=BatchState.PARKED).select_related("coin"), "created_at"):
        yield Concern(
            kind="parked batch",
            subject=f"{batch}: {batch.orders_count} orders of {batch.coin}, {batch.charged} USD",
            since=batch.created_at,
            reason=batch.reason,
            model="settlement_batch",
            pk=batch.pk,
        )


def _unknown_purchases(now: datetime) -> Iterator[Concern]:
    attempts = Attempt.objects.filter(state=AttemptState.SENT, created_at__lte=now - settings.UNKNOWN_LIMIT)
    for attempt in _oldest(attempts.filter(state__in=IN_FLIGHT).select_related("coin"), "created_at"):
        yield Concern(
            kind="unknown purchase",
            subject=f"{attempt.quantity} {attempt.coin}, {attempt}",
            since=attempt.created_at,
            reason=f"asked {attempt.lookups} times: {attempt.reason}",
            model="settlement_batch",
            pk=attempt.batch_id,
        )


def _orders(state: OrderState, kind: str, overdue: Callable[[datetime], Q], since: str) -> Reader:
    def read(now: datetime) -> Iterator[Concern]:
        orders = Order.objects.filter(overdue(now), state=state).select_related("coin")
        for order in _oldest(orders, since):
            yield Concern(
                kind=kind,
                subject=f"{order}: {order.amount.normalize():f} {order.coin} for {order.total_price} USD",
                since=getattr(order, since),
                reason=order.reason or "",
                model="trading_order",
                pk=order.pk,
            )

    return read


def _pauses(now: datetime) -> Iterator[Concern]:
    for pause in _oldest(Pause.objects.filter(Q(until=None) | Q(until__gt=now)).select_related("coin"), "set_at"):
        yield Concern(
            kind="pause",
            subject=f"nothing is bought of {pause.coin}" if pause.coin else "nothing is bought",
            since=pause.set_at,
            reason=pause.reason,
            model="settlement_pause",
            pk=pause.pk,
        )


def _interventions(now: datetime) -> Iterator[Concern]:
    waiting = Intervention.objects.filter(outcome=None, requested_at__lte=now - timedelta(minutes=1))
    for intervention in _oldest(waiting.select_related("batch"), "requested_at"):
        yield Concern(
            kind="waiting intervention",
            subject=str(intervention),
            since=intervention.requested_at,
            reason="no worker has carried it out",
            model="settlement_intervention",
            pk=intervention.pk,
        )


def _suspended_prices(now: datetime) -> Iterator[Concern]:
    suspended = CoinPrice.objects.filter(suspended_at__isnull=False, coin__is_sold=True, coin__fixed_price=None)
    for price in _oldest(suspended.select_related("coin"), "suspended_at"):
        assert price.suspended_at
        yield Concern(
            kind="suspended price",
            subject=str(price.coin),
            since=price.suspended_at,
            reason=f"{price.candidate} is too far from {price.value}",
            model="trading_coin",
            pk=price.coin_id,
        )


def _failed_jobs(now: datetime) -> Iterator[Concern]:
    for job in _oldest(ProcrastinateJob.objects.filter(status="failed"), "id"):
        yield Concern(
            kind="failed job",
            subject=f"{job.task_name} {job.args}",
            since=job.scheduled_at or now,
            reason=f"{job.attempts} runs",
            model="procrastinate_procrastinatejob",
            pk=job.pk,
        )


def _oldest(rows: QuerySet[Row], by: str) -> QuerySet[Row]:
    return rows.order_by(by)[:MOST_OF_EACH]


_READERS: Final = (
    _findings,
    _parked_batches,
    _unknown_purchases,
    _orders(
        OrderState.SETTLING,
        "order settling",
        lambda now: Q(settling_at__lte=now - settings.SETTLING_LIMIT),
        "settling_at",
    ),
    _orders(
        OrderState.PENDING, "order pending", lambda now: Q(created_at__lte=now - settings.PENDING_LIMIT), "created_at"
    ),
    _orders(
        OrderState.AGGREGATED, "pool overdue", lambda now: Q(settle_by__lte=now - settings.POOL_LIMIT), "settle_by"
    ),
    _pauses,
    _interventions,
    _orders(OrderState.HELD, "order held", lambda now: Q(held_at__lte=now - settings.HELD_LIMIT), "held_at"),
    _suspended_prices,
    _failed_jobs,
)
