"""Approves payouts, and records what came of those that were sent: paid, failed or returned."""

from decimal import Decimal

from wallets.exceptions import PayoutDecided
from wallets.models import GIVEN_BACK, PAYABLE, Payout, PayoutState
from wallets.services.ledger.locking import LockedWallet
from wallets.services.payouts.ending import lock_payout
from wallets.services.payouts.leaving import ensure_may_leave, lock_customers
from wallets.services.payouts.moves import give_back, send, take_again
from wallets.statements.lines import LineKind

MAY_BECOME = {
    PayoutState.PAID: (PayoutState.SENT, PayoutState.FAILED, PayoutState.RETURNED),
    PayoutState.FAILED: (PayoutState.SENT,),
    PayoutState.RETURNED: (PayoutState.SENT, PayoutState.PAID),
}
"""What can come of a payout that was sent, with the states before: staff correct a wrong outcome in both directions."""


def approve_payout(*, payout_id: int) -> None:
    """Approve a payout that waits for staff, in the caller's database transaction.

    Raises NotFound, PayoutDecided; the refusals of `ensure_may_leave`.
    """
    payout, wallet = lock_payout(payout_id=payout_id)
    customer = lock_customers(customer_ids=[payout.customer_id])[payout.customer_id]
    ensure_may_leave(payout=payout, customer=customer)
    waiting = Payout.objects.filter(pk=payout.pk, state=PayoutState.REQUESTED)
    if not waiting.update(state=PayoutState.APPROVED, approved_at=wallet.now):
        raise PayoutDecided(state=payout.get_state_display())


def note_outcome(*, payout_id: int, outcome: PayoutState, reason: str = "", bank_reference: str = "") -> None:
    """Record what came of a payout, in the caller's database transaction. One that came back is credited again.

    One that was paid, although its customer has the dollars again, is taken from the wallet, or owed. The customer
    reads the reason. Raises NotFound; PayoutDecided if that cannot come of it, or has already, or the bank's statement
    says that it came back; and NotFound if it came back to a closed account.
    """
    payout, wallet = lock_payout(payout_id=payout_id)
    if outcome is PayoutState.PAID and payout.state in GIVEN_BACK:
        _pay_after_all(payout, wallet, outcome=outcome)
        return
    told = {"reason": reason[:200], "bank_reference": bank_reference[:100] or payout.bank_reference}
    changed = Payout.objects.filter(pk=payout.pk, state__in=MAY_BECOME[outcome]).update(
        state=outcome, **{f"{outcome.value}_at": wallet.now}, **told
    )
    if not changed:
        raise PayoutDecided(state=payout.get_state_display())
    if outcome is not PayoutState.PAID:
        give_back(payout=payout, wallet=wallet, now=wallet.now)


def _pay_after_all(payout: Payout, wallet: LockedWallet, *, outcome: PayoutState) -> None:
    if payout.state not in MAY_BECOME[outcome]:
        raise PayoutDecided(state=payout.get_state_display())
    if payout.came_back_as_id is not None:
        raise PayoutDecided(state=f"back as deposit {payout.came_back_as_id}, whose movement can be corrected")
    if payout.lines.filter(kind=LineKind.GIVEN_BACK.value).exists():
        raise PayoutDecided(state="back, as the bank's statement says")
    revive_as_paid(payout=payout, wallet=wallet)


def revive_as_paid(*, payout: Payout, wallet: LockedWallet, bank_reference: str = "") -> Decimal:
    """Record that a payout was paid whose dollars its customer has again, take them, and return what is owed of them.

    The caller has locked the wallet, and then read the payout.
    """
    assert payout.state in GIVEN_BACK, "its customer has the dollars again"
    now = wallet.now
    given_back = Payout.objects.filter(pk=payout.pk, state=payout.state)
    changed = given_back.update(
        state=PayoutState.PAID,
        approved_at=payout.approved_at or now,
        sent_at=payout.sent_at or now,
        paid_at=payout.paid_at or now,
        bank_reference=bank_reference[:100] or payout.bank_reference,
        reason="",
        **{f"{state.value}_at": None for state in GIVEN_BACK},
    )
    assert changed, "the wallet is locked"
    return take_again(payout=payout, wallet=wallet)


def note_paid_by_bank(*, payout: Payout, wallet: LockedWallet, bank_reference: str) -> bool:
    """Record that our bank has paid a payout, and say whether its line may answer it. The caller has locked the wallet.

    A payout that is not sent as far as we know was sent before the database was restored: its dollars leave now. A
    statement may tell that a payout came back before it tells that it was paid.
    """
    now, unsent = wallet.now, payout.state in PAYABLE
    came_back = Payout.objects.filter(pk=payout.pk, state=PayoutState.RETURNED, paid_at=None)
    if came_back.update(paid_at=now, bank_reference=bank_reference[:100]):
        return True
    if payout.state in (PayoutState.PAID, PayoutState.RETURNED):  # staff have said so before the bank told
        return not payout.lines.filter(kind=LineKind.DEBIT.value).exists()
    values = {"approved_at": payout.approved_at or now, "sent_at": now} if unsent else {}
    changed = Payout.objects.filter(pk=payout.pk, state__in=[*PAYABLE, PayoutState.SENT]).update(
        state=PayoutState.PAID, paid_at=now, bank_reference=bank_reference[:100], **values
    )
    if changed and unsent:
        send(payouts=[payout], now=now)
    return bool(changed)
