"""One attempt in flight per coin and venue, in place of one per coin. Locks no writer out.

A venue beside the first is used only when staff put it in use, and no process of the previous release runs any more.
"""

from django.db import migrations, models
from django.db.models import Q

NEW = "one_attempt_in_flight_per_coin_and_venue"
OLD = "one_attempt_in_flight_per_coin"
COLUMNS = {NEW: "coin_id, venue", OLD: "coin_id"}


def replace(old, new):
    """Return a function that builds the index `new`, in place of one that a stopped run left, and drops `old`."""

    def run(apps, schema_editor):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {new}")
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {new} ON settlement_attempt ({COLUMNS[new]})"
            " WHERE state IN ('new', 'sent')"
        )
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old}")

    return run


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("settlement", "0024_venues")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("attempt", OLD),
                migrations.AddConstraint(
                    "attempt",
                    models.UniqueConstraint(
                        fields=["coin", "venue"], condition=Q(state__in=["new", "sent"]), name=NEW
                    ),
                ),
            ],
            database_operations=[migrations.RunPython(replace(OLD, NEW), replace(NEW, OLD))],
        ),
    ]
