"""Validates the constraints of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("settlement", "0016_after_a_restore")]

    operations = [
        ValidateConstraint(model_name="attempt", name="adopted_attempts_are_filled"),
        ValidateConstraint(model_name="finding", name="only_unknown_orders_are_decided_about_and_with_a_note"),
    ]
