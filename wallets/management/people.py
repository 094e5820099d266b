"""The persons whom commands name."""

from django.core.management.base import CommandError

from wallets.models import User


def find_staff(username: str) -> User:
    """Return the active member of staff of this name. Raises CommandError."""
    found = User.objects.filter(username=username, is_staff=True, is_active=True).first()
    if found is None:
        raise CommandError("--by must be the username of an active member of staff.")
    return found


def find_customer(username: str) -> User:
    """Return the user of this name in any spelling. Raises CommandError."""
    try:
        return User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        raise CommandError("There is no user of this name.") from error
