"""The owner of the tests' database. Everything else, in this process and in others, uses the application's role."""

from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from exchange_site.database.owner import as_owner


def run_as_owner(statement):
    """Run a statement as the owner, and return its rows. No trigger fires and no foreign key is checked.

    The test must use transactions of its own: the statement sees only what is committed.
    """
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def owner_parameters():
    """Return the arguments with which psycopg connects to the tests' database as the owner."""
    names = {"NAME": "dbname", "HOST": "host", "PORT": "port"}
    where = {name: connection.settings_dict[setting] for setting, name in names.items()}
    return where | {"user": settings.POSTGRES.owner_user, "password": settings.POSTGRES.owner_password}


@contextmanager
def by_owner():
    """Use the models as the owner inside the `with` block, with triggers and foreign keys."""
    with as_owner():
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = origin")
        yield
