"""Changes passwords, which ends sessions; no other code does."""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from wallets.exceptions import InvalidCredentials, NoMail, TokenInvalid, WeakPassword
from wallets.models import SecurityEventKind, User
from wallets.runtime import clock
from wallets.selectors.staff import is_proven_by_other_staff
from wallets.services.holds import note_credential_change
from wallets.services.mail_texts import MailKind
from wallets.services.mailed_tokens import Purpose, read_mailed_token
from wallets.services.mailing import is_mail_sent, mail_later, notify
from wallets.services.second_factors import ensure_otp
from wallets.services.security_log import record_event, record_failed_sign_in
from wallets.services.tokens import end_sign_ins


def ensure_strong(*, password: str, user: User, field: str = "password") -> None:
    """Raise WeakPassword, about this field of a request, unless the user may have the password."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(error.messages, field=field) from error


def change_password(*, user: User, password: str | None) -> None:
    """Set a new password. That ends every session of the user: all earlier tokens become invalid.

    The database sees to that (`wallets_count_revocation`). A user whose new password is None cannot sign in. Raises
    HashingBusy.
    """
    user.set_password(password)
    _save(user, User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["token_version"])


def change_own_password(*, user: User, password: str) -> None:
    """Set a new password for a user who has given the old one, as `change_password` does.

    Raises InvalidCredentials if the user's tokens were revoked since `user` was read: the old password may have been
    changed while it was checked, and the newer one stays. Raises HashingBusy.
    """
    version = user.token_version
    user.set_password(password)
    _save(user, User.objects.filter(pk=user.pk, token_version=version))
    user.refresh_from_db(fields=["token_version"])


def change_known_password(*, user: User, current: str, new: str, otp: str | None, now: datetime) -> None:
    """Set a new password for whoever knows the current one, as `change_own_password` does.

    Raises WeakPassword before the current one is looked at, InvalidCredentials, HashingBusy; the refusals of
    `ensure_otp`.
    """
    ensure_strong(password=new, user=user, field="new")
    if not user.check_password(current):
        record_failed_sign_in(name=user.get_username())
        raise InvalidCredentials
    ensure_otp(customer=user, code=otp, now=now)
    change_own_password(user=user, password=new)


def ask_for_reset(*, email: str) -> None:
    """Enqueue e-mails with tokens for a new password, to each account that has the address.

    Whether there is one is found out by the worker: this call does the same work for every address.
    """
    mail_later(MailKind.RESET, to=email)


@transaction.atomic
def send_reset(*, user: User) -> None:
    """Enqueue an e-mail with a token for a new password, as staff want it. Raises NoMail if nobody would get it."""
    if not is_mail_sent() or not user.mail_address or not user.is_active:
        raise NoMail
    mail_later(MailKind.RESET, to=user.mail_address, user_id=user.pk)
    record_event(SecurityEventKind.RESET_SENT, user=user)


def reset_password(*, token: str, new: str, now: datetime, otp: str | None = None) -> None:
    """Set a new password for whoever has a token from an e-mail, which also proves the address.

    The token works once. Raises TokenInvalid, WeakPassword, HashingBusy; the refusals of `ensure_otp`.
    """
    proof = read_mailed_token(purpose=Purpose.RESET_PASSWORD, token=token, now=now)
    user = proof.user
    if user.mail_address != proof.email:
        raise TokenInvalid
    if user.is_staff and is_proven_by_other_staff(user=user, email=proof.email):
        raise TokenInvalid
    ensure_strong(password=new, user=user, field="new")
    ensure_otp(customer=user, code=otp, now=now)
    unchanged = User.objects.filter(
        pk=user.pk, is_active=True, token_version=user.token_version, verified_email=user.verified_email
    )
    user.set_password(new)
    try:
        _save(user, unchanged, verified_email=proof.email)
    except InvalidCredentials as error:
        raise TokenInvalid from error


@transaction.atomic
def _save(user: User, stored: QuerySet[User], **proven: str) -> None:
    now = clock.now()
    end_sign_ins(user_id=user.pk, now=now)  # a refresh locks them before the user, too
    if not stored.update(password=user.password, **proven):
        raise InvalidCredentials
    end_sign_ins(user_id=user.pk, now=now)  # those that began meanwhile
    user.verified_email = proven.get("verified_email", user.verified_email)
    note_credential_change(user=user, now=now)
    record_event(SecurityEventKind.PASSWORD_CHANGED, user=user)
    notify(MailKind.PASSWORD_CHANGED, user=user)
