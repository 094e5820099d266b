"""The venue's account, and turns of batches."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

from wallets.runtime.constraints import is_number

_NO_SHORTAGE = Q(short_since=None, short_at=None, short_of=None, short_coin=None)
_SHORTAGE = Q(short_since__isnull=False, short_at__isnull=False, short_of__isnull=False, short_coin__isnull=False)


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0013_fence_validated"),
        ("trading", "0007_steps_and_holds"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="resume_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="turns_given",
            field=models.PositiveIntegerField(
                db_default=0,
                help_text="How often other orders of the coin were bought between this batch's attempts.",
            ),
        ),
        migrations.CreateModel(
            name="VenueAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("venue", models.CharField(max_length=32)),
                ("asset", models.CharField(max_length=12)),
                ("free", models.DecimalField(decimal_places=8, max_digits=38)),
                ("read_at", models.DateTimeField(help_text="By Postgres' clock, before the venue was asked.")),
                ("short_since", models.DateTimeField(blank=True, null=True)),
                ("short_at", models.DateTimeField(blank=True, null=True)),
                ("short_of", models.DecimalField(blank=True, decimal_places=2, max_digits=38, null=True)),
                (
                    "short_coin",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trading.coin",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("venue", "asset"), name="one_row_per_venue_account"),
                    models.CheckConstraint(
                        condition=Q(free__gte=0) & is_number("free"), name="free_funds_are_not_negative"
                    ),
                    models.CheckConstraint(condition=_NO_SHORTAGE | _SHORTAGE, name="a_shortage_says_of_what"),
                ],
            },
        ),
    ]
