"""Passwords, and the end of all sessions: the one place where either is changed."""

from django.db import transaction
from django.db.models import F

from wallets.models import User


@transaction.atomic
def change_password(*, user: User, password: str | None) -> None:
    """Set a new password, and end every session of the user: no token handed out before opens anything any more.

    None leaves the user without a password to sign in with.
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    end_sessions(username=user.username)
    user.refresh_from_db(fields=["token_version"])


def end_sessions(*, username: str) -> None:
    """End every session of a user; nothing happens where there is no such user."""
    User.objects.filter(username=username).update(token_version=F("token_version") + 1)
