"""Makes the first superusers of an installation, and says who is fit to be staff."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from wallets.exceptions import NotFitForStaff
from wallets.models import User
from wallets.selectors.accounts import has_second_factor
from wallets.selectors.staff import has_moved_money, list_able_superusers, shares_address, somebody_has_money
from wallets.services.accounts import accept_new_name
from wallets.services.credentials import send_reset
from wallets.services.mailing import is_mail_sent, make_reset_link
from wallets.services.security_log import NO_POWERS, read_powers, record_power_changes

ENOUGH_SUPERUSERS: Final = 2
"""One asks for powers, and another one approves."""


@dataclass(frozen=True, kw_only=True)
class FirstStaff:
    """A superuser who has still to choose a password and to turn a second factor on.

    `link` is for the password, if this server sends no e-mails; otherwise it is None, and the link is on its way.
    """

    user: User
    is_new: bool
    link: str | None


@transaction.atomic
def bootstrap_staff(*, username: str, email: str, now: datetime) -> FirstStaff:
    """Make a superuser without a wallet, or complete one, in an installation that has not opened yet.

    Raises NotFitForStaff if two superusers can sign in with a second factor, if a customer has money, or for a user who
    may not be staff; UsernameTaken, UsernameNotAllowed.
    """
    if list_able_superusers().count() >= ENOUGH_SUPERUSERS:
        raise NotFitForStaff("Two superusers with a second factor exist. They give powers, in the admin.")
    if somebody_has_money():
        raise NotFitForStaff("Somebody has money here. Superusers give powers; break_glass is for when they are gone.")
    found = User.objects.spelt(username).select_for_update(no_key=True).first()
    user = found or _new_user(username)
    before = read_powers(user) if found else NO_POWERS
    _set_address(user, email)
    user.is_active = user.is_staff = user.is_superuser = True
    user.save()
    record_power_changes(user=user, before=before)
    link = None if is_mail_sent() else make_reset_link(user=user, now=now)
    if link is None:
        send_reset(user=user)
    return FirstStaff(user=user, is_new=found is None, link=link)


def ensure_fit_for_staff(*, user: User) -> None:
    """Raise NotFitForStaff for a user who has or had money, or has not proven an e-mail address of their own."""
    if has_moved_money(user=user):
        raise NotFitForStaff(f"{user} has or had money here. Staff have none: add another account for them.")
    if not user.verified_email:
        raise NotFitForStaff(f"{user} has not proven an e-mail address: send a link for a new password first.")
    if shares_address(user=user, email=user.verified_email):
        raise NotFitForStaff(f"Another member of staff has the e-mail address of {user}.")


def _new_user(username: str) -> User:
    user = User(username=accept_new_name(username, for_staff=True))
    user.set_unusable_password()
    return user


def _set_address(user: User, email: str) -> None:
    """Give the user the address, unless they have it. Raises NotFitForStaff."""
    address = User.objects.normalize_email(email)
    try:
        validate_email(address)
    except ValidationError as error:
        raise NotFitForStaff("This is no e-mail address.") from error
    if user.pk and has_moved_money(user=user):
        raise NotFitForStaff(f"{user} is a customer. Staff have no wallet: choose another name.")
    if user.pk and has_second_factor(user_id=user.pk):
        raise NotFitForStaff(f"{user} is complete.")
    if user.mail_address and user.mail_address.lower() != address.lower():
        raise NotFitForStaff(f"{user} has another e-mail address.")
    if shares_address(user=user, email=address):
        raise NotFitForStaff("Another member of staff has this e-mail address.")
    user.email = user.email or address
