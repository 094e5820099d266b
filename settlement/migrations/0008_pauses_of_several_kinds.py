"""Staff's pause, a pause after trouble and a ban of calls stand beside each other, one of each per coin and for the venue."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Case, Q, Value, When

# A pause by staff took the place of a ban and, in an earlier release, went on stopping all calls.
STOP_NO_CALLS = "UPDATE settlement_pause SET is_of_calls = false WHERE set_by_id IS NOT NULL OR coin_id IS NOT NULL"

# The older schema has room for one: keep staff's, else the one that ends last.
KEEP_ONE = """
DELETE FROM settlement_pause a USING settlement_pause b
 WHERE a.coin_id IS NOT DISTINCT FROM b.coin_id AND a.id <> b.id
   AND (coalesce(a.until, 'infinity'), a.id) < (coalesce(b.until, 'infinity'), b.id);
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0007_never_emptied")]

    operations = [
        migrations.RunSQL(STOP_NO_CALLS, migrations.RunSQL.noop),
        migrations.AlterField(
            "pause",
            "coin",
            models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="trading.coin"
            ),
        ),
        migrations.AddField(
            "pause",
            "kind",
            models.GeneratedField(
                db_persist=True,
                expression=Case(
                    When(set_by__isnull=False, then=Value("staff")),
                    When(stops_all_calls=True, then=Value("ban")),
                    default=Value("trouble"),
                ),
                output_field=models.CharField(max_length=8),
            ),
        ),
        migrations.RemoveConstraint("pause", "one_pause_per_coin_and_one_for_the_venue"),
        migrations.RunSQL(migrations.RunSQL.noop, KEEP_ONE),
        migrations.AddConstraint(
            "pause",
            models.UniqueConstraint(
                fields=("coin", "kind"), name="one_pause_per_coin_and_one_for_the_venue", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            "pause",
            models.CheckConstraint(
                condition=Q(stops_all_calls=False) | Q(coin=None, set_by=None), name="only_the_venue_stops_all_calls"
            ),
        ),
    ]
