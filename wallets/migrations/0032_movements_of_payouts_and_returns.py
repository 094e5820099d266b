"""Movements of payouts, returns, debts and goodwill. The next migrations add their wallets, and validate the checks."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from wallets.runtime.constraints import is_one_of

_KINDS = [
    ("deposit", "Deposit"),
    ("withdrawal", "Withdrawal"),
    ("purchase", "Purchase"),
    ("refund", "Refund"),
    ("price_improvement", "Price Improvement"),
    ("delivery", "Delivery"),
    ("revenue", "Revenue"),
    ("fee", "Fee"),
    ("fill", "Fill"),
    ("fill_cost", "Fill Cost"),
    ("unassigned", "Unassigned"),
    ("sent_back", "sent back"),
    ("payout", "Payout"),
    ("return", "Return"),
    ("repurchase", "Repurchase"),
    ("write_off", "write-off"),
    ("goodwill", "Goodwill"),
    ("correction", "Correction"),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0031_statements")]

    operations = [
        migrations.RemoveConstraint(model_name="transaction", name="transaction_kind_is_known"),
        migrations.AlterField(
            model_name="transaction", name="kind", field=models.CharField(choices=_KINDS, max_length=32)
        ),
        AddConstraintNotValid(
            model_name="transaction",
            constraint=models.CheckConstraint(
                condition=is_one_of("kind", [kind for kind, _ in _KINDS]), name="transaction_kind_is_known"
            ),
        ),
    ]
