"""Read what waits for staff about dollars that come in or leave: statements, deposits of nobody, and payouts."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings

from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from wallets.models import Deposit, DepositState, Payout, PayoutState, Statement, StatementState


def read_unassigned(_now: datetime) -> Iterator[Concern]:
    """Read deposits that belong to nobody yet."""
    for deposit in Deposit.objects.filter(state=DepositState.UNASSIGNED).order_by("id")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.UNASSIGNED,
            subject=f"{deposit}, {deposit.reference} of {deposit.source}",
            since=deposit.created_at,
            reason=deposit.note,
            target=Target(model="wallets_deposit", pk=deposit.pk),
        )


def read_statements(_now: datetime) -> Iterator[Concern]:
    """Read imported statements that wait for approval, or whose approved credits are not received yet."""
    open_ = Statement.objects.filter(state__in=[StatementState.WAITING, StatementState.APPROVED])
    for statement in open_.select_related("imported_by").order_by("id")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.STATEMENT,
            subject=f"{statement}, {statement.credits} USD of credits",
            since=statement.decided_at or statement.imported_at,
            reason=f"{statement.get_state_display().lower()}; {statement.imported_by} has imported it",
            target=Target(model="wallets_statement", pk=statement.pk),
        )


def read_payout_requests(now: datetime) -> Iterator[Concern]:
    """Read payouts that have waited for approval for longer than their limit."""
    yield from _payouts(
        ConcernKind.PAYOUT_REQUEST,
        PayoutState.REQUESTED,
        "created_at",
        now=now,
        limit=settings.TO_DO.payout_request_limit,
    )


def read_payouts_to_export(now: datetime) -> Iterator[Concern]:
    """Read approved payouts that have not been exported within their limit."""
    yield from _payouts(
        ConcernKind.PAYOUT_EXPORT,
        PayoutState.APPROVED,
        "approved_at",
        now=now,
        limit=settings.TO_DO.payout_export_limit,
    )


def read_unanswered_payouts(now: datetime) -> Iterator[Concern]:
    """Read payouts that were sent, and whose outcome no statement has told within their limit."""
    yield from _payouts(
        ConcernKind.PAYOUT_ANSWER, PayoutState.SENT, "sent_at", now=now, limit=settings.TO_DO.payout_answer_limit
    )


def _payouts(
    kind: ConcernKind, state: PayoutState, since: str, *, now: datetime, limit: timedelta
) -> Iterator[Concern]:
    late = Payout.objects.filter(state=state, **{f"{since}__lte": now - limit}).select_related("customer")
    for payout in late.order_by("id")[:MAX_PER_KIND]:
        yield Concern(
            kind=kind,
            subject=f"{payout} of {payout.customer}",
            since=getattr(payout, since),
            reason=f"{payout.get_state_display().lower()}, {payout.end_to_end_id}",
            target=Target(model="wallets_payout", pk=payout.pk),
        )
