"""Takes the bank's answers from statements: a debit that names a payout has paid it, and a line that the bank itself
marks as a return has brought it back.

What a payer writes proves nothing, because customers know the end-to-end ids of their payouts. So a plain credit that
names a payout answers nothing: it becomes a deposit of nobody, and two persons may say that the payout has come back.
"""

import logging
from typing import Final

from django.conf import settings
from django.db import transaction

from wallets.models import Payout, PayoutState, Statement, StatementLine, StatementState
from wallets.runtime import failpoints
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import is_closed
from wallets.selectors.payers import may_be_the_same
from wallets.selectors.sealed import open_text
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.payouts.outcomes import MAY_BECOME, note_outcome, note_paid_by_bank
from wallets.statements.lines import NO_REFERENCE, LineKind

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 50
_RETURNED: Final = "the bank has returned it"
_DIGITS_OF_A_NUMBER: Final = 4
_KINDS: Final = (LineKind.GIVEN_BACK.value, LineKind.DEBIT.value)
_CAME_BACK: Final = (PayoutState.RETURNED, PayoutState.FAILED)


def take_answers(*, statement_id: int) -> None:
    """Record what an approved statement says about payouts, some lines at a time. Safe to run again.

    A line counts if it names one payout by its end-to-end id, and has its amount; one that brings it back comes from
    nobody but the payee or us. It then becomes no deposit. A line that does not fit is left to staff: dollars that came
    in are a deposit of nobody, and a debit is on the to-do page.
    """
    after = 0
    while (last := _take_some(statement_id=statement_id, after=after)) is not None:
        after = last
        failpoints.reach("payouts.answered")


@retried_on_conflict
@transaction.atomic(durable=True)
def _take_some(*, statement_id: int, after: int) -> int | None:
    """Look at the next lines that may name a payout, and return the number of the last one."""
    statement = Statement.objects.select_for_update(no_key=True).filter(pk=statement_id).first()
    if statement is None or statement.state != StatementState.APPROVED:
        return None
    open_ = statement.lines.filter(kind__in=_KINDS, deposit=None, payout=None, number__gt=after)
    lines = list(open_.exclude(end_to_end_id="").order_by("number")[:_AT_ONCE])
    if not lines:
        return None
    named = {line.end_to_end_id for line in lines}
    payouts = {payout.end_to_end_id: payout for payout in Payout.objects.filter(end_to_end_id__in=named)}
    wallets = lock_wallets_to_credit(customer_ids={payout.customer_id for payout in payouts.values()})
    for line in lines:
        payout = payouts.get(line.end_to_end_id)
        if payout is not None:
            _take(line, payout, wallets[payout.customer_id])
    return lines[-1].number


def _take(line: StatementLine, payout: Payout, wallet: LockedWallet) -> None:
    payout.refresh_from_db()  # its wallet is locked now; an earlier line may have changed it
    answers = _is_paid if line.kind == LineKind.DEBIT.value else _is_back
    if line.amount == payout.amount and answers(line, payout, wallet):
        StatementLine.objects.filter(pk=line.pk).update(payout=payout, contradicts=None)
        return
    logger.warning("%s names %s, which is %s, and does not fit it", line, payout, payout.state)
    if line.kind == LineKind.DEBIT.value:
        StatementLine.objects.filter(pk=line.pk).update(contradicts=payout)


def _is_paid(line: StatementLine, payout: Payout, wallet: LockedWallet) -> bool:
    return note_paid_by_bank(payout=payout, wallet=wallet, bank_reference=bank_reference_of(line))


def bank_reference_of(line: StatementLine) -> str:
    """Return the bank's reference of a line, or nothing if the bank has given none."""
    return "" if line.reference.startswith(NO_REFERENCE) else line.reference


def _is_back(line: StatementLine, payout: Payout, _wallet: LockedWallet) -> bool:
    if is_closed(customer_id=payout.customer_id) or not _may_be_from(payout, line.counterparty):
        return False
    if payout.state not in MAY_BECOME[PayoutState.RETURNED]:  # staff may have noted it before the bank told
        is_noted = payout.state in _CAME_BACK and payout.came_back_as_id is None
        return is_noted and not payout.lines.filter(kind=LineKind.GIVEN_BACK.value).exists()
    reference = payout.bank_reference
    note_outcome(payout_id=payout.pk, outcome=PayoutState.RETURNED, reason=_reason_in(line), bank_reference=reference)
    return True


def _may_be_from(payout: Payout, counterparty: str) -> bool:
    """Say whether a returned payment may be the payout: banks name its payee, or us, or nobody."""
    theirs = open_text(text=counterparty)
    ours = (settings.PAYOUTS.account_name, payout.payee.name if payout.payee else "")
    return not theirs or any(may_be_the_same(name, theirs) for name in ours if name)


def _reason_in(line: StatementLine) -> str:
    """Return what the bank says about a payout that came back, for its customer to read.

    Without its words that are numbers: the bank's own text may name an account, and is encrypted where it stands.
    """
    words = open_text(text=line.text).replace("|", " ").split()
    told = " ".join(word for word in words if sum(map(str.isdigit, word)) < _DIGITS_OF_A_NUMBER)
    return told or _RETURNED
