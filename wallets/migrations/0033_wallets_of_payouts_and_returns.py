"""House wallets for payouts, debts and goodwill; `migrate` opens them at its end. A migration of its own, see 0019."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from wallets.runtime.constraints import is_one_of

_ROLES = [
    ("customer", "Customer"),
    ("funding", "Funding"),
    ("clearing", "Clearing"),
    ("venue", "Venue"),
    ("inventory", "Inventory"),
    ("fees", "Fees"),
    ("trading_result", "Trading Result"),
    ("unassigned", "Unassigned"),
    ("payable", "Payable"),
    ("receivable", "Receivable"),
    ("goodwill", "Goodwill"),
    ("written_off", "written off"),
]

# The check comes back that does not know the roles. Foreign keys wait for the end of the transaction, and ALTER TABLE
# for none that wait.
_CLOSE = """
DELETE FROM wallets_wallet
 WHERE role IN ('payable', 'receivable', 'goodwill', 'written_off') AND owner_id IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0032_movements_of_payouts_and_returns")]

    operations = [
        migrations.RemoveConstraint(model_name="wallet", name="wallet_role_is_known"),
        migrations.AlterField(
            model_name="wallet", name="role", field=models.CharField(choices=_ROLES, max_length=16)
        ),
        AddConstraintNotValid(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=is_one_of("role", [role for role, _ in _ROLES]), name="wallet_role_is_known"
            ),
        ),
        migrations.RunSQL(sql=migrations.RunSQL.noop, reverse_sql=_CLOSE),
    ]
