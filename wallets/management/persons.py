"""Finds the persons whom commands name: the member of staff who stands behind one, and customers.

A person who can run a command can type any name. So where a deed needs two persons, the member of staff gives the
password, and the code of the second factor that is on: else one person would be both.
"""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError

from wallets.exceptions import DomainError, InvalidCredentials
from wallets.models import SecurityEventKind, User
from wallets.runtime import clock
from wallets.selectors.accounts import has_second_factor
from wallets.services.second_factors import ensure_otp_of_staff
from wallets.services.security_log import record_event, record_failed_sign_in
from wallets.web.signing_in import counted_command

_NEEDED: Final = "--by must be the username of an active member of staff."


def add_staff(parser: ArgumentParser, *, help: str) -> None:  # noqa: A002  the parser's word
    """Add the options of a command that a member of staff stands behind."""
    parser.add_argument("--by", required=True, metavar="USERNAME", help=help)
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="where the person has to prove who they are: read the password from the first line of standard input, and"
        " the one-time code from the second",
    )


def find_staff(*permissions: str, options: dict[str, Any], kind: str | None = None) -> User:
    """Return the active member of staff whom the options name, who has one of the permissions if any is given.

    If deeds of this kind need two persons, the member of staff has to give the password, counted as a sign-in of staff
    is. Without a kind they have to if any deed needs two. Raises CommandError.
    """
    user = _find_staff(options["by"], *permissions)
    kinds = settings.PROPOSALS.kinds
    if kind in kinds if kind else kinds:
        try:
            _prove(user, from_stdin=options["password_stdin"])
        except DomainError as error:
            raise CommandError(f"{user} has not proven to be this person: {error}") from error
    return user


def _find_staff(username: str, *permissions: str) -> User:
    try:
        user = User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        raise CommandError(f"There is no account {username}: {_NEEDED}") from error
    if not (user.is_active and user.is_staff):
        raise CommandError(f"{username} is another account: {_NEEDED}")
    if permissions and not any(user.has_perm(each) for each in permissions):
        raise CommandError(f"{username} is no member of staff who may do this: {' or '.join(permissions)} is missing.")
    return user


def _prove(user: User, *, from_stdin: bool) -> None:
    """Ask for the person's password and code. Raises CommandError, InvalidCredentials and what a sign-in raises."""
    password, code = _read_lines() if from_stdin else _ask(user)
    with counted_command(username=user.get_username()):
        if not user.check_password(password):
            record_failed_sign_in(name=user.get_username())
            raise InvalidCredentials
        ensure_otp_of_staff(staff=user, code=code, now=clock.now())
    record_event(SecurityEventKind.SIGNED_IN, user=user)


def _read_lines() -> tuple[str, str | None]:
    password, code = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
    return password, code.strip() or None


def _ask(user: User) -> tuple[str, str | None]:
    try:
        password = getpass.getpass(f"Password of {user}: ")
        code = getpass.getpass(f"One-time code of {user}: ") if has_second_factor(user_id=user.pk) else ""
    except (EOFError, OSError, getpass.GetPassWarning) as error:
        raise CommandError("Run this in a terminal, or give the password with --password-stdin.") from error
    return password, code.strip() or None


def find_customer(username: str) -> User:
    """Return the user of this name in any spelling. Raises CommandError."""
    try:
        return User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        raise CommandError("There is no user of this name.") from error
