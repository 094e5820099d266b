"""Decides about imported statements, and credits the approved ones."""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from datetime import time as time_of_day
from typing import Final

from django.db import DatabaseError, transaction
from django.db.models import Q

from wallets.exceptions import DepositDiffers, DomainError, NotFound, OnePersonTwice, OwnAccount, StatementDecided
from wallets.models import Payout, Statement, StatementLine, StatementState, User
from wallets.runtime import failpoints
from wallets.runtime.clock import database_now
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import is_closed
from wallets.services.comparing import BOOKED_BY_HAND, WON_BY_HAND, note_what_staff_have_booked
from wallets.services.deposits import IncomingMoney, receive_deposit
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.payouts.answers import take_answers
from wallets.services.returns.lines import take_next_back
from wallets.statements.lines import COMES_IN, KNOWN, LineKind

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 50
"""Credits of one database transaction, which holds the wallets of as many customers."""
_OF_A_PAYOUT: Final = "it names a payout, and is no answer about it: see whether the payout has come back"
_GIVEN_BACK: Final = "the bank has returned a payment of ours, and it answers no payout: find out which one"
_NOT_CREDITED: Final = frozenset({KNOWN, _OF_A_PAYOUT, _GIVEN_BACK, BOOKED_BY_HAND, WON_BY_HAND})
"""Remarks with which a line credits nobody, although it names a customer."""
_TAKEN: Final = "the name of its deposit is another payment's, so compare whether this is the same one"


@transaction.atomic
def approve_statement(*, statement_id: int, by: User, approved_by: User | None) -> None:
    """Let an imported statement be credited, in the caller's database transaction; `credit_statement` then does it.

    Raises NotFound; StatementDecided also while an earlier statement of the account waits; OnePersonTwice if the person
    who imported it approves what another one asks for; and OwnAccount if it credits one of the people.
    """
    statement = lock_waiting_statement(statement_id=statement_id)
    _ensure_its_turn(statement)
    if approved_by is not None and approved_by.pk == statement.imported_by_id:
        raise OnePersonTwice
    people = {by.pk, approved_by.pk if approved_by else by.pk, statement.imported_by_id}
    if statement.lines.filter(customer_id__in=people).exists():
        raise OwnAccount
    _decide(statement, StatementState.APPROVED, by=approved_by or by)


def _ensure_its_turn(statement: Statement) -> None:
    """Raise StatementDecided while the statement before waits: it could not be rejected any more, wrong or not."""
    previous = _lock(statement.previous_id) if statement.previous_id else None
    if previous is not None and previous.state == StatementState.WAITING:
        raise StatementDecided(state=f"after {previous}, about which somebody has to decide first")


def lock_waiting_statement(*, statement_id: int) -> Statement:
    """Lock a statement about which nobody has decided. Raises NotFound, StatementDecided."""
    statement = _lock(statement_id)
    if statement.state != StatementState.WAITING:
        raise StatementDecided(state=statement.get_state_display())
    return statement


@transaction.atomic
def reject_statement(*, statement_id: int, by: User) -> None:
    """Put an imported statement aside, as if it had never been imported. One person may: it moves no money.

    That includes one that was approved and of which nothing is booked yet. Raises NotFound, and StatementDecided also
    if a later statement follows this one.
    """
    statement = _lock(statement_id)
    if statement.state != StatementState.WAITING and not _is_untouched(statement):
        raise StatementDecided(state=statement.get_state_display())
    if statement.following.exclude(state=StatementState.REJECTED).exists():
        raise StatementDecided(state="followed by a later one, which has to be rejected first")
    _decide(statement, StatementState.REJECTED, by=by)


def _is_untouched(statement: Statement) -> bool:
    """Say whether a locked statement is approved and none of its lines has moved money."""
    booked = Q(deposit__isnull=False) | Q(payout__isnull=False) | Q(taken_back__isnull=False)
    return statement.state == StatementState.APPROVED and not statement.lines.filter(booked).exists()


def credit_statement(
    *, statement_id: int, tell: Callable[[int], object] = lambda _: None, until: float = math.inf
) -> None:
    """Book the lines of an approved statement, some at a time; `tell` is called with their number.

    Some answer payouts. All other dollars that came in become deposits, and lines by which the bank took deposits back
    become returns. Safe to run again, and at once with another run: each line is booked once. Nothing is begun after
    the moment `until` of the monotonic clock. Raises Busy.
    """
    take_answers(statement_id=statement_id)
    while time.monotonic() < until and (count := _credit_some(statement_id=statement_id)):
        tell(count)
        failpoints.reach("statement.credited_some")


