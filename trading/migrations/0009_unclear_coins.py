"""Coins whose purchase in flight has an unknown outcome."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0008_losses_and_stops")]

    operations = [
        migrations.CreateModel(
            name="UnclearCoin",
            fields=[
                (
                    "coin",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="unclear",
                        serialize=False,
                        to="trading.coin",
                    ),
                ),
                ("since", models.DateTimeField()),
            ],
        ),
    ]
