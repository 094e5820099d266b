"""What an order's customer got back because the purchase cost less. Orders that are there got nothing.

The constraint is validated by the next migration.
"""

from decimal import Decimal

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("trading", "0016_headroom")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="rebate",
            field=models.DecimalField(
                db_default=Decimal("0.00"), decimal_places=2, default=Decimal("0.00"), max_digits=38
            ),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=Q(rebate=0)
                | Q(state="completed", market_price__isnull=False, rebate__gt=0)
                & Q(rebate__lt=F("charge") - F("fee")),
                name="a_rebate_is_part_of_what_a_completed_order_paid",
            ),
        ),
    ]
