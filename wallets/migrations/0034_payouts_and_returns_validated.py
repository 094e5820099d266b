"""Validates the constraints of the two migrations before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0033_wallets_of_payouts_and_returns")]

    operations = [
        ValidateConstraint(model_name="transaction", name="transaction_kind_is_known"),
        ValidateConstraint(model_name="wallet", name="wallet_role_is_known"),
    ]
