"""What the previous release does not know: fees that a completion books, closed markets, and maxima in dollars.

It completes no order with a fee, because it would book the fee as revenue: its statement writes no `booked_fee`, and is
refused. It reads and writes the column `maximum`, which is not dropped yet; a trigger keeps it and the new one alike. The constraint on orders is
validated by the next migration.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Ceil

from wallets.runtime.constraints import is_number

# 1000000 was the value of every coin whose maximum nobody had set.
_ALIKE = """
ALTER TABLE trading_coin ALTER COLUMN maximum SET DEFAULT 1000000;
UPDATE trading_coin SET largest_amount = maximum WHERE maximum <> 1000000;
CREATE FUNCTION trading_keep_maxima_alike() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.largest_amount := coalesce(NEW.largest_amount, nullif(NEW.maximum, 1000000));
    ELSIF NEW.maximum IS DISTINCT FROM OLD.maximum AND NEW.largest_amount IS NOT DISTINCT FROM OLD.largest_amount THEN
        NEW.largest_amount := nullif(NEW.maximum, 1000000);
    END IF;
    NEW.maximum := least(coalesce(NEW.largest_amount, greatest(1000000, NEW.minimum)), 999999999999);
    RETURN NEW;
END $$;
CREATE TRIGGER maxima_are_alike BEFORE INSERT OR UPDATE ON trading_coin
    FOR EACH ROW EXECUTE FUNCTION trading_keep_maxima_alike();
"""

_APART = """
DROP TRIGGER maxima_are_alike ON trading_coin;
DROP FUNCTION trading_keep_maxima_alike();
ALTER TABLE trading_coin ALTER COLUMN maximum DROP DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0013_price_rules_validated")]

    operations = [
        migrations.AlterField(
            model_name="coin",
            name="name",
            field=models.CharField(
                help_text=(
                    "The venue's name. It never changes:"
                    " put a coin that the venue has renamed on sale under the new name."
                ),
                max_length=12,
                unique=True,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="booked_fee",
            field=models.DecimalField(blank=True, decimal_places=2, editable=False, max_digits=38, null=True),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=~Q(state="completed")
                | Q(fee=0, booked_fee=None)
                | Q(booked_fee__isnull=False, booked_fee=F("fee")),
                name="completed_orders_have_booked_their_fee",
            ),
        ),
        migrations.CreateModel(
            name="ClosedMarket",
            fields=[
                (
                    "coin",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="closed_market",
                        serialize=False,
                        to="trading.coin",
                    ),
                ),
                ("since", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(model_name="coin", name="coin_limits_are_in_order"),
        migrations.RemoveConstraint(model_name="coin", name="coin_limits_allow_an_amount"),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="coin", name="maximum")],
        ),
        migrations.AddField(
            model_name="coin",
            name="maximum",
            field=models.DecimalField(
                blank=True,
                db_column="largest_amount",
                decimal_places=8,
                help_text="In coins. Empty: as many as ORDER_MAXIMUM dollars buy at the price of the moment.",
                max_digits=38,
                null=True,
            ),
        ),
        migrations.RunSQL(_ALIKE, _APART),
        migrations.AddConstraint(
            model_name="coin",
            constraint=models.CheckConstraint(
                condition=Q(step__gt=0)
                & is_number("step")
                & Q(minimum__gt=0)
                & (Q(maximum=None) | is_number("maximum") & Q(maximum__gte=F("minimum"))),
                name="coin_limits_are_in_order",
                violation_error_message="Step and minimum are above zero, and the maximum is not below the minimum.",
            ),
        ),
        migrations.AddConstraint(
            model_name="coin",
            constraint=models.CheckConstraint(
                condition=Q(step__lte=0)
                | Q(maximum=None)
                | Q(maximum__gte=Ceil(F("minimum") / F("step")) * F("step")),
                name="coin_limits_allow_an_amount",
                violation_error_message="No multiple of the step lies between the minimum and the maximum.",
            ),
        ),
    ]
