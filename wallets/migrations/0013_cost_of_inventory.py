"""Inventory knows what its coins cost. Coins that are there begin with the average cost of all purchases of theirs.

Not atomic: the statement reads the ledger once, and no other statement waits for it but those about these few rows.
"""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

from wallets.runtime.constraints import is_number

_FILL = """
UPDATE wallets_wallet inventory
   SET cost = round(inventory.balance * bought.cost / bought.coins, 8)
  FROM (SELECT fill.asset, sum(fill.amount) AS coins, sum(cost.amount) AS cost
          FROM wallets_transaction fill
          JOIN wallets_transaction cost
            ON cost.reference = regexp_replace(fill.reference, ':fill$', ':cost') AND cost.kind = 'fill_cost'
         WHERE fill.kind = 'fill'
         GROUP BY fill.asset) bought
 WHERE inventory.role = 'inventory' AND inventory.asset = bought.asset AND inventory.owner_id IS NULL
   AND inventory.cost IS NULL
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0012_subjects_of_all")]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="cost",
            field=models.DecimalField(blank=True, decimal_places=8, max_digits=38, null=True),
        ),
        AddConstraintNotValid(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=Q(cost=None) | (Q(role="inventory", cost__gte=0) & is_number("cost")),
                name="inventory_alone_has_a_cost",
            ),
        ),
        ValidateConstraint(model_name="wallet", name="inventory_alone_has_a_cost"),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
