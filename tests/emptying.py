"""Empty the database between two tests that commit: only the tables that have rows."""

from functools import cache

from django.contrib.auth.models import Group
from django.db import connection
from django.test import TransactionTestCase
from psycopg.sql import SQL, Identifier, Literal

from exchange_site.admin.roles import ROLES, make_roles_after_migrate
from exchange_site.database.owner import as_owner
from settlement.models import add_venues, begin_watch, venues
from trading.services.price_rules import make_default_rule_after_migrate
from wallets.models.keys import forget_stored_keys, make_stored_keys
from wallets.money import USD
from wallets.services.house import open_house_wallets

# Migrations write them, the application's role cannot change them, and no test does.
_KEPT = {"auth_permission", "django_content_type"}
# The rows of a larger table are not worth deleting one by one, nor are its dead rows worth keeping.
_LARGE_BYTES = 2**20
_flush = TransactionTestCase._fixture_teardown
# `migrate` makes the groups of the roles. Few tests change them, and to make 100 rows again after each test is slow.
_GROUPS = ("auth_group_permissions", "auth_group")
_ROLES = sorted((name, permission) for name, wanted in ROLES.items() for permission in wanted)
# Their rows depend on the moment and on the transaction that writes them.
_OF_THE_WATCH = {"settlement_installation", "settlement_databasewatch"}


# Procrastinate's own models are unmanaged, so Django leaves these tables as they are. The owner's session checks no foreign
# key: the application's looks for the events of each job.
_QUEUE = ("procrastinate_periodic_defers", "procrastinate_events", "procrastinate_jobs", "procrastinate_workers")


def empty_tables(case):
    """Leave the database as Django's flush does, in place of a test case's `_fixture_teardown`.

    Django truncates every table, which makes new files for all of them and their indexes, and then writes the content
    types and the permissions again. A test writes a few rows in a few tables.
    """
    with as_owner():
        filled = _list_filled_tables()
        if not any(is_large for _, is_large in filled):
            _run(*(SQL("DELETE FROM {}").format(Identifier(table)) for table, _ in filled))
            _run(*_first_rows(connection.settings_dict["NAME"]))
            _make_roles_again()
            forget_stored_keys()
            begin_watch()
            venues._first.clear()
            venues.name_of_wallets(venues.current_venue())
            return
        _run(SQL("TRUNCATE {}").format(SQL(", ").join(map(Identifier, _QUEUE))))
    _flush(case)


def _run(*statements):
    with connection.cursor() as cursor:
        cursor.execute(SQL("; ").join(statements))


@cache
def _first_rows(database):
    """Write the rows that `migrate` makes in an empty database, and return the statements that do so again.

    To look for each of them, as `migrate` does, takes as long as all the rest.
    """
    forget_stored_keys()
    make_stored_keys()
    open_house_wallets(asset=USD)
    make_default_rule_after_migrate(using="default")
    add_venues()
    tables = [table for table, _ in _list_filled_tables() if table not in _OF_THE_WATCH]
    statements = [_writing_again(table) for table in tables]
    _run(*(SQL("DELETE FROM {}").format(Identifier(table)) for table in tables))
    return statements


def _writing_again(table):
    """Return a statement that inserts the rows of a table as they are now."""
    with connection.cursor() as cursor:
        cursor.execute(SQL("SELECT json_agg(row)::text FROM {} row").format(Identifier(table)))
        [rows] = cursor.fetchone()
        cursor.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            [table],
        )
        columns = SQL(", ").join(Identifier(name) for (name,) in cursor.fetchall())
    written = SQL(
        "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
        " SELECT {columns} FROM json_populate_recordset(NULL::{table}, {rows})"
    ).format(table=Identifier(table), columns=columns, rows=Literal(rows))
    return SQL("; ").join([written, *_lifted_sequence(table)])


def _lifted_sequence(table):
    """Return a statement that moves the ids on behind those of the rows: a test may have begun them anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_serial_sequence(%s, attname) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attname = 'id' AND attidentity <> ''",
            [table, table],
        )
        return [
            SQL("SELECT setval({name}, greatest((SELECT max(id) FROM {table}), nextval({name})))").format(
                name=Literal(sequence), table=Identifier(table)
            )
            for (sequence,) in cursor.fetchall()
        ]


def _make_roles_again():
    """Leave the groups as `migrate` does, if a test has changed them."""
    permissions = Group.permissions.through.objects
    fields = ("group__name", "permission__content_type__app_label", "permission__codename")
    held = sorted((name, f"{app}.{codename}") for name, app, codename in permissions.values_list(*fields))
    if held != _ROLES or Group.objects.count() != len(ROLES):
        permissions.all().delete()
        Group.objects.all().delete()
        make_roles_after_migrate(using="default")


def _list_filled_tables():
    """Return the tables that have rows, and of each whether it is large."""
    with connection.cursor() as cursor:
        cursor.execute(_question(_LARGE_BYTES))
        return cursor.fetchall()


@cache
def _question(large_bytes):
    names = sorted({*connection.introspection.django_table_names(include_views=False), *_QUEUE} - {*_KEPT, *_GROUPS})
    part = SQL("SELECT {name}, pg_relation_size({name}) > {size} WHERE EXISTS (SELECT FROM {table})")
    return SQL(" UNION ALL ").join(
        part.format(name=Literal(name), table=Identifier(name), size=Literal(large_bytes)) for name in names
    )
