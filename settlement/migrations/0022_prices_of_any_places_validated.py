"""Validates the constraints of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("settlement", "0021_prices_of_any_places")]

    operations = [
        ValidateConstraint(model_name="attempt", name="attempts_stay_within_their_budget"),
        ValidateConstraint(model_name="attempt", name="sent_attempts_say_what_was_sent"),
        ValidateConstraint(model_name="attempt", name="fills_stay_within_the_request"),
    ]
