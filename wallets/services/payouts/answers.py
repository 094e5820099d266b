"""Takes the bank's answers from statements: a debit that names a payout has paid it, a credit has brought it back."""

import logging
from typing import Final

from django.db import transaction

from wallets.exceptions import NotFound
from wallets.models import Payout, PayoutState, Statement, StatementLine, StatementState, User
from wallets.runtime import failpoints
from wallets.runtime.clock import database_now
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.sealed import open_text
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.payouts.outcomes import MAY_BECOME, note_outcome, note_paid_by_bank
from wallets.statements.lines import LineKind

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 50
_RETURNED: Final = "the bank has returned it"
_DIGITS_OF_A_NUMBER: Final = 4
_COMING: Final = (LineKind.CREDIT.value, LineKind.GIVEN_BACK.value)
_KINDS: Final = (*_COMING, LineKind.DEBIT.value)
_CAME_BACK: Final = (PayoutState.RETURNED, PayoutState.FAILED)


def take_answers(*, statement_id: int) -> None:
    """Record what an approved statement says about payouts, some lines at a time. Safe to run again.

    A line counts if it names one payout by its end-to-end id and has its amount. It then becomes no deposit. A line
    that names a payout and does not fit it is left to staff: a credit is a deposit, of nobody, and the to-do page names
    the others.
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
    reference = "" if line.reference.startswith("line-") else line.reference
    if line.amount != payout.amount:
        _contradict(line, payout)
    elif line.kind == LineKind.DEBIT.value:
        if note_paid_by_bank(payout=payout, wallet=wallet, bank_reference=reference):
            _answer(line, payout)
        else:
            _contradict(line, payout)
    elif payout.state in MAY_BECOME[PayoutState.RETURNED]:
        note_outcome(
            payout_id=payout.pk,
            outcome=PayoutState.RETURNED,
            reason=_reason_in(line),
            bank_reference=payout.bank_reference,
        )
        _answer(line, payout)
    elif payout.state in _CAME_BACK and not payout.lines.filter(kind__in=_COMING).exists():
        _answer(line, payout)  # staff have noted it before the bank told
    else:
        _contradict(line, payout)


def _answer(line: StatementLine, payout: Payout) -> None:
    StatementLine.objects.filter(pk=line.pk).update(payout=payout, contradicts=None)


def _contradict(line: StatementLine, payout: Payout) -> None:
    """Leave the line to staff. A credit is one of nobody besides, and waits for them as such."""
    logger.warning("%s names %s, which is %s, and does not fit it", line, payout, payout.state)
    if line.kind != LineKind.CREDIT.value:
        StatementLine.objects.filter(pk=line.pk).update(contradicts=payout)


@transaction.atomic
def mark_line_seen(*, line_id: int, by: User) -> None:
    """Take a line that contradicts its payout off the to-do page: somebody has dealt with it. Raises NotFound."""
    open_ = StatementLine.objects.filter(pk=line_id, contradicts__isnull=False, seen_at=None)
    if not open_.update(seen_at=database_now(), seen_by=by):
        raise NotFound("This line does not wait for anybody.")


def _reason_in(line: StatementLine) -> str:
    """Return what the bank says about a payout that came back, for its customer to read.

    Without its words that are numbers: the bank's own text may name an account, and is encrypted where it stands.
    """
    words = open_text(text=line.text).replace("|", " ").split()
    told = " ".join(word for word in words if sum(map(str.isdigit, word)) < _DIGITS_OF_A_NUMBER)
    return told or _RETURNED
