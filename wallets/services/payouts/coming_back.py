"""Takes a deposit of nobody for a payout that has come back, if the bank did not say that it was a return."""

from django.db import transaction

from wallets.exceptions import DepositDecided, NotFound, PayoutDecided, ProposalRefused
from wallets.models import Deposit, DepositState, Payout, PayoutState
from wallets.selectors.accounts import is_closed
from wallets.services.deposits import Decision, assign_deposit
from wallets.services.payouts.ending import lock_payout
from wallets.services.payouts.outcomes import MAY_BECOME


@transaction.atomic
def take_back_as_deposit(*, payout_id: int, deposit_id: int, decision: Decision) -> Payout:
    """Credit the payout's customer with a deposit of nobody, as which the payout has come back.

    It stays a deposit: it is held like any other, and its bank may take it back. The bank may have kept a part. Raises
    what `ensure_may_be` raises.
    """
    payout, wallet = lock_payout(payout_id=payout_id)
    ensure_may_be(payout=payout, deposit=find_deposit(deposit_id=deposit_id))
    assign_deposit(deposit_id=deposit_id, customer_id=payout.customer_id, decision=decision)
    sent = Payout.objects.filter(pk=payout.pk, state__in=MAY_BECOME[PayoutState.RETURNED])
    changed = sent.update(state=PayoutState.RETURNED, returned_at=wallet.now, came_back_as=deposit_id)
    assert changed, "the wallet is locked"
    return payout


def ensure_may_be(*, payout: Payout, deposit: Deposit) -> None:
    """Raise a DomainError unless the deposit is of nobody and the payout was sent, for as much or more.

    That is DepositDecided, PayoutDecided, NotFound (a closed account) or ProposalRefused.
    """
    if deposit.state != DepositState.UNASSIGNED or not deposit.kept:
        raise DepositDecided(state=deposit.get_state_display())
    if payout.state not in MAY_BECOME[PayoutState.RETURNED]:
        raise PayoutDecided(state=payout.get_state_display())
    if is_closed(customer_id=payout.customer_id):
        raise NotFound("The account is closed, so the dollars stay with nobody: send the deposit back.")
    if deposit.amount > payout.amount:
        raise ProposalRefused(f"{payout} is smaller than {deposit}.")


def find_deposit(*, deposit_id: int) -> Deposit:
    """Return a deposit. Raises NotFound."""
    deposit = Deposit.objects.filter(pk=deposit_id).first()
    if deposit is None:
        raise NotFound
    return deposit
