"""Receives returns that a bank's statement or a provider's server tells, and finds the deposits that they name."""

import re
from typing import Final

from django.db import transaction

from wallets.exceptions import Busy, NotFound, ReturnRefused
from wallets.models import Deposit, Return, ReturnState
from wallets.runtime.conflicts import retried_on_conflict
from wallets.services.returns.taking import ReturnedMoney, take_return

_WORD: Final = re.compile(r"[^\s|,;]{4,100}")
_MOST_WORDS: Final = 60
NOT_KNOWN: Final = "no deposit of this account that it names is known"


@transaction.atomic
def receive_return(*, money: ReturnedMoney) -> Return:
    """Take the deposit back that the money's `named` names; or keep the return for staff, if there is no such deposit.

    For everything that tells returns but staff. The deposit is the one of the same account whose reference is a word of
    `named`, if that is one only. A return that its deposit refuses waits too: nothing that a bank says is lost.
    The same return has one effect. Raises ReturnDiffers.
    """
    deposit_id = find_deposit(source=money.source, named=money.named)
    why = money.note or NOT_KNOWN
    if deposit_id is not None:
        try:
            return take_return(money=money, deposit_id=deposit_id)
        except ReturnRefused as error:
            why = str(error)
    return keep_waiting(money=money, why=why)


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


def find_deposit(*, source: str, named: str) -> int | None:
    """Return the id of the deposit of our account `source` whose reference is named, if it is one only.

    It is named by a word of the text, or by one of the parts that ` | ` divides.
    """
    words = {found.group() for found in _WORD.finditer(named)} | {part.strip() for part in named.split(" | ")} - {""}
    if not words or len(words) > _MOST_WORDS:
        return None
    found = Deposit.objects.filter(source=source, reference__in=words).values_list("pk", flat=True)[:2]
    return found[0] if len(found) == 1 else None


def take_waiting_returns() -> None:
    """Take the returns whose deposits have become known meanwhile. Safe to run at any time, and twice."""
    waiting = Return.objects.filter(state=ReturnState.WAITING).order_by("id")
    for row in [each for each in waiting if each.named]:
        deposit_id = find_deposit(source=row.source, named=row.named)
        if deposit_id is not None:
            _take_waiting(row, deposit_id)


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
