"""Changes passwords and ends sessions; no other code does either."""

from django.db import transaction
from django.db.models import F

from wallets.models import SecurityEventKind, User
from wallets.services.security_log import record_event


@transaction.atomic
def change_password(*, user: User, password: str | None) -> None:
    """Set a new password and end every session of the user: all earlier tokens become invalid.

    A user whose new password is None cannot sign in.
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    end_sessions(username=user.username)
    record_event(SecurityEventKind.PASSWORD_CHANGED, user=user)
    user.refresh_from_db(fields=["token_version"])


def end_sessions(*, username: str) -> None:
    """End every session of a user; do nothing if the user does not exist."""
    User.objects.filter(username=username).update(token_version=F("token_version") + 1)
