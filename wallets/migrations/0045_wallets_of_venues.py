"""A ledger wallet for each venue. The wallets of before are those of the venue that EXCHANGE_ID names.

The rows that change are the house's, one for each coin. The previous release knows no venues: it finds the same wallets.
"""

from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


def name_wallets(apps, schema_editor):
    wallets = apps.get_model("wallets", "Wallet")._base_manager.using(schema_editor.connection.alias)
    wallets.filter(role="venue", owner=None, venue="").update(venue=settings.VENUE.id)


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0044_each_file_for_each_account"),
    ]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="venue",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Of the role venue: whose wallet it is.",
                max_length=32,
            ),
        ),
        AddConstraintNotValid(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=Q(venue="") | Q(role="venue"), name="only_wallets_of_venues_name_one"
            ),
        ),
        migrations.RunPython(name_wallets, migrations.RunPython.noop),
    ]
