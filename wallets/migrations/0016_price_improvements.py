"""What a purchase saved goes back to its customer: a kind of movement of its own, whose name is longer.

A column of type varchar(16) becomes varchar(32) without rewriting a row. Its checks would be made anew over all rows, so
they are dropped before and added without a look at the rows, which the next migration takes.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Round

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
    ("correction", "Correction"),
]

_CHECKS = [
    models.CheckConstraint(condition=Q(kind__in=[kind for kind, _ in _KINDS]), name="transaction_kind_is_known"),
    models.CheckConstraint(
        condition=~Q(asset="USD")
        | Q(kind="fill_cost")
        | Q(kind="correction", customer=None)
        | Q(amount=Round(F("amount"), 2)),
        name="customer_dollars_move_in_whole_cents",
    ),
    models.CheckConstraint(
        condition=Q(reverses=None) ^ Q(kind="correction"), name="a_correction_names_what_it_reverses"
    ),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0015_fees_validated")]

    operations = [
        *[migrations.RemoveConstraint(model_name="transaction", name=check.name) for check in _CHECKS],
        migrations.AlterField(
            model_name="transaction", name="kind", field=models.CharField(choices=_KINDS, max_length=32)
        ),
        *[AddConstraintNotValid(model_name="transaction", constraint=check) for check in _CHECKS],
    ]