def credit_approved_statements(*, seconds: float = math.inf) -> None:
    """Go on with statements that were approved and are not credited, because the process that did it ended.

    One that fails is logged, and the others go on. After so many seconds the rest is left to the next call. Statements
    that an earlier release has credited, and of which it only listed returned payments, are credited once more.
    """
    until = time.monotonic() + seconds
    missed = StatementLine.objects.filter(kind__in=COMES_IN, deposit=None, payout=None)
    credited = Statement.objects.filter(pk__in=missed.values("statement"), state=StatementState.CREDITED)
    credited.update(state=StatementState.APPROVED)
    approved = Statement.objects.filter(state=StatementState.APPROVED).order_by("id")
    for statement_id in approved.values_list("pk", flat=True):
        try:
            credit_statement(statement_id=statement_id, until=until)
        except (DomainError, DatabaseError):
            logger.exception("Statement %s cannot be credited", statement_id)


@retried_on_conflict
@transaction.atomic(durable=True)
def _credit_some(*, statement_id: int) -> int:
    """Receive the next lines, credits before those that were taken back, and return how many.

    Without any, the statement is credited.
    """
    statement = _lock(statement_id)
    if statement.state != StatementState.APPROVED:
        return 0
    waiting = statement.lines.filter(kind__in=COMES_IN, deposit=None, payout=None).order_by("number")
    lines = list(waiting[:_AT_ONCE])
    if not lines:
        if taken := take_next_back(statement=statement):
            return taken
        statement.state = StatementState.CREDITED
        statement.save(update_fields=["state"])
        return 0
    _note_payouts(lines)
    wallets = lock_wallets_to_credit(customer_ids={line.customer_id for line in lines if line.customer_id})
    now = database_now()
    note_what_staff_have_booked(lines=lines, account=statement.account, now=now)
    for line in lines:
        wallet = None if line.remark in _NOT_CREDITED else wallets.get(line.customer_id or 0)
        if wallet is not None and wallet.frozen and is_closed(customer_id=wallet.owner_id):
            wallet = None
        line.deposit_id = _receive(line, account=statement.account, wallet=wallet, now=now)
    StatementLine.objects.bulk_update(lines, ["deposit"])
    failpoints.reach("statement.crediting")
    return len(lines)


def _note_payouts(lines: list[StatementLine]) -> None:
    """Mark lines that name a payout, or are marked as the return of one, and answer none: they are of nobody."""
    named = {line.end_to_end_id for line in lines} - {""}
    known = set(Payout.objects.filter(end_to_end_id__in=named).values_list("end_to_end_id", flat=True)) if named else ()
    for line in lines:
        if line.kind == LineKind.GIVEN_BACK.value:
            line.remark = _GIVEN_BACK
        elif line.end_to_end_id in known and line.remark != KNOWN:
            line.remark = _OF_A_PAYOUT


def _receive(line: StatementLine, *, account: str, wallet: LockedWallet | None, now: datetime) -> int:
    """Receive a line's money, or find the deposit of a known one, and return the deposit's id.

    Under a name that another payment has, the money is received for nobody: no line stops those after it.
    """
    try:
        money = _money_of(line, account=account, remark="" if wallet else line.remark)
        received = receive_deposit(money=money, wallet=wallet, now=now)
    except DepositDiffers:
        logger.warning("%s names a deposit of another amount", line)
    else:
        if received.is_new or line.remark == KNOWN:
            return received.deposit_id
    line.reference = f"{line.reference}@{line.pk}"
    line.save(update_fields=["reference", "reference_hash"])
    return receive_deposit(money=_money_of(line, account=account, remark=_TAKEN), wallet=None, now=now).deposit_id


def _money_of(line: StatementLine, *, account: str, remark: str) -> IncomingMoney:
    return IncomingMoney(
        amount=line.amount,
        source=account,
        reference=line.reference,
        received_at=datetime.combine(line.booked_on, time_of_day(), tzinfo=UTC),
        note=remark,
    )


def _lock(statement_id: int) -> Statement:
    found = Statement.objects.select_for_update(no_key=True).filter(pk=statement_id).first()
    if found is None:
        raise NotFound
    return found


def _decide(statement: Statement, state: StatementState, *, by: User) -> None:
    statement.state, statement.decided_by, statement.decided_at = state, by, database_now()
    statement.save(update_fields=["state", "decided_by", "decided_at"])
