"""The fees of completed orders are a kind of movement. The constraint is validated by the next migration."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

_KINDS = [
    ("deposit", "Deposit"),
    ("withdrawal", "Withdrawal"),
    ("purchase", "Purchase"),
    ("refund", "Refund"),
    ("delivery", "Delivery"),
    ("revenue", "Revenue"),
    ("fee", "Fee"),
    ("fill", "Fill"),
    ("fill_cost", "Fill Cost"),
    ("correction", "Correction"),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0013_cost_of_inventory")]

    operations = [
        migrations.RemoveConstraint(model_name="transaction", name="transaction_kind_is_known"),
        migrations.AlterField(
            model_name="transaction", name="kind", field=models.CharField(choices=_KINDS, max_length=16)
        ),
        AddConstraintNotValid(
            model_name="transaction",
            constraint=models.CheckConstraint(
                condition=models.Q(kind__in=[kind for kind, _ in _KINDS]), name="transaction_kind_is_known"
            ),
        ),
    ]
