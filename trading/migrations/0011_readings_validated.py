"""Validates the constraints of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("trading", "0010_readings_and_suspensions")]

    operations = [
        ValidateConstraint(model_name="order", name="order_price_is_positive"),
        ValidateConstraint(model_name="order", name="charge_is_amount_times_price_rounded_up"),
    ]
