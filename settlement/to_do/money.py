"""Read what waits for staff about dollars that come in, and requests from a server for the powers of a superuser."""

from collections.abc import Iterator
from datetime import datetime

from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from wallets.models import Deposit, DepositState, Statement, StatementState
from wallets.selectors.staff import list_waiting_requests


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


def read_break_glass(_now: datetime) -> Iterator[Concern]:
    """Read the requests that staff can still revoke."""
    for request in list_waiting_requests()[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.BREAK_GLASS,
            subject=str(request),
            since=request.asked_at,
            reason=f"{request.reason}; asked from {request.asked_from}, ready at {request.ready_at:%Y-%m-%d %H:%M} UTC",
            target=Target(model="wallets_breakglass", pk=request.pk),
        )
