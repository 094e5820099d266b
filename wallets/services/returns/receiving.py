"""Receives returns that a bank's statement or a provider's server tells, and finds the deposits that they name."""

from django.db import transaction

from wallets.exceptions import Busy, NotFound, ReturnRefused
from wallets.models import Return, ReturnState, StatementLine
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.returned import TakenBack, find_returned_deposit, names_in, told_by_line, told_by_return
from wallets.services.returns.taking import ReturnedMoney, take_return


@transaction.atomic
def receive_return(*, money: ReturnedMoney) -> Return:
    """Take the deposit back that the bank names; or keep the return for staff, if there is no such deposit.

    For everything that tells returns but staff. What a line of a statement tells is read from the line; without one,
    `named` holds the bank's own references. A return that its deposit refuses waits too: nothing that a bank says is
    lost. The same return has one effect. Raises ReturnDiffers.
    """
    found = find_returned_deposit(_names_of(money))
    why = money.note or found.why
    if found.deposit is not None:
        try:
            return take_return(money=money, deposit_id=found.deposit.pk)
        except ReturnRefused as error:
            why = str(error)
    return keep_waiting(money=money, why=why)


def _names_of(money: ReturnedMoney) -> TakenBack:
    if money.line_id is not None:
        return told_by_line(StatementLine.objects.get(pk=money.line_id), account=money.source)
    return TakenBack(source=money.source, amount=money.amount, names=names_in(money.named))


def keep_waiting(*, money: ReturnedMoney, why: str) -> Return:
    """Keep a return of an unknown deposit for staff, who find its row on the to-do page. Moves no money."""
    values = {
        "amount": money.amount,
        "named": money.named[:600],
        "line_id": money.line_id,
        "state": ReturnState.WAITING,
        "received_at": money.received_at,
        "note": why[:200],
    }
    row, _ = Return.objects.get_or_create(source=money.source, reference=money.reference, defaults=values)
    return row


def take_waiting_returns() -> None:
    """Take the returns whose deposits have become known meanwhile. Safe to run at any time, and twice."""
    waiting = Return.objects.filter(state=ReturnState.WAITING).select_related("line").order_by("id")
    for row in [each for each in waiting if each.named]:
        deposit = find_returned_deposit(told_by_return(row)).deposit
        if deposit is not None:
            _take_waiting(row, deposit.pk)


@retried_on_conflict
@transaction.atomic(durable=True)
def _take_waiting(row: Return, deposit_id: int) -> None:
    """Take it, or leave it to staff if the deposit refuses it or has moved on."""
    try:
        take_return(money=money_of(row), deposit_id=deposit_id, waiting_id=row.pk)
    except (ReturnRefused, NotFound, Busy) as error:
        if row.note != (note := str(error)[:200]):
            told = {"note": note, "seen_at": None, "seen_by": None}  # the deposit has come: staff look again
            Return.objects.filter(pk=row.pk, state=ReturnState.WAITING).update(**told)


def money_of(row: Return) -> ReturnedMoney:
    """Return what a return that waits has told."""
    return ReturnedMoney(
        amount=row.amount,
        source=row.source,
        reference=row.reference,
        received_at=row.received_at,
        named=row.named,
        line_id=row.line_id,
    )
