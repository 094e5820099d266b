"""Empty the database between two tests that commit: only the tables that have rows."""

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


def empty_tables(case):
    """Leave the database as Django's flush does, in place of a test case's `_fixture_teardown`.

    Django truncates every table, which makes new files for all of them and their indexes, and then writes the content
    types and the permissions again. A test writes a few rows in a few tables.
    """
    with as_owner():
        filled = _list_filled_tables()
        if not any(is_large for _, is_large in filled):
            with connection.cursor() as cursor:
                for table, _ in filled:
                    cursor.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            _make_roles_again()
            forget_stored_keys()
            make_stored_keys()
            open_house_wallets(asset=USD)
            make_default_rule_after_migrate(using="default")
            begin_watch()
            venues._first.clear()
            add_venues()
            return
    _flush(case)


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
    names = sorted({*connection.introspection.django_table_names(include_views=False)} - {*_KEPT, *_GROUPS})
    question = SQL("SELECT {name}, pg_relation_size({name}) > {size} WHERE EXISTS (SELECT FROM {table})")
    with connection.cursor() as cursor:
        cursor.execute(
            SQL(" UNION ALL ").join(
                question.format(name=Literal(name), table=Identifier(name), size=Literal(_LARGE_BYTES))
                for name in names
            )
        )
        return cursor.fetchall()
