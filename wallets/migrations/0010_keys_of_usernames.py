"""The keys and skeletons of all usernames, while the shop goes on: no lock is held for longer than a small batch.

It can be stopped at any time and run again. The unique indexes come before the keys, so that no key is taken twice by a
process that adds users at the same time. Users whom the previous release adds after the last pass are computed at night.
"""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

from wallets.services.naming import settle_names

INDEXES = {
    "usernames_have_different_keys": (
        "CREATE UNIQUE INDEX CONCURRENTLY usernames_have_different_keys ON wallets_user (username_key) "
        "WHERE username_key IS NOT NULL"
    ),
    "usernames_do_not_look_alike": (
        "CREATE UNIQUE INDEX CONCURRENTLY usernames_do_not_look_alike ON wallets_user (username_skeleton) "
        "WHERE username_skeleton IS NOT NULL"
    ),
    "users_with_an_unclear_name": (
        "CREATE INDEX CONCURRENTLY users_with_an_unclear_name ON wallets_user (id) "
        "WHERE username_key IS NULL OR username_skeleton IS NULL"
    ),
}
PASSES = 5

FIND = """
SELECT indisvalid AND indpred IS NOT NULL, EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
  FROM pg_index WHERE indexrelid = to_regclass(%s)
"""


def build(name):
    """Return an operation that builds the index, in place of one that a stopped run has left unfinished.

    0008 used to make constraints without a condition, which this replaces too.
    """

    def forwards(apps, schema_editor):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(FIND, [name])
            found = cursor.fetchone()
            if found and found[0]:
                return
            if found and found[1]:
                cursor.execute(f"ALTER TABLE wallets_user DROP CONSTRAINT {name}")
            elif found:
                cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
            cursor.execute(INDEXES[name])

    def backwards(apps, schema_editor):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    return migrations.RunPython(forwards, backwards)


def fill(apps, schema_editor):
    """Compute all users, until a pass finds none whom the previous release has added or renamed since the last pass."""
    users = apps.get_model("wallets", "User")._base_manager.using(schema_editor.connection.alias)
    for _ in range(PASSES):
        if not settle_names(users=users.all()):
            return


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("wallets", "0009_security_log"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddConstraint(
                    "user",
                    models.UniqueConstraint(
                        condition=Q(username_key__isnull=False),
                        fields=("username_key",),
                        name="usernames_have_different_keys",
                    ),
                ),
                migrations.AddConstraint(
                    "user",
                    models.UniqueConstraint(
                        condition=Q(username_skeleton__isnull=False),
                        fields=("username_skeleton",),
                        name="usernames_do_not_look_alike",
                    ),
                ),
                migrations.AddIndex(
                    "user",
                    models.Index(
                        condition=Q(username_key=None) | Q(username_skeleton=None),
                        fields=["id"],
                        name="users_with_an_unclear_name",
                    ),
                ),
            ],
        ),
        build("usernames_have_different_keys"),
        build("usernames_do_not_look_alike"),
        migrations.RunPython(fill, migrations.RunPython.noop),
        build("users_with_an_unclear_name"),
        ValidateConstraint("tokenfamily", "a_replaced_token_has_its_time"),
    ]
