"""Reviews say whose order they are about, so that nobody decides about their own; coins allow at least one amount.

Rows that are there are not checked against the two new rules: a decision of the past stays as it is, and staff mend a
coin whose limits allow no amount when they change it next.
"""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Ceil

from wallets.runtime.constraints import is_number

_FILL = "UPDATE trading_review SET customer_id = o.customer_id FROM trading_order o WHERE o.id = order_id"

# A trigger and no composite foreign key: that would need a second unique index on all orders, which each order would
# have to write. Reviews are rare.
_TRIGGER = """
CREATE FUNCTION trading_name_customer_of_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.customer_id := (SELECT customer_id FROM trading_order WHERE id = NEW.order_id);
    RETURN NEW;
END $$;
CREATE TRIGGER reviews_name_the_customer BEFORE INSERT OR UPDATE ON trading_review
    FOR EACH ROW EXECUTE FUNCTION trading_name_customer_of_review();
"""

_WITHOUT_TRIGGER = """
DROP TRIGGER reviews_name_the_customer ON trading_review;
DROP FUNCTION trading_name_customer_of_review();
"""


def _customer(**options):
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        db_index=False,
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("trading", "0006_words"),
    ]

    operations = [
        migrations.AddField(model_name="review", name="customer", field=_customer(null=True)),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.AlterField(model_name="review", name="customer", field=_customer()),
        migrations.RunSQL(_TRIGGER, _WITHOUT_TRIGGER),
        AddConstraintNotValid(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("customer")),
                name="nobody_decides_about_their_own_order",
            ),
        ),
        AddConstraintNotValid(
            model_name="coin",
            constraint=models.CheckConstraint(
                condition=Q(step__lte=0) | Q(maximum__gte=Ceil(F("minimum") / F("step")) * F("step")),
                name="coin_limits_allow_an_amount",
                violation_error_message="No multiple of the step lies between the minimum and the maximum.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="coin",
            name="coin_limits_are_in_order",
            constraint=models.CheckConstraint(
                condition=Q(step__gt=0)
                & is_number("step")
                & Q(minimum__gt=0)
                & is_number("maximum")
                & Q(maximum__gte=F("minimum")),
                name="coin_limits_are_in_order",
                violation_error_message="Step and minimum are above zero, and the maximum is not below the minimum.",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(condition=Q(state="held"), fields=["customer"], name="held_orders_of_customer"),
        ),
    ]
