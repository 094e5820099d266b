"""Validates the constraints of the migration before and builds its indexes, which lock no writer out.

The previous release inserts no quotes, so it cannot insert two orders with one. Its sum of a pool reads the rows of the
few pooled orders until it is gone, because the index that it used is replaced.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

_UNIQUE = """
CREATE UNIQUE INDEX CONCURRENTLY one_order_per_quote ON trading_order (quote_id) WHERE quote_id IS NOT NULL
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("trading", "0012_price_rules")]

    operations = [
        ValidateConstraint(model_name="order", name="charge_is_amount_times_price_rounded_up_and_the_fee"),
        ValidateConstraint(model_name="order", name="fee_is_not_negative"),
        ValidateConstraint(model_name="order", name="a_market_price_is_positive_and_has_a_spread"),
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                fields=["coin"],
                include=["settle_by", "charge", "fee"],
                condition=Q(state="aggregated"),
                name="pooled_orders_with_fees",
            ),
        ),
        RemoveIndexConcurrently(model_name="order", name="pooled_orders"),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_UNIQUE, "DROP INDEX CONCURRENTLY IF EXISTS one_order_per_quote"),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="order",
                    constraint=models.UniqueConstraint(
                        fields=["quote_id"], condition=Q(quote_id__isnull=False), name="one_order_per_quote"
                    ),
                ),
            ],
        ),
    ]
