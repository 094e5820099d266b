"""No two members of staff have one proven e-mail address: a link for a new password would open both accounts."""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Lower

BUILD = """
CREATE UNIQUE INDEX CONCURRENTLY staff_have_different_addresses ON wallets_user (lower(verified_email))
    WHERE is_staff AND verified_email <> ''
"""
DROP = "DROP INDEX CONCURRENTLY IF EXISTS staff_have_different_addresses"


def build(apps, schema_editor):
    """Build the index, in place of one that a stopped run has left unfinished."""
    schema_editor.execute(DROP)
    schema_editor.execute(BUILD)


def drop(apps, schema_editor):
    schema_editor.execute(DROP)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("wallets", "0041_break_glass"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddConstraint(
                    "user",
                    models.UniqueConstraint(
                        Lower("verified_email"),
                        condition=Q(is_staff=True) & ~Q(verified_email=""),
                        name="staff_have_different_addresses",
                    ),
                ),
            ],
            database_operations=[migrations.RunPython(build, drop)],
        ),
    ]
