"""An index of the movements by time, for the house's result. Concurrently: nobody who writes has to wait."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0017_price_improvements_validated")]

    operations = [
        AddIndexConcurrently(
            model_name="transaction",
            index=BrinIndex(fields=["created_at"], autosummarize=True, name="transaction_by_time"),
        ),
    ]
