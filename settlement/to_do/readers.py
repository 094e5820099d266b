"""Read the to-do page: everything that waits for staff, or has stayed in an unfinished state beyond a limit.

One query per kind, over unfinished rows only. Orders of the same pool or batch are grouped into one row of the page.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from settlement.metrics import count_failed_item
from settlement.models import (
    FORGOTTEN_AFTER,
    PRICE_READING,
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    DatabaseWatch,
    FailingItem,
    Finding,
    FindingKind,
    Intervention,
    PauseKind,
    VenueAccount,
)
from settlement.queue import list_failed_jobs
from settlement.selectors.pauses import pauses_in_force
from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from trading.loss_rules import day_of
from trading.models import WAITING, Coin, Order, OrderState
from trading.selectors.losses import list_threatening_losses
from wallets.runtime.lost_connections import is_lost
from wallets.selectors.accounts import list_unclear_names

logger = logging.getLogger(__name__)


def list_to_do(*, now: datetime) -> list[Concern]:
    """List the rows of the page by kind, the oldest first; at most MAX_PER_KIND of each kind.

    A kind that cannot be read is a row itself, so that it does not hide the others.
    """
    return [concern for kind in ConcernKind for concern in _read(kind, now)]


def count_to_do(*, now: datetime) -> dict[ConcernKind, int]:
    """Count the orders or records of each kind on the page."""
    counts = dict.fromkeys(ConcernKind, 0)
    for concern in list_to_do(now=now):
        counts[concern.kind] += concern.count
    return counts


def _read(kind: ConcernKind, now: datetime) -> list[Concern]:
    try:
        return list(_READERS[kind](now))
    except Exception as error:
        if is_lost(error):
            raise  # the database is away: no kind can be read
        count_failed_item(what="to do")
        logger.exception("to do: rows of the kind %s cannot be read", kind.value)
        reason = f"these rows cannot be read: {type(error).__name__}"
        return [Concern(kind=kind, subject="unreadable rows", since=now, reason=reason, target=None)]


def _read_database(now: datetime) -> Iterator[Concern]:
    """Read whether nothing is sent: until staff act, or because the venue does not answer what may be forgotten."""
    late = Q(stopped_at__isnull=False) | Q(doubted_at__lte=now - settings.TO_DO.pending_limit)
    for watch in DatabaseWatch.objects.filter(late):
        evidence = "; ".join(watch.found) or "the venue does not say whether we forgot an order"
        yield Concern(
            kind=ConcernKind.DATABASE,
            subject="nothing is bought: the database may have forgotten purchases",
            since=watch.stopped_at or watch.doubted_at or now,
            reason=f"{watch.doubt}: {evidence}",
            target=None,
        )


def _read_parked(now: datetime) -> Iterator[Concern]:
    batches = Batch.objects.filter(state=BatchState.PARKED).select_related("coin")
    since = Coalesce(Max("attempts__ended_at"), F("created_at"))
    for batch in batches.annotate(since=since).order_by("since")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.PARKED,
            subject=f"batch {batch.pk}, {batch.needed.normalize():f} {batch.coin} for {batch.charge} USD",
            since=batch.since,
            reason=batch.reason,
            target=Target(model="settlement_batch", pk=batch.pk),
        )


def _read_unknown(now: datetime) -> Iterator[Concern]:
    sent = Attempt.objects.filter(state=AttemptState.SENT, signed_at__lte=now - settings.TO_DO.unknown_limit)
    for attempt in sent.select_related("coin").order_by("signed_at")[:MAX_PER_KIND]:
        assert attempt.signed_at is not None
        yield Concern(
            kind=ConcernKind.UNKNOWN,
            subject=f"purchase of {attempt.coin}, attempt {attempt.number} of batch {attempt.batch_id}",
            since=attempt.signed_at,
            reason=f"{attempt.reason or 'no answer yet'} ({attempt.lookups} lookups)",
            target=Target(model="settlement_attempt", pk=attempt.pk),
        )


def _read_findings(now: datetime) -> Iterator[Concern]:
    for finding in (
        Finding.objects.filter(closed_at=None).select_related("attempt", "coin").order_by("found_at")[:MAX_PER_KIND]
    ):
        figures = f": ours {finding.ours or '-'}, theirs {finding.theirs or '-'}"
        yield Concern(
            kind=ConcernKind.FINDING,
            subject=finding.subject,
            since=finding.found_at,
            reason=finding.get_kind_display()
            + (figures if finding.ours or finding.theirs else "")
            + _next_step(finding),
            target=Target(model="settlement_finding", pk=finding.pk),
        )


def _next_step(finding: Finding) -> str:
    if finding.kind != FindingKind.UNTRUE or finding.attempt is None:
        return ""
    return (
        f". Buying of {finding.coin} is paused. Compare the venue's own pages; then, in batch"
        f" {finding.attempt.batch_id}, look the purchase up again, mark it, or book what was beyond the request"
    )


def _read_settling(now: datetime) -> Iterator[Concern]:
    """Read orders that have been settling for too long, without those of parked batches, which are rows themselves."""
    late = Order.objects.filter(state=OrderState.SETTLING, settling_at__lte=now - settings.TO_DO.settling_limit)
    parked = Batch.objects.filter(state=BatchState.PARKED).values("pk")
    groups = late.exclude(batch_id__in=parked).values("batch_id", "coin__name")
    for row in groups.annotate(count=Count("pk"), since=Min("settling_at")).order_by("since")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.SETTLING,
            subject=f"{_orders(row['count'])} of {row['coin__name']} in batch {row['batch_id']}",
            since=row["since"],
            reason="claimed, and neither bought nor refunded yet",
            target=Target(model="settlement_batch", pk=row["batch_id"]),
            count=row["count"],
        )


def _read_pending(now: datetime) -> Iterator[Concern]:
    """Read orders that nobody claimed in time. For an order that staff released, the wait counts from the release."""
    since = Coalesce("review__decided_at", "created_at")
    waiting = _waiting(OrderState.PENDING).annotate(waits_since=since)
    late = waiting.filter(
        created_at__lte=now - settings.TO_DO.pending_limit, waits_since__lte=now - settings.TO_DO.pending_limit
    )
    groups = late.values("coin_id", "coin__name").annotate(count=Count("pk"), since=Min("waits_since"))
    for row in groups.order_by("since")[:MAX_PER_KIND]:
        yield _concern_of_coin(ConcernKind.PENDING, row, reason="not claimed yet", state=OrderState.PENDING)


def _read_pools(now: datetime) -> Iterator[Concern]:
    late = _waiting(OrderState.POOLED).filter(settle_by__lte=now - settings.TO_DO.pool_limit)
    groups = late.values("coin_id", "coin__name").annotate(count=Count("pk"), since=Min("settle_by"))
    for row in groups.order_by("since")[:MAX_PER_KIND]:
        reason = "the pool is overdue, and not claimed yet"
        yield _concern_of_coin(ConcernKind.POOL, row, reason=reason, state=OrderState.POOLED)


def _read_float(now: datetime) -> Iterator[Concern]:
    """Read the venue account if it could not pay an order when a claim last looked, within the last minute."""
    short = VenueAccount.objects.filter(short_at__gt=now - FORGOTTEN_AFTER).select_related("short_coin")
    for account in short.order_by("short_since")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.FLOAT,
            subject=str(account),
            since=account.short_since or now,
            reason=(
                f"orders of {account.short_coin}, one of {account.short_of} USD, wait for funds: "
                f"{account.free:.2f} were free at {account.read_at:%H:%M:%S} UTC; send {account.asset} to the venue"
            ),
            target=Target(
                model="trading_order",
                filters={"state__exact": OrderState.PENDING.value, "coin__id__exact": account.short_coin_id},
            ),
        )


def _waiting(state: OrderState) -> QuerySet[Order]:
    # Two filters: Postgres uses the partial index only because of the first.
    return Order.objects.filter(state__in=WAITING).filter(state=state)


def _concern_of_coin(kind: ConcernKind, row: Mapping[str, Any], *, reason: str, state: OrderState) -> Concern:
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


def _read_losses(now: datetime) -> Iterator[Concern]:
    """Read the losses of today that are near their ceiling or have reached it."""
    of_today = Target(model="trading_dayloss", filters={"day__exact": day_of(now).isoformat()})
    for loss in list_threatening_losses(now=now)[:MAX_PER_KIND]:
        stop = loss.stop if loss.is_stopped else None
        what = f"sales of {loss.coin}" if loss.coin else "all sales"
        until = "; they go on at 00:00 UTC" if stop else ""
        yield Concern(
            kind=ConcernKind.LOSS,
            subject=f"{what} {'have stopped' if stop else 'are about to stop'}",
            since=(stop.stopped_at if stop else None) or loss.counted_at,
            reason=f"{loss.amount:.2f} USD lost today, of {loss.ceiling:.2f}{until}",
            target=Target(model="trading_salesstop", pk=stop.pk) if stop else of_today,
        )


_PAUSED_BY: Final = {
    PauseKind.TROUBLE: "paused by the venue's answers",
    PauseKind.BAN: "the venue wants no calls",
    PauseKind.UNTRUE: "until staff decide",
}


def _read_pauses(now: datetime) -> Iterator[Concern]:
    for pause in pauses_in_force(now=now).select_related("coin", "set_by")[:MAX_PER_KIND]:
        by = f"paused by {pause.set_by}" if pause.set_by else f"{_PAUSED_BY[pause.kind]}, {pause.times} ×"  # noqa: RUF001  times
        everything = "all calls to the venue" if pause.kind == PauseKind.BAN else "buying of everything"
        yield Concern(
            kind=ConcernKind.PAUSE,
            subject=f"buying of {pause.coin}" if pause.coin else everything,
            since=pause.set_at,
            reason=f"{pause.reason} ({by})",
            target=Target(model="settlement_pause", pk=pause.pk),
        )


def _read_suspended(now: datetime) -> Iterator[Concern]:
    """Read coins on sale that are not sold: suspended by a suspect price, or without a price that is new enough."""
    too_old = Q(current_price=None) | Q(current_price__read_at__lt=now - settings.PRICES.max_age)
    failing = FailingItem.objects.filter(what=PRICE_READING, item=OuterRef("name"))
    coins = Coin.objects.filter(
        too_old | Q(current_price__suspended_at__isnull=False), is_sold=True, fixed_price=None
    ).annotate(
        error=Subquery(failing.values("error")[:1]),
        since=Coalesce("current_price__suspended_at", "current_price__read_at"),
    )
    for coin in coins.select_related("current_price").order_by("since", "pk")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.SUSPENDED,
            subject=str(coin),
            since=coin.since or now,
            reason=f"not sold: {_why_not_sold(coin, error=coin.error)}",
            target=Target(model="trading_coin", pk=coin.pk),
        )


def _why_not_sold(coin: Coin, *, error: str | None) -> str:
    price = getattr(coin, "current_price", None)
    if price is not None and price.suspended_at is not None:
        candidate = f"{price.candidate.normalize():f}" if price.candidate else "no reading"
        return f"read {candidate} after {price.value.normalize():f}"
    return f"no current price ({error or 'is a worker running, and does the venue answer?'})"


def _read_failing(now: datetime) -> Iterator[Concern]:
    """Read items that keep failing. A price that fails is named with its coin, once it is too old."""
    for row in FailingItem.objects.exclude(what=PRICE_READING).order_by("since", "pk")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.FAILING,
            subject=str(row),
            since=row.since,
            reason=f"{row.error} ({row.times} ×)",  # noqa: RUF001  times
            target=Target(model="settlement_failingitem", pk=row.pk),
        )


def _read_interventions(now: datetime) -> Iterator[Concern]:
    undecided = Intervention.objects.filter(outcome=None, requested_at__lte=now - settings.SETTLEMENT.sweep_after)
    for each in undecided.select_related("requested_by").order_by("requested_at")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.INTERVENTION,
            subject=f"{each.get_action_display()}, batch {each.batch_id}",
            since=each.requested_at,
            reason=f"requested by {each.requested_by}, and not carried out yet",
            target=Target(model="settlement_intervention", pk=each.pk),
        )


def _read_held(now: datetime) -> Iterator[Concern]:
    held = Order.objects.filter(state=OrderState.HELD, held_at__lte=now - settings.TO_DO.held_limit)
    for order in held.select_related("review", "coin", "customer").order_by("held_at")[:MAX_PER_KIND]:
        assert order.held_at is not None
        yield Concern(
            kind=ConcernKind.HELD,
            subject=f"{order}, {order.charge} USD of {order.customer}",
            since=order.held_at,
            reason=order.review.grounds,
            target=Target(model="trading_review", pk=order.pk),
        )


def _read_failed_jobs(now: datetime) -> Iterator[Concern]:
    for job in list_failed_jobs(most=MAX_PER_KIND):
        yield Concern(
            kind=ConcernKind.JOB,
            subject=f"job {job.id}, {job.task} {job.arguments}",
            since=job.failed_at or now,
            reason=f"failed for good after {job.runs} runs",
            target=Target(model="procrastinate_procrastinatejob", pk=job.id),
        )


def _read_names(_now: datetime) -> Iterator[Concern]:
    for name in list_unclear_names(most=MAX_PER_KIND):
        other = name.other or "somebody who has another name now"
        yield Concern(
            kind=ConcernKind.NAME,
            subject=name.username,
            since=name.joined_at,
            reason=f"the same name as {other}" if name.is_same else f"looks like {other}",
            target=Target(model="wallets_user", pk=name.user_id),
        )


_READERS: Final[Mapping[ConcernKind, Callable[[datetime], Iterator[Concern]]]] = {
    ConcernKind.DATABASE: _read_database,
    ConcernKind.PARKED: _read_parked,
    ConcernKind.UNKNOWN: _read_unknown,
    ConcernKind.FINDING: _read_findings,
    ConcernKind.SETTLING: _read_settling,
    ConcernKind.PENDING: _read_pending,
    ConcernKind.POOL: _read_pools,
    ConcernKind.FLOAT: _read_float,
    ConcernKind.LOSS: _read_losses,
    ConcernKind.PAUSE: _read_pauses,
    ConcernKind.SUSPENDED: _read_suspended,
    ConcernKind.FAILING: _read_failing,
    ConcernKind.INTERVENTION: _read_interventions,
    ConcernKind.HELD: _read_held,
    ConcernKind.JOB: _read_failed_jobs,
    ConcernKind.NAME: _read_names,
}
