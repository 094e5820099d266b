"""Validates the checks of the migration before, and finds lines by their deposit or payout. No writer is locked out."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0045_lines_that_contradict")]

    operations = [
        ValidateConstraint(model_name="securityevent", name="kind_of_security_event_is_known"),
        ValidateConstraint(model_name="statementline", name="an_answer_about_a_payout_fits_it"),
        ValidateConstraint(model_name="statementline", name="somebody_has_seen_a_seen_line"),
        AddIndexConcurrently(
            model_name="statementline",
            index=models.Index(fields=["deposit"], condition=Q(deposit__isnull=False), name="lines_of_deposit"),
        ),
        AddIndexConcurrently(
            model_name="statementline",
            index=models.Index(fields=["payout"], condition=Q(payout__isnull=False), name="lines_of_payout"),
        ),
        AddIndexConcurrently(
            model_name="statementline",
            index=models.Index(
                fields=["id"], condition=Q(contradicts__isnull=False, seen_at=None), name="lines_that_contradict"
            ),
        ),
    ]
