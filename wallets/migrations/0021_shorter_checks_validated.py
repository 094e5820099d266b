"""Validates the constraints of the two migrations before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

_OF_MOVEMENTS = [
    "transaction_amount_is_positive",
    "transaction_kind_is_known",
    "customer_dollars_move_in_whole_cents",
    "balance_after_is_not_negative",
    "balance_after_is_the_customers",
    "a_correction_names_what_it_reverses",
    "transaction_key_has_its_request_hash",
]
_OF_WALLETS = [
    "customer_wallets_have_an_owner",
    "wallet_role_is_known",
    "only_customers_and_inventory_store_a_balance",
    "balance_is_not_negative",
    "dollar_balances_are_whole_cents",
    "inventory_alone_has_a_cost",
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0020_shorter_checks_of_wallets")]

    operations = [
        *[ValidateConstraint(model_name="transaction", name=name) for name in _OF_MOVEMENTS],
        *[ValidateConstraint(model_name="wallet", name=name) for name in _OF_WALLETS],
    ]
