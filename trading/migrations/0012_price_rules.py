"""Price rules, and the columns in which an order keeps what they made of it.

Orders that are there paid no fee and have no market price; so have those that the previous release places meanwhile.
The constraints are validated, and the indexes built, by the next migration.
"""

from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Ceil, Now, Round

from wallets.runtime.constraints import is_number

# The function's own time, not the caller's: else a rule could be valid before it was made.
_APPEND_ONLY = """
CREATE FUNCTION trading_refuse_change_of_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'price rules are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER price_rules_are_append_only BEFORE UPDATE OR DELETE ON trading_pricerule
    FOR EACH ROW EXECUTE FUNCTION trading_refuse_change_of_rule();
CREATE TRIGGER price_rules_are_never_emptied BEFORE TRUNCATE ON trading_pricerule
    FOR EACH STATEMENT EXECUTE FUNCTION trading_refuse_change_of_rule();
CREATE FUNCTION trading_date_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER price_rules_say_when_they_were_made BEFORE INSERT ON trading_pricerule
    FOR EACH ROW EXECUTE FUNCTION trading_date_rule();
"""

_CHANGEABLE = """
DROP TRIGGER price_rules_say_when_they_were_made ON trading_pricerule;
DROP FUNCTION trading_date_rule();
DROP TRIGGER price_rules_are_never_emptied ON trading_pricerule;
DROP TRIGGER price_rules_are_append_only ON trading_pricerule;
DROP FUNCTION trading_refuse_change_of_rule();
"""


def _reference(to, related_name, **options):
    return models.ForeignKey(
        to,
        null=True,
        blank=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        db_index=False,
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("trading", "0011_readings_validated"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("spread_rate", models.DecimalField(decimal_places=8, max_digits=9)),
                ("fee_rate", models.DecimalField(decimal_places=8, default=0, max_digits=9)),
                ("fee_minimum", models.DecimalField(decimal_places=2, default=0, max_digits=12)),
                ("fee_maximum", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                ("valid_from", models.DateTimeField(db_default=Now())),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("reason", models.CharField(help_text="Why the rule was made.", max_length=200)),
                (
                    "coin",
                    _reference(
                        "trading.coin",
                        "price_rules",
                        help_text="Empty: all coins with a market price that have no rule of their own.",
                    ),
                ),
                ("created_by", _reference(settings.AUTH_USER_MODEL, "+")),
            ],
            options={
                "indexes": [
                    models.Index("coin", F("valid_from").desc(), F("id").desc(), name="newest_price_rules"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(spread_rate__gte=0, spread_rate__lte=1) & is_number("spread_rate"),
                        name="spread_is_a_share",
                    ),
                    models.CheckConstraint(
                        condition=Q(fee_rate__gte=0, fee_rate__lte=1) & is_number("fee_rate"),
                        name="fee_rate_is_a_share",
                    ),
                    models.CheckConstraint(
                        condition=Q(fee_minimum__gte=0)
                        & is_number("fee_minimum")
                        & (Q(fee_maximum=None) | (Q(fee_maximum__gte=F("fee_minimum")) & is_number("fee_maximum"))),
                        name="fee_limits_are_in_order",
                    ),
                    models.CheckConstraint(
                        condition=Q(valid_from__gte=F("created_at")), name="no_rule_is_valid_in_the_past"
                    ),
                    models.CheckConstraint(condition=~Q(reason=""), name="a_rule_has_a_reason"),
                ],
            },
        ),
        migrations.RunSQL(_APPEND_ONLY, _CHANGEABLE),
        migrations.AddField(
            model_name="order",
            name="market_price",
            field=models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="spread_rate",
            field=models.DecimalField(blank=True, decimal_places=8, max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="fee",
            field=models.DecimalField(
                db_default=Decimal("0.00"), decimal_places=2, default=Decimal("0.00"), max_digits=38
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="price_rule",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="trading.pricerule",
            ),
        ),
        migrations.AddField(model_name="order", name="quote_id", field=models.UUIDField(blank=True, null=True)),
        migrations.RemoveConstraint(model_name="order", name="charge_is_amount_times_price_rounded_up"),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=Q(charge=F("fee") + Round(Ceil(F("amount") * F("price") * 100) / 100, 2)),
                name="charge_is_amount_times_price_rounded_up_and_the_fee",
            ),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=Q(fee__gte=0) & is_number("fee"), name="fee_is_not_negative"
            ),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=Q(market_price=None, spread_rate=None, price_rule=None, fee=0)
                | Q(market_price__isnull=False, market_price__gt=0, spread_rate__isnull=False, spread_rate__gte=0)
                & is_number("market_price"),
                name="a_market_price_is_positive_and_has_a_spread",
            ),
        ),
    ]
