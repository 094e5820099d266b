"""Indexes for payouts that staff have marked as returned, and for credits that name a payout."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0054_amounts_of_proposals")]

    operations = [
        AddIndexConcurrently(
            "payout",
            models.Index(
                fields=["returned_at"],
                condition=Q(state="returned", came_back_as=None),
                name="returned_payouts_by_time",
            ),
        ),
        AddIndexConcurrently(
            "statementline",
            models.Index(
                fields=["end_to_end_id"],
                condition=Q(kind__in=("credit", "given_back")) & ~Q(end_to_end_id=""),
                name="credits_that_name_a_payout",
            ),
        ),
    ]
