"""A purchase's price limit has any number of places, because a coin may cost less than 0.00000001 dollars.

A column of type numeric(38, 8) becomes numeric without rewriting a row. Its checks would be made anew over all rows, so
they are dropped before and added without a look at the rows, which the next migration takes.
"""

from decimal import Decimal

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

import trading.models.fields
from wallets.runtime.constraints import is_number

_CHECKS = [
    models.CheckConstraint(
        condition=Q(budget=None)
        | Q(budget__gt=0, budget__gte=F("quantity") * F("limit_price")) & is_number("budget"),
        name="attempts_stay_within_their_budget",
    ),
    models.CheckConstraint(
        condition=~Q(state__in=["sent", "filled"])
        | Q(signed_at__isnull=False, valid_until__isnull=False, quantity__gt=0, limit_price__gt=0),
        name="sent_attempts_say_what_was_sent",
    ),
    models.CheckConstraint(
        condition=~Q(state="filled")
        | Q(
            executed__lte=F("quantity"),
            cost__gt=0,
            cost__lte=F("quantity") * F("limit_price") * Decimal("1.02000001") + Decimal("0.00000003"),
        ),
        name="fills_stay_within_the_request",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("settlement", "0020_purchase_sums"), ("trading", "0010_readings_and_suspensions")]

    operations = [
        *[migrations.RemoveConstraint(model_name="attempt", name=check.name) for check in _CHECKS],
        migrations.AlterField(
            model_name="attempt",
            name="limit_price",
            field=trading.models.fields.PriceField(blank=True, null=True),
        ),
        *[AddConstraintNotValid(model_name="attempt", constraint=check) for check in _CHECKS],
    ]
