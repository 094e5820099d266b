"""Validates the constraint of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("trading", "0017_rebates")]

    operations = [
        ValidateConstraint(model_name="order", name="a_rebate_is_part_of_what_a_completed_order_paid"),
    ]
