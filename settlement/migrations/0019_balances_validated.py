"""Validates the constraint of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("settlement", "0018_balances")]

    operations = [
        ValidateConstraint(model_name="finding", name="finding_kind_is_known"),
    ]
