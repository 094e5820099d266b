"""One house wallet per role, asset and venue, in place of one per role and asset. Locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

NEW = "one_house_wallet_per_role_asset_and_venue"
OLD = "one_house_wallet_per_role_and_asset"
COLUMNS = {NEW: "role, asset, venue", OLD: "role, asset"}


def replace(old, new):
    """Return a function that builds the index `new`, in place of one that a stopped run left, and drops `old`."""

    def run(apps, schema_editor):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {new}")
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {new} ON wallets_wallet ({COLUMNS[new]}) WHERE owner_id IS NULL"
        )
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old}")

    return run


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("wallets", "0056_wallets_of_venues"),
    ]

    operations = [
        ValidateConstraint(model_name="wallet", name="only_wallets_of_venues_name_one"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("wallet", OLD),
                migrations.AddConstraint(
                    "wallet",
                    models.UniqueConstraint(fields=["role", "asset", "venue"], condition=Q(owner=None), name=NEW),
                ),
            ],
            database_operations=[migrations.RunPython(replace(OLD, NEW), replace(NEW, OLD))],
        ),
    ]
