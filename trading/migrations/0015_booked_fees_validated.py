"""Validates the constraint of the migration before, which locks no writer out.

Orders that were completed before it, by code that knows fees, have booked them.
"""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

_BOOKED = "UPDATE trading_order SET booked_fee = fee WHERE state = 'completed' AND fee > 0 AND booked_fee IS NULL"


class Migration(migrations.Migration):
    dependencies = [("trading", "0014_what_a_release_must_know")]

    operations = [
        migrations.RunSQL(_BOOKED, migrations.RunSQL.noop),
        ValidateConstraint(model_name="order", name="completed_orders_have_booked_their_fee"),
    ]
