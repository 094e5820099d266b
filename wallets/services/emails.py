"""Proves and changes the e-mail addresses of accounts."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from wallets.exceptions import InvalidCredentials, TokenInvalid
from wallets.models import SecurityEventKind, User
from wallets.selectors.staff import is_proven_by_other_staff
from wallets.services.holds import note_credential_change
from wallets.services.mail_texts import MailKind
from wallets.services.mailed_tokens import Purpose, read_mailed_token
from wallets.services.mailing import mail_proof_later, notify
from wallets.services.second_factors import ensure_otp
from wallets.services.security_log import record_event, record_failed_sign_in


def ask_for_proof(*, user: User, email: str) -> None:
    """Enqueue an e-mail with a token that proves the address, in the current database transaction.

    The account keeps its address until the token is used. Nothing is sent if its password or its address has changed by
    then.
    """
    mail_proof_later(user=user, email=User.objects.normalize_email(email))


def change_email(
    *,
    user: User,
    password: str,
    email: str,
    otp: str | None,
    now: datetime,
    has_room: Callable[[], bool] = lambda: True,
) -> None:
    """Send a token to an address that becomes the account's when the token is used, for whoever knows the password.

    The answer does not tell whether another account has the address. `has_room` says, once the password is known to be
    right, whether the mailbox may get another e-mail. Raises InvalidCredentials, HashingBusy; the refusals of
    `ensure_otp`.
    """
    if not user.check_password(password):
        record_failed_sign_in(name=user.get_username())
        raise InvalidCredentials
    ensure_otp(customer=user, code=otp, now=now)
    if has_room():
        ask_for_proof(user=user, email=email)


@transaction.atomic(durable=True)
def verify_email(*, token: str, now: datetime) -> None:
    """Make the address to which the token was sent the account's proven one, and tell the one that it had before.

    Raises TokenInvalid, also for a used token, if another address was proven or the password changed since, and for
    staff if another member of staff has proven the address.
    """
    proof = read_mailed_token(purpose=Purpose.VERIFY_EMAIL, token=token, now=now)
    user, email = proof.user, proof.email
    if user.is_staff and is_proven_by_other_staff(user=user, email=email):
        raise TokenInvalid
    unchanged = User.objects.filter(
        pk=user.pk, is_active=True, verified_email=user.verified_email, token_version=user.token_version
    )
    # An address that is proven already would be left as it is, and the token would work again.
    if email == user.verified_email or not unchanged.update(email=email, verified_email=email):
        raise TokenInvalid
    note_credential_change(user=user, now=now)
    if user.verified_email:
        notify(MailKind.EMAIL_CHANGED, user=user)
        record_event(SecurityEventKind.EMAIL_CHANGED, user=user)
    else:
        record_event(SecurityEventKind.EMAIL_VERIFIED, user=user)
