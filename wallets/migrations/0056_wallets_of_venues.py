"""A ledger wallet for each venue. The wallets of before have no name, and stay those of the first venue.

So the previous release, which knows one venue, finds and opens the same wallets.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0055_returns_without_a_line"),
    ]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="venue",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Of the role venue; empty: the first venue.",
                max_length=32,
            ),
        ),
        AddConstraintNotValid(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=Q(venue="") | Q(role="venue"), name="only_wallets_of_venues_name_one"
            ),
        ),
    ]
