"""The payout that a line of a bank statement answers. The next migration validates the check."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("wallets", "0035_payouts")]

    operations = [
        migrations.AddField(
            model_name="statementline",
            name="end_to_end_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=32),
        ),
        migrations.AddField(
            model_name="statementline",
            name="payout",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="wallets.payout",
            ),
        ),
        AddConstraintNotValid(
            model_name="statementline",
            constraint=models.CheckConstraint(
                condition=Q(payout=None) | Q(deposit=None), name="an_answer_about_a_payout_is_no_deposit"
            ),
        ),
    ]
