"""Adds and removes payees. Each change is told to the customer, and holds all payouts for a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from wallets.bank_accounts import BankAccount
from wallets.exceptions import NoPayee, NotFound, PayeeOnHold, TooManyPayees
from wallets.models import Payee, SecurityEventKind, User
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import Principal, get_account
from wallets.selectors.payees import list_payees
from wallets.services.holds import ensure_address_is_proven, note_credential_change
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet
from wallets.services.mail_texts import MailKind
from wallets.services.mailing import notify
from wallets.services.payouts.ending import cancel_payouts_to
from wallets.services.second_factors import ensure_otp
from wallets.services.security_log import record_event


@dataclass(frozen=True, kw_only=True)
class NewPayee:
    """A payee as its customer names it."""

    name: str
    account: BankAccount


@dataclass(frozen=True, kw_only=True)
class AddedPayee:
    """A payee, and whether it was added just now or before."""

    payee: Payee
    is_new: bool


def add_payee(*, principal: Principal, new: NewPayee, otp: str | None, now: datetime) -> AddedPayee:
    """Add a payee, which is usable after PAYEE_HOLD_HOURS. One that the customer has already stays as it is.

    Raises AccountFrozen, AddressNotProven, TooManyPayees, Busy; the refusals of `ensure_otp`.
    """
    user = get_account(principal=principal)
    ensure_otp(customer=user, code=otp, now=now)
    return _add(principal=principal, user=user, new=new)


def remove_payee(*, principal: Principal, payee_id: int, otp: str | None, now: datetime) -> None:
    """Remove a payee, and cancel the payouts to it that are not sent yet.

    Raises NotFound, AccountFrozen, Busy; the refusals of `ensure_otp`.
    """
    user = get_account(principal=principal)
    ensure_otp(customer=user, code=otp, now=now)
    _remove(principal=principal, user=user, payee_id=payee_id)


def choose_payee(*, customer_id: int, payee_id: int | None, now: datetime) -> Payee:
    """Return a payee of the customer that can be used, by default the first one.

    Raises NoPayee if the customer has none, NotFound, PayeeOnHold.
    """
    payees = list_payees(customer_id=customer_id)
    if payee_id is not None:
        payees = [payee for payee in payees if payee.pk == payee_id]
        if not payees:
            raise NotFound("You have no such payee.")
    payee = first_usable(payees=payees)
    if payee is None:
        raise NoPayee
    if payee.usable_at > now:
        raise PayeeOnHold(until=payee.usable_at)
    return payee


def first_usable(*, payees: Sequence[Payee]) -> Payee | None:
    """Return the payee that can be used first, or can be used the longest: the default one. None without any."""
    return min(payees, key=lambda each: (each.usable_at, each.pk), default=None)


@retried_on_conflict
@transaction.atomic(durable=True)
def _add(*, principal: Principal, user: User, new: NewPayee) -> AddedPayee:
    wallet = lock_dollar_wallet(principal=principal)
    ensure_address_is_proven(customer_id=wallet.owner_id)
    payees = list_payees(customer_id=wallet.owner_id)
    for payee in payees:
        if payee.name == new.name and payee.bank_account == new.account:
            return AddedPayee(payee=payee, is_new=False)
    if len(payees) >= settings.PAYOUTS.most_payees:
        raise TooManyPayees(most=settings.PAYOUTS.most_payees)
    payee = Payee.objects.create(
        customer=user,
        name=new.name,
        account=new.account.number,
        routing=new.account.routing or None,
        created_at=wallet.now,
        usable_at=wallet.now + settings.PAYOUTS.payee_hold,
    )
    record_event(SecurityEventKind.PAYEE_ADDED, user=user, details={"payee": payee.pk})
    _tell(MailKind.PAYEE_ADDED, wallet=wallet, user=user, payee=payee)
    return AddedPayee(payee=payee, is_new=True)


@retried_on_conflict
@transaction.atomic(durable=True)
def _remove(*, principal: Principal, user: User, payee_id: int) -> None:
    wallet = lock_dollar_wallet(principal=principal)
    payee = Payee.objects.filter(pk=payee_id, customer_id=wallet.owner_id, removed_at=None).first()
    if payee is None or not Payee.objects.filter(pk=payee_id, removed_at=None).update(removed_at=wallet.now):
        raise NotFound
    cancel_payouts_to(payee=payee, wallet=wallet)
    record_event(SecurityEventKind.PAYEE_REMOVED, user=user, details={"payee": payee.pk})
    _tell(MailKind.PAYEE_REMOVED, wallet=wallet, user=user, payee=payee)


def _tell(kind: MailKind, *, wallet: LockedWallet, user: User, payee: Payee) -> None:
    note_credential_change(user=user, now=wallet.now)
    notify(kind, user=user, account=payee.bank_account.masked)
