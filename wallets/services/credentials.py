"""Changes passwords, which ends sessions; no other code does."""

from django.db import transaction

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
