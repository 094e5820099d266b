"""Changes passwords and ends sessions; no other code does either."""

from django.db import transaction
from django.db.models import F

from wallets.models import User


def change_password(*, user: User, password: str | None) -> None:
    """Set a new password and end every session of the user: all earlier tokens become invalid.

    A user whose new password is None cannot sign in. Raises HashingBusy.
    """
    user.set_password(password)  # hashing is slow on purpose, so it precedes the database transaction
    with transaction.atomic():
        user.save(update_fields=["password"])
        end_sessions(username=user.username)
        user.refresh_from_db(fields=["token_version"])


def end_sessions(*, username: str) -> None:
    """End every session of a user; do nothing if the user does not exist."""
    User.objects.filter(username=username).update(token_version=F("token_version") + 1)
