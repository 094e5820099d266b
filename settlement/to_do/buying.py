"""Read what waits for staff between us and the venue: purchases, findings, pauses, jobs and decisions."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models import F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from settlement.models import (
    BOOK_READING,
    FORGOTTEN_AFTER,
    PRICE_READING,
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    DatabaseWatch,
    FailingItem,
    Finding,
    Intervention,
    PauseKind,
    VenueAccount,
    VenueEntry,
    VenueState,
    current_venue,
)
from settlement.queue import list_failed_jobs
from settlement.selectors.balances import list_unopened
from settlement.selectors.pauses import pauses_in_force
from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from settlement.to_do.next_steps import next_step, units_of
from settlement.told import digits
from trading.models import OrderState


def read_parked(now: datetime) -> Iterator[Concern]:
    batches = Batch.objects.filter(state=BatchState.PARKED).select_related("coin")
    since = Coalesce(Max("attempts__ended_at"), F("created_at"))
    for batch in batches.annotate(since=since).order_by("since")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.PARKED,
            subject=f"batch {batch.pk}, {digits(batch.needed)} {batch.coin} for {batch.charge} USD",
            since=batch.since,
            reason=batch.reason,
            target=Target(model="settlement_batch", pk=batch.pk),
        )


def read_waiting(now: datetime) -> Iterator[Concern]:
    """Read batches whose next purchase would be beyond their price or budget. Their orders are refunded in time."""
    waiting = Batch.objects.filter(state=BatchState.OPEN).exclude(reason="")
    waiting = waiting.exclude(attempts__state=AttemptState.SENT).select_related("coin")
    for batch in waiting.order_by("created_at")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.WAITING,
            subject=f"batch {batch.pk}, {digits(batch.needed)} {batch.coin} for {batch.charge} USD",
            since=batch.created_at,
            reason=(
                f"{batch.reason}. It is tried again, and refunded if that does not end. Or decide about the batch; if"
                " the venue's minimum or step is the reason, raise `TOP_UP_MAX` or the coin's own minimum"
            ),
            target=Target(model="settlement_batch", pk=batch.pk),
        )


def read_unknown(now: datetime) -> Iterator[Concern]:
    sent = Attempt.objects.filter(state=AttemptState.SENT, signed_at__lte=now - settings.TO_DO.unknown_limit)
    for attempt in sent.select_related("coin").order_by("signed_at")[:MAX_PER_KIND]:
        assert attempt.signed_at is not None
        yield Concern(
            kind=ConcernKind.UNKNOWN,
            subject=f"purchase of {attempt.coin} at {attempt.place}, attempt {attempt.number} of batch"
            f" {attempt.batch_id}",
            since=attempt.signed_at,
            reason=f"{attempt.reason or 'no answer yet'} ({attempt.lookups} lookups). It is looked up again by itself;"
            f" if it stays unknown, compare the venue's own pages and decide in batch {attempt.batch_id}",
            target=Target(model="settlement_attempt", pk=attempt.pk),
        )


def read_findings(now: datetime) -> Iterator[Concern]:
    for finding in (
        Finding.objects.filter(closed_at=None)
        .select_related("attempt", "coin", "decided_by")
        .order_by("found_at", "pk")[:MAX_PER_KIND]
    ):
        figures = f": ours {finding.ours or '-'}, theirs {finding.theirs or '-'}{units_of(finding)}"
        yield Concern(
            kind=ConcernKind.FINDING,
            subject=finding.subject,
            since=finding.found_at,
            reason=finding.get_kind_display()
            + (figures if finding.ours or finding.theirs else "")
            + f". {next_step(finding)}",
            target=Target(model="settlement_finding", pk=finding.pk),
        )


def read_openings(now: datetime) -> Iterator[Concern]:
    """Read the assets that are not compared yet, because staff have to book what the account held besides."""
    for reading in list_unopened()[:MAX_PER_KIND]:
        assert reading.proposed is not None
        explained = reading.amount - reading.proposed
        proposal = (
            f"is an opening of {digits(reading.proposed)} right? Then book it"
            if reading.steady_since
            else "a purchase was under way or in doubt: wait for the next reading"
        )
        yield Concern(
            kind=ConcernKind.OPENING,
            subject=str(reading),
            since=reading.read_at,
            reason=(
                f"not compared yet: {digits(reading.amount)} {reading.asset} read at {reading.read_at:%H:%M:%S} UTC,"
                f" of which our purchases and moves explain {digits(explained)}; {proposal}"
            ),
            target=Target(model="settlement_balancereading", pk=reading.pk),
        )


def read_float(now: datetime) -> Iterator[Concern]:
    """Read the venue account if it could not pay an order when a claim last looked, within the last minute."""
    short = VenueAccount.objects.filter(short_at__gt=now - FORGOTTEN_AFTER).select_related("short_coin")
    for account in short.order_by("short_since")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.FLOAT,
            subject=str(account),
            since=account.short_since or now,
            reason=(
                f"orders of {account.short_coin}, one of {account.short_of} USD, wait for funds: "
                f"{account.free:.2f} {account.asset} were free at {account.read_at:%H:%M:%S} UTC; send more to the"
                " venue, or stop selling the coin"
            ),
            target=Target(
                model="trading_order",
                filters={"state__exact": OrderState.PENDING.value, "coin__id__exact": account.short_coin_id},
            ),
        )


def read_silent_venues(now: datetime) -> Iterator[Concern]:
    """Read the further venues in use whose account no worker has read for minutes."""
    last = VenueAccount.objects.filter(venue=OuterRef("name")).values("read_at")[:1]
    venues = VenueEntry.objects.filter(state=VenueState.IN_USE).exclude(name=current_venue())
    seen = venues.annotate(read_at=Coalesce(Subquery(last), F("added_at")))
    for venue in seen.filter(read_at__lte=now - settings.TO_DO.pending_limit).order_by("read_at")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.VENUE,
            subject=f"the account at {venue}",
            since=venue.read_at,
            reason="it is in use, but was not read since: give workers its keys, see why it does not answer, or use it"
            " no longer",
            target=Target(model="settlement_venueentry", pk=venue.pk),
        )


_PAUSED_BY: Final = {
    PauseKind.TROUBLE: "paused by the venue's answers",
    PauseKind.BAN: "the venue wants no calls",
    PauseKind.UNTRUE: "until staff decide",
}
_HOW_IT_ENDS: Final = {
    PauseKind.STAFF: "Lift it when its reason is gone",
    PauseKind.TROUBLE: "Remove the cause, or decide about the batch that waits; buying is tried again by itself",
    PauseKind.BAN: "Find out what makes so many calls; they begin again by themselves",
    PauseKind.UNTRUE: "Decide about the finding",
}


def read_pauses(now: datetime) -> Iterator[Concern]:
    for pause in pauses_in_force(now=now).select_related("coin", "set_by")[:MAX_PER_KIND]:
        by = f"paused by {pause.set_by}" if pause.set_by else f"{_PAUSED_BY[pause.kind]}, {pause.times} ×"  # noqa: RUF001  times
        everything = (
            f"all calls to {pause.venue or 'the venue'}" if pause.kind == PauseKind.BAN else "buying of everything"
        )
        at = f" at {pause.venue}" if pause.venue and pause.kind != PauseKind.BAN else ""
        yield Concern(
            kind=ConcernKind.PAUSE,
            subject=(f"buying of {pause.coin}" if pause.coin else everything) + at,
            since=pause.set_at,
            reason=f"{pause.reason} ({by}). {_HOW_IT_ENDS[pause.kind]}",
            target=Target(model="settlement_pause", pk=pause.pk),
        )


def read_failing(now: datetime) -> Iterator[Concern]:
    """Read items that keep failing. A price that fails is named with its coin, once it is too old."""
    for row in FailingItem.objects.exclude(what__in=[PRICE_READING, BOOK_READING]).order_by("since", "pk")[
        :MAX_PER_KIND
    ]:
        yield Concern(
            kind=ConcernKind.FAILING,
            subject=str(row),
            since=row.since,
            reason=f"{row.error} ({row.times} ×)",  # noqa: RUF001  times
            target=Target(model="settlement_failingitem", pk=row.pk),
        )


def read_interventions(now: datetime) -> Iterator[Concern]:
    undecided = Intervention.objects.filter(outcome=None, requested_at__lte=now - settings.SETTLEMENT.sweep_after)
    for each in undecided.select_related("requested_by").order_by("requested_at")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.INTERVENTION,
            subject=f"{each.get_action_display()}, batch {each.batch_id}",
            since=each.requested_at,
            reason=f"requested by {each.requested_by}, and not carried out yet",
            target=Target(model="settlement_intervention", pk=each.pk),
        )


def read_failed_jobs(now: datetime) -> Iterator[Concern]:
    for job in list_failed_jobs(most=MAX_PER_KIND):
        yield Concern(
            kind=ConcernKind.JOB,
            subject=f"job {job.id}, {job.task} {job.arguments}",
            since=job.failed_at or now,
            reason=f"failed for good after {job.runs} runs",
            target=Target(model="procrastinate_procrastinatejob", pk=job.id),
        )


def read_database(now: datetime) -> Iterator[Concern]:
    """Read whether nothing is sent: until staff act, or because the venue does not answer what may be forgotten."""
    late = Q(stopped_at__isnull=False) | Q(doubted_at__lte=now - settings.TO_DO.pending_limit)
    for watch in DatabaseWatch.objects.filter(late):
        evidence = "; ".join(watch.found) or "the venue does not say whether we forgot an order"
        step = (
            "Run `manage.py after_restore`"
            if watch.stopped_at
            else "Workers ask again: see why the venue does not answer"
        )
        yield Concern(
            kind=ConcernKind.DATABASE,
            subject="nothing is bought: the database may have forgotten purchases",
            since=watch.stopped_at or watch.doubted_at or now,
            reason=f"the database is in doubt, because {watch.doubt}. Found: {evidence}. {step}",
            target=Target(model="settlement_databasewatch", pk=watch.pk),
        )
