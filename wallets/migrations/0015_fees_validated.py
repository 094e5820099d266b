"""Validates the constraint of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0014_fees")]

    operations = [ValidateConstraint(model_name="transaction", name="transaction_kind_is_known")]
