"""Makes returns of the lines of approved statements by which the bank took credits back."""

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Final

from wallets.exceptions import ReturnDiffers
from wallets.models import Return, Statement, StatementLine, StatementState
from wallets.runtime import failpoints
from wallets.services.returns.receiving import keep_waiting, receive_return
from wallets.services.returns.taking import ReturnedMoney
from wallets.statements.lines import LineKind

_TOLD_BEFORE: Final = "another line has told a return of this reference, so compare whether this is the same one"
_AGAIN: Final = "the bank has used its reference before, so compare whether this is the same return"


def take_next_back(*, statement: Statement) -> int:
    """Make a return of the statement's next line of this kind, in the caller's database transaction. Return how many.

    One line for each database transaction, because each locks the wallet of another customer.
    """
    waiting = statement.lines.filter(kind=LineKind.TAKEN_BACK.value, taken_back=None).order_by("number")
    line = waiting.first()
    if line is None:
        return 0
    _take_back(line, money=_money_of(line, account=statement.account))
    failpoints.reach("statement.took_back")
    return 1


def _take_back(line: StatementLine, *, money: ReturnedMoney) -> None:
    """Make the line's return, or find the one that staff have booked before: in the end every line has one."""
    why = money.note or _TOLD_BEFORE
    try:
        row = keep_waiting(money=money, why=money.note) if money.note else receive_return(money=money)
    except ReturnDiffers as error:
        why = str(error)
    else:
        if row.line_id == line.pk or _link(row, line):
            return
    keep_waiting(money=replace(money, reference=f"{money.reference}@{line.pk}", named=""), why=why)


def _link(row: Return, line: StatementLine) -> bool:
    unlinked = Return.objects.filter(pk=row.pk, line=None, amount=line.amount)
    return unlinked.update(line=line) > 0


def _money_of(line: StatementLine, *, account: str) -> ReturnedMoney:
    """Return what the line tells. With a note, only staff can say whether it is a return of its own.

    Banks name a payment that they take back by a reference of its own or by the deposit's, and may do so several times.
    Within a statement these are several returns.
    """
    same = StatementLine.objects.filter(key=line.key, kind=LineKind.TAKEN_BACK.value, statement__account=account)
    in_force = same.exclude(statement__state=StatementState.REJECTED)
    before = in_force.filter(statement_id__lt=line.statement_id).count()
    ordinal = before + in_force.filter(statement_id=line.statement_id, number__lte=line.number).count()
    return ReturnedMoney(
        amount=line.amount,
        source=account,
        reference=line.reference if ordinal == 1 else f"{line.reference}#{ordinal}",
        received_at=datetime.combine(line.booked_on, time(), tzinfo=UTC),
        named="" if before else line.reference,
        note=_AGAIN if before else "",
        line_id=line.pk,
    )
