"""Changes passwords and ends sessions; no other code does either."""

from django.db import transaction
from django.db.models import F

from wallets.models import SecurityEventKind, User
from wallets.services.security_log import record_event


def change_password(*, user: User, password: str | None) -> None:
    """Set a new password. That ends every session of the user: all earlier tokens become invalid.

    The database sees to that (`wallets_count_revocation`). A user whose new password is None cannot sign in. Raises
    HashingBusy.
    """
    user.set_password(password)
    _save(user)
    user.refresh_from_db(fields=["token_version"])


@transaction.atomic
def _save(user: User) -> None:
    user.save(update_fields=["password"])
    record_event(SecurityEventKind.PASSWORD_CHANGED, user=user)


def end_sessions(*, username: str) -> None:
    """End every session of a user, without a change of the password; do nothing if the user does not exist."""
    User.objects.filter(username=username).update(token_version=F("token_version") + 1)
