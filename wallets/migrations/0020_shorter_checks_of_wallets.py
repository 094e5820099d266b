"""Shorter forms of the checks on wallets: Postgres reads them anew in each statement that writes a wallet.

They accept the same rows as before; the next migration validates them.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Round

from wallets.runtime.constraints import agree, is_not_negative, is_one_of

_ROLES = ("customer", "funding", "clearing", "venue", "inventory", "fees", "trading_result")

_CHECKS = [
    models.CheckConstraint(
        condition=agree(Q(owner__isnull=False), Q(role="customer")),
        name="customer_wallets_have_an_owner",
    ),
    models.CheckConstraint(condition=is_one_of("role", _ROLES), name="wallet_role_is_known"),
    models.CheckConstraint(
        condition=agree(Q(balance__isnull=False), is_one_of("role", ("customer", "inventory"))),
        name="only_customers_and_inventory_store_a_balance",
    ),
    models.CheckConstraint(condition=is_not_negative("balance"), name="balance_is_not_negative"),
    models.CheckConstraint(
        condition=~Q(asset="USD") | Q(balance=Round(F("balance"), 2)),
        name="dollar_balances_are_whole_cents",
    ),
    models.CheckConstraint(
        condition=Q(cost=None) | (Q(role="inventory") & is_not_negative("cost")),
        name="inventory_alone_has_a_cost",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0019_shorter_checks_of_movements")]

    operations = [
        *[migrations.RemoveConstraint(model_name="wallet", name=check.name) for check in _CHECKS],
        *[AddConstraintNotValid(model_name="wallet", constraint=check) for check in _CHECKS],
    ]
