"""Says of each line of a statement what it will do when the statement is credited: its approver reads it before."""

from dataclasses import dataclass

from wallets.models import Deposit, Payout, Return, StatementLine, StatementState, User
from wallets.selectors.returned import find_returned_deposit, told_by_line
from wallets.statements.lines import LineKind


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a line does or has done, in words, and the records that it is about."""

    words: str
    customer: User | None = None
    deposit: Deposit | None = None
    payout: Payout | None = None
    taken: Return | None = None


def foresee(line: StatementLine) -> Effect:
    """Return what a line has done, or what it will do if its statement is credited now.

    No query for a credit that names no payout, if its related rows are loaded; a few for a line that takes back.
    """
    if line.statement.state == StatementState.REJECTED:
        return Effect(words="nothing: the statement is rejected")
    return _read_done(line) or _foresee(line)


def _read_done(line: StatementLine) -> Effect | None:
    if line.payout is not None:
        return Effect(words="has answered", payout=line.payout, customer=line.payout.customer)
    if line.contradicts is not None:
        return Effect(words="contradicts", payout=line.contradicts, customer=line.contradicts.customer)
    if line.deposit is not None:
        return Effect(words="is", deposit=line.deposit, customer=line.deposit.customer)
    if line.kind == LineKind.TAKEN_BACK:
        taken = Return.objects.select_related("customer").filter(line=line).first()
        if taken is not None:
            return Effect(words=taken.get_state_display().lower(), taken=taken, customer=taken.customer)
    return None


def _foresee(line: StatementLine) -> Effect:
    named = Payout.objects.select_related("customer").filter(end_to_end_id=line.end_to_end_id)
    payout = named.first() if line.end_to_end_id else None
    if payout is not None:
        words = f"names a payout of {payout.amount:.2f} USD, {payout.get_state_display().lower()}:"
        return Effect(words=words, payout=payout, customer=payout.customer)
    if line.kind == LineKind.TAKEN_BACK:
        return _foresee_return(line)
    if line.kind == LineKind.CREDIT:
        if line.customer is not None:
            return Effect(words=f"credits a customer{_but(line.remark)}:", customer=line.customer)
        return Effect(words=f"becomes a deposit of nobody{_but(line.remark)}")
    return Effect(words="names no payout")


def _foresee_return(line: StatementLine) -> Effect:
    found = find_returned_deposit(told_by_line(line, account=line.statement.account))
    deposit = found.deposit
    if deposit is None:
        return Effect(words=f"waits for staff{_but(found.why)}")
    if line.amount > deposit.kept:
        return Effect(
            words="waits for staff, as it is more than is left of", deposit=deposit, customer=deposit.customer
        )
    return Effect(words="takes back", deposit=deposit, customer=deposit.customer)


def _but(remark: str) -> str:
    return f" ({remark})" if remark else ""
