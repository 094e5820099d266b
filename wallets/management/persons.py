"""Finds the persons whom commands name: the member of staff who stands behind one, and customers."""

from typing import Final

from django.core.management.base import CommandError

from wallets.models import User

_NEEDED: Final = "--by must be the username of an active member of staff."


def find_staff(username: str, *permissions: str) -> User:
    """Return the active member of staff of this name who has one of the permissions. Raises CommandError."""
    try:
        user = User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        raise CommandError(f"There is no account {username}: {_NEEDED}") from error
    if not (user.is_active and user.is_staff):
        raise CommandError(f"{username} is another account: {_NEEDED}")
    if not any(user.has_perm(each) for each in permissions):
        raise CommandError(f"{username} is no member of staff who may do this: {' or '.join(permissions)} is missing.")
    return user


def find_customer(username: str) -> User:
    """Return the user of this name in any spelling. Raises CommandError."""
    try:
        return User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        raise CommandError("There is no user of this name.") from error
