"""Decides about debits of bank statements that answer nothing: staff explain them, or charge a customer with them."""

from decimal import Decimal

from django.db import transaction

from wallets.exceptions import NotFound, ProposalRefused
from wallets.models import GIVEN_BACK, Payout, PayoutState, StatementLine, User
from wallets.runtime.clock import database_now
from wallets.selectors.statements import list_open_debits
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.payouts.answers import bank_reference_of
from wallets.services.payouts.moves import take_again
from wallets.services.payouts.outcomes import revive_as_paid
from wallets.statements.lines import SEVERAL, LineKind


def find_open_debit(*, line_id: int) -> StatementLine:
    """Return a debit that answers nothing, and about which nobody has decided. Raises NotFound."""
    line = list_open_debits().select_related("contradicts").filter(pk=line_id).first()
    if line is None:
        raise NotFound("This line does not wait for anybody.")
    return line


@transaction.atomic
def explain_debit(*, line_id: int, by: User) -> StatementLine:
    """Take a debit off the to-do page that concerns no customer, such as a fee of the bank. Books nothing.

    Raises NotFound.
    """
    line = _lock_open_debit(line_id)
    _see(line, by=by)
    return line


@transaction.atomic
def charge_debit(*, line_id: int, customer_id: int, by: User) -> tuple[Payout, Decimal]:
    """Take the dollars of a debit from the customer to whom they went. Return the payout, and what is owed of it.

    The debit has paid a payout that was given back meanwhile, or one that a restored database has forgotten. Then the
    payout is made anew. Raises NotFound, also without a wallet, and what `ensure_chargeable` raises.
    """
    wallet = lock_wallets_to_credit(customer_ids=[customer_id]).get(customer_id)
    if wallet is None:
        raise NotFound("This user has no dollar wallet.")
    line = _lock_open_debit(line_id)
    ensure_chargeable(line=line, customer_id=customer_id)
    given_back = line.contradicts
    if given_back is not None and given_back.state in GIVEN_BACK:
        payout, reference = given_back, bank_reference_of(line)
        owed = revive_as_paid(payout=payout, wallet=wallet, bank_reference=reference)
    else:
        payout = _make_forgotten(line, wallet)
        owed = take_again(payout=payout, wallet=wallet)
    line.payout, line.contradicts = payout, None
    _see(line, by=by)
    return payout, owed


def ensure_chargeable(*, line: StatementLine, customer_id: int) -> None:
    """Raise ProposalRefused if the debit cannot have paid this customer, or their wallet has paid it already."""
    payout = line.contradicts
    if payout is None:
        _ensure_is_of_no_payout(line, customer_id)
        return
    if payout.customer_id != customer_id:
        raise ProposalRefused(f"It names {payout} of another customer.")
    if payout.amount != line.amount or payout.state not in (*GIVEN_BACK, PayoutState.PAID):
        raise ProposalRefused(f"It names {payout}. Say on its page what came of it, and explain the debit.")
    if payout.came_back_as_id is not None:
        raise ProposalRefused(f"{payout} is back as deposit {payout.came_back_as_id}: correct that first.")
    _ensure_has_another_debit(payout)


def _ensure_is_of_no_payout(line: StatementLine, customer_id: int) -> None:
    """Refuse a debit that names no single payout if it may be one of the customer's, which has no debit yet."""
    if line.end_to_end_id not in {"", SEVERAL}:
        return
    out = Payout.objects.filter(customer_id=customer_id, amount=line.amount).exclude(lines__kind=LineKind.DEBIT.value)
    payout = out.filter(state__in=[PayoutState.SENT, PayoutState.PAID]).order_by("id").first()
    if payout is not None:
        raise ProposalRefused(f"It may be {payout}: say on its page that it was paid, and explain the debit.")


def _ensure_has_another_debit(payout: Payout) -> None:
    """Refuse the debit that staff have foreseen: they marked the payout as paid, or as failed and it has come back.

    Only lines that answer a payout count. One that is paid has one debit more than lines that bring it back.
    """
    paid = payout.lines.filter(kind=LineKind.DEBIT.value).count()
    back = payout.lines.filter(kind=LineKind.GIVEN_BACK.value).count()
    if paid - back < (1 if payout.state == PayoutState.PAID else 0):
        raise ProposalRefused(f"{payout} is settled already: this is its own debit. Explain it.")


def _lock_open_debit(line_id: int) -> StatementLine:
    """Lock a debit about which nobody has decided. Customers' wallets are locked before. Raises NotFound."""
    StatementLine.objects.select_for_update(no_key=True).filter(pk=line_id).first()
    return find_open_debit(line_id=line_id)


def _make_forgotten(line: StatementLine, wallet: LockedWallet) -> Payout:
    """Make a payout of a debit whose own is gone. A second payment of a payout that is there gets a new id."""
    times = dict.fromkeys(("created_at", "approved_at", "sent_at", "paid_at"), wallet.now)
    is_free = not Payout.objects.filter(end_to_end_id=line.end_to_end_id).exists()
    named = {"end_to_end_id": line.end_to_end_id} if is_free and line.end_to_end_id not in {"", SEVERAL} else {}
    reference = bank_reference_of(line)[:100]
    payout = Payout(
        customer_id=wallet.owner_id,
        amount=line.amount,
        state=PayoutState.PAID,
        bank_reference=reference,
        **times,
        **named,
    )
    payout.save()
    return payout


def _see(line: StatementLine, *, by: User) -> None:
    line.seen_at, line.seen_by = database_now(), by
    line.save(update_fields=["payout", "contradicts", "seen_at", "seen_by"])
