"""Holds: money does not leave at once after it came in from a bank, or after a change of credentials."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings

from wallets.exceptions import AddressNotProven, CredentialHold, FundsOnHold, InsufficientFunds
from wallets.models import User
from wallets.selectors.accounts import has_proven_address
from wallets.selectors.holds import read_credentials_held_until, sum_held_deposits
from wallets.services.ledger.locking import LockedWallet


def note_credential_change(*, user: User, now: datetime) -> None:
    """Record that a password, second factor, e-mail address or payee of the user changes, in its transaction.

    Nothing is paid out for CREDENTIAL_HOLD_HOURS from then on.
    """
    User.objects.filter(pk=user.pk).update(credentials_changed_at=now)


def ensure_address_is_proven(*, customer_id: int) -> None:
    """Raise AddressNotProven if changes could be told to nobody, where PAYOUT_PROVEN_EMAIL asks for an address."""
    if settings.PAYOUTS.proven_email and not has_proven_address(customer_id=customer_id):
        raise AddressNotProven


def ensure_credentials_are_old(*, customer_id: int, now: datetime) -> None:
    """Raise CredentialHold if the customer's credentials have just changed."""
    if until := read_credentials_held_until(customer_id=customer_id, now=now):
        raise CredentialHold(until=until)


def ensure_available(*, wallet: LockedWallet, amount: Decimal) -> None:
    """Raise InsufficientFunds unless the locked wallet holds `amount`, and FundsOnHold if a part of that is held."""
    if wallet.balance < amount:
        raise InsufficientFunds(balance=wallet.balance, amount=amount)
    held = min(wallet.balance, sum_held_deposits(customer_id=wallet.owner_id, now=wallet.now))
    if wallet.balance - held < amount:
        raise FundsOnHold(available=wallet.balance - held, amount=amount)
