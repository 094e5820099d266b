"""Shorter forms of the checks on movements: Postgres reads them anew in each statement that writes one.

They accept the same rows as before; 0021 validates them. The table of wallets has a migration of its own, because a
transaction that waits for the locks of both tables could be in a deadlock with one that moves money.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Round

from wallets.runtime.constraints import agree, is_above_zero, is_not_negative, is_one_of

_KINDS = (
    *("deposit", "withdrawal", "purchase", "refund", "price_improvement", "delivery", "revenue", "fee", "fill"),
    *("fill_cost", "correction"),
)

_CHECKS = [
    models.CheckConstraint(condition=is_above_zero("amount"), name="transaction_amount_is_positive"),
    models.CheckConstraint(condition=is_one_of("kind", _KINDS), name="transaction_kind_is_known"),
    models.CheckConstraint(
        condition=~Q(asset="USD")
        | Q(kind="fill_cost")
        | Q(reverses__isnull=False, customer=None)
        | Q(amount=Round(F("amount"), 2)),
        name="customer_dollars_move_in_whole_cents",
    ),
    models.CheckConstraint(condition=is_not_negative("balance_after"), name="balance_after_is_not_negative"),
    models.CheckConstraint(
        condition=agree(Q(customer=None), Q(balance_after=None)), name="balance_after_is_the_customers"
    ),
    models.CheckConstraint(
        condition=agree(Q(reverses__isnull=False), Q(kind="correction")),
        name="a_correction_names_what_it_reverses",
    ),
    models.CheckConstraint(
        condition=agree(Q(idempotency_key=None), Q(request_hash=None)),
        name="transaction_key_has_its_request_hash",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0018_movements_by_time")]

    operations = [
        *[migrations.RemoveConstraint(model_name="transaction", name=check.name) for check in _CHECKS],
        *[AddConstraintNotValid(model_name="transaction", constraint=check) for check in _CHECKS],
    ]
