"""The seeded administrator's password, which is in this repository, so that it must open nothing in production."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import psycopg
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.checks import CheckMessage, Error
from django.db import connection

if TYPE_CHECKING:
    from wallets.models import User

ADMIN_USERNAME: Final = "admin"
ADMIN_PASSWORD: Final = "new_password"  # noqa: S105  the documented development login

_REMEDY: Final = f"Change it: python manage.py changepassword {ADMIN_USERNAME}"
_SENTENCE: Final = f"The account {ADMIN_USERNAME!r} still has the password of the development data, which is public."
_HASH: Final = "SELECT password FROM wallets_user WHERE username = %s AND is_staff AND is_active"


def check_administrator(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Report the seeded password in production. `check --database default` and `migrate` run this check."""
    if settings.DEBUG or not databases or not _has_published_password():
        return []
    return [Error(_SENTENCE, hint=_REMEDY, id="exchange_site.E001")]


def is_published(user: "User") -> bool:
    """Say whether the user has the seeded administrator's name and password."""
    return user.username == ADMIN_USERNAME and check_password(ADMIN_PASSWORD, user.password)


def refuse_published_password() -> None:
    """End a process of production with exit code 1 while the seeded password is in use.

    Nothing happens if the database does not answer or has no tables yet: nobody can sign in then, and later the
    sign-in refuses the password by itself.
    """
    if not settings.DEBUG and _has_published_password():
        raise SystemExit(f"{_SENTENCE} {_REMEDY}")


def _has_published_password() -> bool:
    """Ask over a connection of its own, which needs no loaded apps: the parent of the API's processes has none."""
    arguments = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        arguments.pop(name, None)
    try:
        with psycopg.connect(**arguments) as asked:
            row = asked.execute(_HASH, [ADMIN_USERNAME]).fetchone()
    except psycopg.errors.UndefinedTable:
        return False  # an empty database, before `migrate`
    except psycopg.Error as error:
        sys.stderr.write(f"Whether {ADMIN_USERNAME!r} has a public password is not known: {type(error).__name__}.\n")
        return False
    return row is not None and check_password(ADMIN_PASSWORD, row[0])
