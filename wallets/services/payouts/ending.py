"""Ends payouts that are not sent: their customer cancels them, or staff reject them. The dollars go back."""

from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from wallets.exceptions import NotFound, PayoutDecided, PayoutNotCancellable
from wallets.models import PAYABLE, Payee, Payout, PayoutState
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import Principal
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet, lock_wallets_to_credit
from wallets.services.payouts.guards import ensure_has_not_left, may_have_left
from wallets.services.payouts.moves import give_back


@retried_on_conflict
@transaction.atomic(durable=True)
def cancel_payout(*, principal: Principal, payout_id: int) -> Payout:
    """Cancel the customer's payout, and return it. One that is cancelled already stays so.

    Raises NotFound, also for somebody else's, AccountFrozen, PayoutNotCancellable once it is sent, and PayoutInDoubt
    while nobody knows whether it is.
    """
    wallet = lock_dollar_wallet(principal=principal)
    payout = Payout.objects.filter(pk=payout_id, customer_id=wallet.owner_id).first()
    if payout is None:
        raise NotFound
    if payout.state == PayoutState.CANCELLED:
        return payout
    if payout.state not in PAYABLE:
        raise PayoutNotCancellable(state=payout.get_state_display())
    ensure_has_not_left(payout=payout)
    if not _cancel(payout, wallet):
        raise PayoutNotCancellable(state=payout.get_state_display())
    payout.refresh_from_db()
    return payout


def cancel_open_payouts(*, wallet: LockedWallet) -> Decimal:
    """Cancel all payouts of the locked wallet's customer that are not sent, and return the US dollars that came back.

    For staff who take a deposit back: also while the account is frozen. Payouts that may have been sent stay.
    """
    before = wallet.balance
    _cancel_all(Payout.objects.filter(customer_id=wallet.owner_id), wallet)
    return wallet.balance - before


def cancel_payouts_to(*, payee: Payee, wallet: LockedWallet) -> None:
    """Cancel the payouts to a payee of the locked wallet's customer that are not sent.

    Those that may have been sent stay. No export lets them leave, because their payee is removed.
    """
    _cancel_all(Payout.objects.filter(payee=payee), wallet)


def reject_payout(*, payout_id: int, reason: str) -> None:
    """Reject a payout that is not sent, as staff have decided, in the caller's database transaction.

    The customer reads the reason. Raises NotFound, PayoutDecided, PayoutInDoubt.
    """
    payout, wallet = lock_payout(payout_id=payout_id)
    if payout.state in PAYABLE:
        ensure_has_not_left(payout=payout)
    if not _end(payout, wallet, state=PayoutState.REJECTED, rejected_at=wallet.now, reason=reason[:200]):
        raise PayoutDecided(state=payout.get_state_display())


def lock_payout(*, payout_id: int) -> tuple[Payout, LockedWallet]:
    """Lock the wallet of a payout's customer, and then read the payout. Raises NotFound."""
    customer_id = Payout.objects.filter(pk=payout_id).values_list("customer_id", flat=True).first()
    if customer_id is None:
        raise NotFound
    wallet = lock_wallets_to_credit(customer_ids=[customer_id])[customer_id]
    return Payout.objects.select_related("payee").get(pk=payout_id), wallet


def _cancel_all(payouts: QuerySet[Payout], wallet: LockedWallet) -> None:
    for payout in payouts.filter(state__in=PAYABLE).order_by("id"):
        if not may_have_left(payout=payout):
            _cancel(payout, wallet)


def _cancel(payout: Payout, wallet: LockedWallet) -> bool:
    return _end(payout, wallet, state=PayoutState.CANCELLED, cancelled_at=wallet.now)


def _end(payout: Payout, wallet: LockedWallet, **values: object) -> bool:
    """Change the state and give the dollars back, unless the payout is in another state by now."""
    if not Payout.objects.filter(pk=payout.pk, state__in=PAYABLE).update(**values):
        return False
    give_back(payout=payout, wallet=wallet, now=wallet.now)
    return True
