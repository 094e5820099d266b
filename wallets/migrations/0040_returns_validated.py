"""Validates the constraint of returns, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0039_debtors_are_frozen")]

    operations = [
        ValidateConstraint(model_name="deposit", name="a_deposit_is_returned_in_full_at_most"),
    ]
