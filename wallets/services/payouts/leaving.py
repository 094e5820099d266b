"""Checks whether a payout may leave: when it is approved, and again when it is exported."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from wallets.exceptions import AccountFrozen, CredentialHold, PayeeOnHold, PayoutRefused
from wallets.models import Payout, User, Wallet
from wallets.money import USD
from wallets.selectors.holds import credentials_held_until
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit


@dataclass(frozen=True, kw_only=True)
class PayingCustomer:
    """A customer, with the locked wallet and what is true of them while it is locked."""

    wallet: LockedWallet
    is_frozen: bool
    is_active: bool
    credentials_changed_at: datetime | None


def lock_customers(*, customer_ids: Iterable[int]) -> dict[int, PayingCustomer]:
    """Lock customers' dollar wallets, and then their accounts, so that neither changes meanwhile. Four statements."""
    wallets = lock_wallets_to_credit(customer_ids=customer_ids)
    frozen = set(Wallet.objects.filter(owner_id__in=wallets, asset=USD, frozen=True).values_list("owner_id", flat=True))
    users = User.objects.select_for_update(no_key=True).filter(pk__in=wallets).order_by("pk")
    return {
        user_id: PayingCustomer(
            wallet=wallets[user_id],
            is_frozen=user_id in frozen,
            is_active=is_active,
            credentials_changed_at=changed_at,
        )
        for user_id, is_active, changed_at in users.values_list("pk", "is_active", "credentials_changed_at")
    }


def ensure_may_leave(*, payout: Payout, customer: PayingCustomer) -> None:
    """Raise AccountFrozen, CredentialHold, PayeeOnHold, or PayoutRefused (disabled account, removed payee)."""
    now, payee = customer.wallet.now, payout.payee
    if customer.is_frozen:
        raise AccountFrozen
    if not customer.is_active:
        raise PayoutRefused("The account is disabled.")
    if payee is None or payee.removed_at is not None:
        raise PayoutRefused("The customer has removed the payee.")
    if payee.usable_at > now:
        raise PayeeOnHold(until=payee.usable_at)
    if until := credentials_held_until(changed_at=customer.credentials_changed_at, now=now):
        raise CredentialHold(until=until)
