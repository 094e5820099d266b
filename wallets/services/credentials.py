"""Changes passwords, which ends sessions; no other code does."""

from django.db import transaction
from django.db.models import QuerySet

from wallets.exceptions import InvalidCredentials
from wallets.models import SecurityEventKind, User
from wallets.services.security_log import record_event


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


@transaction.atomic
def _save(user: User, stored: QuerySet[User]) -> None:
    if not stored.update(password=user.password):
        raise InvalidCredentials
    record_event(SecurityEventKind.PASSWORD_CHANGED, user=user)
