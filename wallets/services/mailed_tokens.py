"""Tokens that are sent by e-mail, and prove that their bearer reads the mailbox. They are signed and stored nowhere.

A token holds all that has to be as it was when the token is used. So it works once, if its use changes one of these:
a new password changes the token version, and a proven address changes what is proven. Each change of the address is
an event of its own, so an address that comes back does not bring its tokens back.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.core.signing import BadSignature, Signer

from wallets.exceptions import TokenInvalid
from wallets.models import SecurityEventKind, User
from wallets.services.security_log import find_last_event


class Purpose(StrEnum):
    """What a token is good for. Each purpose has a signature of its own."""

    RESET_PASSWORD = "reset-password"  # noqa: S105  the name of a purpose
    VERIFY_EMAIL = "verify-email"


@dataclass(frozen=True, kw_only=True)
class MailedToken:
    """The user as they were when the token was made, and the address to which it was sent."""

    user: User
    email: str


def state_of(user: User) -> dict[str, Any]:
    """Return what has to be the same when a token is used: the user's tokens, and the address that is proven."""
    changed = find_last_event(user, SecurityEventKind.EMAIL_VERIFIED, SecurityEventKind.EMAIL_CHANGED)
    return {"version": user.token_version, "proven": user.verified_email, "changed": changed}


def make_mailed_token(*, purpose: Purpose, user: User, email: str, now: datetime, lifetime: timedelta) -> str:
    """Return a token for the user that is sent to `email` and to nobody else."""
    claims = {
        "sub": str(user.subject),
        **state_of(user),
        "email": email,
        "exp": int((now + lifetime).timestamp()),
    }
    return _signer(purpose).sign_object(claims)


def read_mailed_token(*, purpose: Purpose, token: str, now: datetime) -> MailedToken:
    """Return the active user and the address of a token. Raises TokenInvalid, also for one that was used."""
    claims = _read_claims(purpose, token)
    if claims["exp"] <= now.timestamp():
        raise TokenInvalid
    user = User.objects.filter(subject=uuid.UUID(claims["sub"]), is_active=True).first()
    if user is None or any(claims.get(name) != value for name, value in state_of(user).items()):
        raise TokenInvalid
    return MailedToken(user=user, email=claims["email"])


def _read_claims(purpose: Purpose, token: str) -> dict[str, Any]:
    """Return the claims, which are ours, because their signature is. Raises TokenInvalid."""
    try:
        claims: dict[str, Any] = _signer(purpose).unsign_object(token)
    except (BadSignature, ValueError) as error:  # ValueError: text that is no Unicode
        raise TokenInvalid from error
    return claims


def _signer(purpose: Purpose) -> Signer:
    return Signer(salt=f"wallets.mailed_tokens.{purpose}")
