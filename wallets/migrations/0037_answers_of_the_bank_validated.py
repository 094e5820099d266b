"""Validates the constraint of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0036_answers_of_the_bank")]

    operations = [ValidateConstraint(model_name="statementline", name="an_answer_about_a_payout_is_no_deposit")]
