"""Refuse to run web and worker as a role that may do more than they need, or that lacks its timeouts.

A process checks its role once: at its start or, if Postgres is down then, when it connects first. Until a connection
has passed, each further one is checked, so a role that was mended needs no restart.
"""

import logging
import sys
import threading
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from exchange_site.database.grants import list_append_only
from exchange_site.database.timeouts import list_timeouts
from wallets.runtime.sql import load_statement

logger = logging.getLogger(__name__)

_HARMLESS: Final = ["pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables"]
_REMEDY: Final = "run `manage.py database_roles` as the owner"

_unchecked: Final = threading.Event()
"""Set until a connection has passed, in a process that checks its first connection."""


def refuse_unfit_role() -> None:
    """Check the role over a connection of its own. If it is unfit, end the process with a sentence.

    If Postgres does not answer, the first connection is checked instead.
    """
    arguments = connections[DEFAULT_DB_ALIAS].get_connection_params()
    for name in ("cursor_factory", "context"):
        arguments.pop(name, None)
    try:
        # Not Django's connection: the parent of the API's processes has loaded no apps.
        with psycopg.connect(**arguments) as connection:
            fault = find_fault(connection)
    except psycopg.OperationalError:
        check_first_connection()
        return
    if fault:
        sys.exit(fault)


def check_first_connection() -> None:
    """Check the role at the next connection of this process, and refuse all connections until one passes."""
    _unchecked.set()
    connection_created.connect(_check)


def find_fault_of_unchecked_role(connection: "psycopg.Connection[Any]") -> str | None:
    """Return what `find_fault` says, until a connection of this process has passed the check; then None."""
    return find_fault(connection) if _unchecked.is_set() else None


def find_fault(connection: "BaseDatabaseWrapper | psycopg.Connection[Any]") -> str | None:
    """Return a sentence about the role of a connection that should not serve, and the remedy; None if it is fit."""
    if settings.POSTGRES.owner_password and not settings.DEBUG:
        return "POSTGRES_OWNER_PASSWORD is set: only `manage.py migrate` and `manage.py database_roles` may know it."
    values = {
        "harmless": _HARMLESS,
        "append_only": list_append_only(),
        "timeouts": list(list_timeouts()),
    }
    with connection.cursor() as cursor:
        cursor.execute(load_statement("exchange_site.role_powers"), values)
        row = cursor.fetchone()
    assert row
    role, database, powers, timeouts = row
    if powers and not settings.DEBUG:
        return (
            f"The role {role} {', '.join(powers)}: production does not run as such a role."
            f" Let POSTGRES_USER name another one, and {_REMEDY}."
        )
    held = {name: int(milliseconds) for name, milliseconds in timeouts}
    for name, milliseconds in list_timeouts().items():
        if held[name] != milliseconds:
            return (
                f"The role {role} has {name} = {held[name]} ms in the database {database},"
                f" but {milliseconds} ms is configured: {_REMEDY}."
            )
    return None


def _check(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if fault := find_fault(connection):
        connection.close()
        logger.critical("%s", fault)
        raise OperationalError(fault)
    _unchecked.clear()
    connection_created.disconnect(_check)
