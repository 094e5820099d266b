"""Validates the constraints of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0016_price_improvements")]

    operations = [
        ValidateConstraint(model_name="transaction", name="transaction_kind_is_known"),
        ValidateConstraint(model_name="transaction", name="customer_dollars_move_in_whole_cents"),
        ValidateConstraint(model_name="transaction", name="a_correction_names_what_it_reverses"),
    ]
