"""Create the application's role in Postgres, and bring its password, timeouts and privileges up to date.

Only differences are written: so a second run changes nothing, and an owner without the right to change roles can still
adjust privileges if somebody else has made the role.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, LiteralString, Self

import psycopg
from django.db import IntegrityError, ProgrammingError, connection, transaction
from psycopg.sql import SQL, Composable, Identifier, Literal

from exchange_site.database.privileges import adjust_privileges
from exchange_site.database.timeouts import list_timeouts
from wallets.runtime import sql

_ROUNDS: Final = 3
_LOCK: Final = 5_917_238_460  # any number: two runs in one database take turns


class RoleRefused(Exception):
    """The role cannot be the application's."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role of Postgres as it is: see role.sql."""

    is_superuser: bool
    may_log_in: bool
    powers: tuple[bool, ...]
    settings: tuple[str, ...]
    memberships: tuple[tuple[str, str], ...]
    owns_something: bool

    @classmethod
    def find(cls, *, name: str) -> Self | None:
        """Read a role; None if there is no such role."""
        row = sql.fetch_one("exchange_site.role", role=name)
        if row is None:
            return None
        superuser, login, *powers, settings, memberships, owns = row
        return cls(
            is_superuser=superuser,
            may_log_in=login,
            powers=tuple(powers),
            settings=tuple(settings or ()),
            memberships=tuple(map(tuple, memberships)),
            owns_something=owns,
        )


_POWERS: Final[tuple[LiteralString, ...]] = ("CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS")


@transaction.atomic
def set_up_application_role(*, name: str, password: str) -> list[str]:
    """Make the role fit for web and worker, as the owner. Return a line for each change, without any secret.

    Raises RoleRefused for a superuser and for an owner: their rights cannot be limited.
    """
    _run(SQL("SELECT pg_advisory_xact_lock({})").format(Literal(_LOCK)))
    changes = [*_create(name=name, password=password)]
    role = Role.find(name=name)
    assert role
    if role.is_superuser or role.owns_something:
        reason = "is a superuser" if role.is_superuser else "owns tables or the database"
        raise RoleRefused(f"The role {name} {reason}: choose another name for POSTGRES_USER")
    if not changes:
        changes += _change_password(name=name, password=password)
    changes += _limit(role, name=name)
    for _ in range(_ROUNDS):
        statements = list(adjust_privileges(role=name))
        changes += map(_run, statements)
        if not statements:
            return [*changes, *set_timeouts(name=name)]
    raise RoleRefused(f"The role {name} has privileges that this owner cannot revoke: {changes[-1]}")


def set_timeouts(*, name: str) -> Iterator[str]:
    """Give a role its timeouts in this database. Yield a line for each change."""
    role = Role.find(name=name)
    assert role
    for setting, milliseconds in list_timeouts().items():
        if f"{setting}={milliseconds}" not in role.settings:
            template = SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
            place = Identifier(connection.settings_dict["NAME"])
            yield _run(template.format(Identifier(name), place, Identifier(setting), Literal(str(milliseconds))))


def _create(*, name: str, password: str) -> Iterator[str]:
    if Role.find(name=name):
        return
    try:
        with transaction.atomic():
            _run(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(name), _verifier(name, password)))
    except (IntegrityError, ProgrammingError):
        # Another process may have made the role meanwhile, for another database of the cluster.
        if not Role.find(name=name):
            raise
    else:
        yield f"CREATE ROLE {name}"


def _change_password(*, name: str, password: str) -> Iterator[str]:
    """Set the password unless it is right already: PgBouncer may hold a copy of its verifier, which would change."""
    if password and not _is_password_of(name, password):
        _run(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(name), _verifier(name, password)))
        yield f"ALTER ROLE {name} PASSWORD"


def _limit(role: Role, *, name: str) -> Iterator[str]:
    """Let the role log in, and take away its powers and memberships."""
    wrong = [f"NO{power}" for power, held in zip(_POWERS, role.powers, strict=True) if held]
    wrong += [] if role.may_log_in else ["LOGIN"]
    for attribute in wrong:
        yield _run(SQL("ALTER ROLE {} {}").format(Identifier(name), SQL(attribute)))
    for group, grantor in role.memberships:
        names = map(Identifier, (group, name, grantor))
        yield _run(SQL("REVOKE {} FROM {} GRANTED BY {}").format(*names))


def _verifier(name: str, password: str) -> Literal:
    """Return what Postgres keeps of a password (SCRAM), so that the password itself is in no statement and no log."""
    if not password:
        return Literal(None)
    server = connection.connection.pgconn
    return Literal(server.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode())


def _is_password_of(name: str, password: str) -> bool:
    parameters: dict[str, Any] = {**connection.get_connection_params(), "user": name, "password": password}
    try:
        with psycopg.connect(**parameters) as line:
            return line.pgconn.used_password
    except psycopg.OperationalError:
        return False


def _run(statement: Composable) -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    return statement.as_string(connection.connection)
