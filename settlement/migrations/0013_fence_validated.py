"""Validate the constraint of the fence, without a lock that stops writers."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("settlement", "0012_fence")]

    operations = [ValidateConstraint("attempt", "attempts_stay_within_their_budget")]
