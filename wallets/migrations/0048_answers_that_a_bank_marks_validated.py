"""Validates the checks of the migration before, and finds the lines that wait. No writer is locked out."""

from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0047_answers_that_a_bank_marks")]

    operations = [
        ValidateConstraint(model_name="payout", name="a_payout_without_a_payee_was_paid"),
        ValidateConstraint(model_name="payout", name="a_payout_that_came_back_as_a_deposit_is_returned"),
        ValidateConstraint(model_name="statementline", name="only_dollars_that_came_in_become_deposits"),
        AddIndexConcurrently(
            model_name="payout",
            index=models.Index(
                fields=["came_back_as"], condition=Q(came_back_as__isnull=False), name="payouts_that_became_deposits"
            ),
        ),
        AddIndexConcurrently(
            model_name="statementline",
            index=models.Index(
                fields=["id"], condition=Q(kind="debit", payout=None, seen_at=None), name="debits_that_wait"
            ),
        ),
        AddIndexConcurrently(
            model_name="statementline",
            index=models.Index(
                fields=["statement", "number"],
                condition=Q(kind__in=("credit", "given_back"), deposit=None, payout=None),
                name="lines_to_receive",
            ),
        ),
        RemoveIndexConcurrently(model_name="statementline", name="lines_that_contradict"),
        RemoveIndexConcurrently(model_name="statementline", name="lines_to_credit"),
    ]
