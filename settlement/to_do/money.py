"""Read what waits for staff about dollars that come in, leave or are owed, and requests for a superuser's powers."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from wallets.models import (
    Deposit,
    DepositState,
    Payout,
    PayoutState,
    Receivable,
    Return,
    ReturnState,
    Statement,
    StatementLine,
    StatementState,
)
from wallets.selectors.staff import list_waiting_requests, list_wallets_of_staff
from wallets.selectors.statements import list_open_debits, list_unanswered
from wallets.services.proposing import USER_POWERS
from wallets.services.returns.taking import NOT_FROZEN


def read_unassigned(_now: datetime) -> Iterator[Concern]:
    """Read deposits that belong to nobody yet."""
    of_nobody = Deposit.objects.filter(state=DepositState.UNASSIGNED, returned__lt=F("amount"))
    for deposit in of_nobody.order_by("id")[:MAX_PER_KIND]:
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
    """Read payouts that were sent, and whose outcome or return no statement has told within their limit."""
    payouts = list_unanswered(latest=now - settings.TO_DO.payout_answer_limit).select_related("customer")
    for payout in payouts[:MAX_PER_KIND]:
        is_sent = payout.state == PayoutState.SENT
        told = "sent" if is_sent else "no statement has told that it came back"
        since = (payout.sent_at if is_sent else payout.returned_at) or now
        yield _payout(ConcernKind.PAYOUT_ANSWER, payout, since, told)


def read_contradicting_debits(_now: datetime) -> Iterator[Concern]:
    """Read debits that name a payout and fit none, until two persons have decided about them."""
    lines = list_open_debits().exclude(end_to_end_id="").select_related("contradicts__customer", "statement")
    for line in lines[:MAX_PER_KIND]:
        payout = line.contradicts
        reason = (
            f"it names {payout} of {payout.customer}, which is {payout.get_state_display().lower()}"
            if payout
            else f"it names a payout that is not known here: {line.end_to_end_id}"
        )
        yield _debit(ConcernKind.PAYOUT_LINE, line, reason)


def read_debits(_now: datetime) -> Iterator[Concern]:
    """Read debits that name no payout, until two persons have explained them."""
    for line in list_open_debits().filter(end_to_end_id="").select_related("statement")[:MAX_PER_KIND]:
        yield _debit(ConcernKind.DEBIT, line, "it answers nothing that we know of")


def _debit(kind: ConcernKind, line: StatementLine, reason: str) -> Concern:
    return Concern(
        kind=kind,
        subject=f"{line}, debit of {line.amount} USD on {line.booked_on}",
        since=line.statement.decided_at or line.statement.imported_at,
        reason=reason,
        target=Target(model="wallets_statementline", pk=line.pk),
    )


def _payouts(
    kind: ConcernKind, state: PayoutState, since: str, *, now: datetime, limit: timedelta
) -> Iterator[Concern]:
    late = Payout.objects.filter(state=state, **{f"{since}__lte": now - limit}).select_related("customer")
    for payout in late.order_by("id")[:MAX_PER_KIND]:
        yield _payout(kind, payout, getattr(payout, since), payout.get_state_display().lower())


def _payout(kind: ConcernKind, payout: Payout, since: datetime, told: str) -> Concern:
    return Concern(
        kind=kind,
        subject=f"{payout} of {payout.customer}",
        since=since,
        reason=f"{told}, {payout.end_to_end_id}",
        target=Target(model="wallets_payout", pk=payout.pk),
    )


def read_returns(_now: datetime) -> Iterator[Concern]:
    """Read returns whose deposit is not known, and those that nobody has looked at yet."""
    for row in Return.objects.filter(seen_at=None).select_related("customer").order_by("id")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.RETURN,
            subject=f"{row}, {row.reference} of {row.source}",
            since=row.created_at,
            reason=_about(row),
            target=Target(model="wallets_return", pk=row.pk),
        )


def _about(row: Return) -> str:
    if row.state == ReturnState.WAITING:
        return f"no money has moved: {row.note}. Find its deposit, and take it back"
    if row.customer is None:
        return "taken from a deposit of nobody"
    if row.note == NOT_FROZEN:
        return f"{row.customer}: {row.taken} USD were in the wallet; {row.note}. Freeze it if you doubt the customer"
    return f"{row.customer} is frozen: {row.taken} USD were in the wallet, {row.owed} USD are owed"


def read_wallets_of_staff(_now: datetime) -> Iterator[Concern]:
    """Read members of staff who have a wallet. Where one person gives powers, the seed's administrator is left out."""
    wallets = list_wallets_of_staff(seeded=USER_POWERS.name in settings.PROPOSALS.kinds)
    for wallet in wallets[:MAX_PER_KIND]:
        assert wallet.owner is not None, "a wallet of staff has its owner"
        yield Concern(
            kind=ConcernKind.STAFF_WALLET,
            subject=str(wallet.owner),
            since=wallet.owner.date_joined,
            reason=f"is a member of staff with a wallet, which holds {wallet.balance:.2f} USD",
            target=Target(model="wallets_user", pk=wallet.owner_id),
        )


def read_debts(_now: datetime) -> Iterator[Concern]:
    """Read customers who owe dollars that a bank took back."""
    owing = Receivable.objects.filter(amount__gt=0).select_related("customer").order_by("since")
    for debt in owing[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.DEBT,
            subject=str(debt),
            since=debt.since,
            reason="what reaches the wallet pays it; take coins for it, or write it off",
            target=Target(model="wallets_receivable", pk=debt.pk),
        )
