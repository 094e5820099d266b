"""A house wallet for dollars that came in for nobody; `migrate` opens it at its end. A migration of its own, see 0019."""

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
]

# The check comes back that does not know the role. Foreign keys wait for the end of the transaction, and ALTER TABLE
# for none that wait.
_CLOSE = """
DELETE FROM wallets_wallet WHERE role = 'unassigned' AND owner_id IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0028_movements_of_unassigned_dollars")]

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
