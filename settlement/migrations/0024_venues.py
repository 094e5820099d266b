"""Several venues: their rows, the venues of pauses and findings, and the asks that were compared before a purchase.

A pause without a venue stops buying everywhere, which is what the previous release means by it.
"""

import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("settlement", "0023_statements_after_a_restore")]

    operations = [
        migrations.CreateModel(
            name="VenueEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=32, unique=True)),
                (
                    "priority",
                    models.PositiveSmallIntegerField(default=1, help_text="Coins are bought at the lowest first."),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("in_use", "in use"), ("not_used", "not used")], default="not_used", max_length=8
                    ),
                ),
                ("added_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name": "venue",
                "constraints": [
                    models.CheckConstraint(condition=~Q(name=""), name="venues_have_a_name"),
                    models.CheckConstraint(condition=Q(state__in=["in_use", "not_used"]), name="venue_state_is_known"),
                ],
            },
        ),
        migrations.AddField(
            model_name="attempt",
            name="asks",
            field=models.JSONField(
                blank=True,
                help_text="By venue, the asks that were compared before it was sent: the best execution.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="venue",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Empty: of no venue, or of any.", max_length=32
            ),
        ),
        migrations.AddField(
            model_name="pause",
            name="venue",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Empty: every venue.", max_length=32
            ),
        ),
        # Workers of the previous release name this constraint, so it keeps its name.
        migrations.RemoveConstraint("pause", "one_pause_per_coin_and_one_for_the_venue"),
        migrations.AddConstraint(
            "pause",
            models.UniqueConstraint(
                fields=("venue", "coin", "kind"),
                name="one_pause_per_coin_and_one_for_the_venue",
                nulls_distinct=False,
            ),
        ),
    ]
