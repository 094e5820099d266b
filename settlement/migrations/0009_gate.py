"""The gate: rows for what a venue did beyond a request, pauses until staff decide, and fills within their request.

Everything here lets the previous release run on: its rows meet all the new constraints. They are validated in the next
migration, because a scan must not hold the lock that adding them takes.
"""

from decimal import Decimal

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Case, F, Q, Value, When

from wallets.runtime.constraints import is_number

_KINDS = ["missing", "extra", "differs", "late_fill", "untrue", "ledger"]
_ACTIONS = ["look_again", "mark_filled", "mark_not_placed", "retry", "book_excess", "refund"]

APPEND_ONLY = """
CREATE FUNCTION settlement_refuse_excess_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'excesses are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER excesses_are_append_only BEFORE UPDATE OR DELETE ON settlement_excess
    FOR EACH ROW EXECUTE FUNCTION settlement_refuse_excess_change();
CREATE TRIGGER excesses_are_never_emptied BEFORE TRUNCATE ON settlement_excess
    FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_excess_change();
"""

CHANGEABLE = """
DROP TRIGGER excesses_are_never_emptied ON settlement_excess;
DROP TRIGGER excesses_are_append_only ON settlement_excess;
DROP FUNCTION settlement_refuse_excess_change();
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0008_pauses_of_several_kinds")]

    operations = [
        migrations.CreateModel(
            name="Excess",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=8, max_digits=38)),
                ("cost", models.DecimalField(decimal_places=8, max_digits=38)),
                ("commission", models.DecimalField(decimal_places=8, max_digits=38)),
                ("booked_at", models.DateTimeField()),
                (
                    "attempt",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="excess", to="settlement.attempt"
                    ),
                ),
                (
                    "intervention",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="settlement.intervention"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "excesses",
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(quantity__gte=0, cost__gte=0, commission__gte=0)
                        & (Q(quantity__gt=0) | Q(cost__gt=0) | Q(commission__gt=0))
                        & is_number("quantity")
                        & is_number("cost")
                        & is_number("commission"),
                        name="an_excess_is_something",
                    )
                ],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RemoveConstraint(model_name="finding", name="finding_kind_is_known"),
        migrations.RemoveConstraint(model_name="intervention", name="intervention_action_is_known"),
        migrations.RemoveConstraint(model_name="pause", name="pauses_without_an_end_are_of_staff"),
        migrations.AlterField(
            model_name="finding",
            name="kind",
            field=models.CharField(
                choices=[
                    ("missing", "the venue does not know it"),
                    ("extra", "we do not know it"),
                    ("differs", "the figures differ"),
                    ("late_fill", "bought after it was given up"),
                    ("untrue", "an answer that cannot be true"),
                    ("ledger", "the ledger does not balance"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="intervention",
            name="action",
            field=models.CharField(
                choices=[
                    ("look_again", "look up at the venue again"),
                    ("mark_filled", "mark as filled"),
                    ("mark_not_placed", "mark as not placed"),
                    ("retry", "buy again"),
                    ("book_excess", "book what the venue did beyond the request"),
                    ("refund", "refund"),
                ],
                max_length=16,
            ),
        ),
        AddConstraintNotValid(
            model_name="finding",
            constraint=models.CheckConstraint(condition=Q(kind__in=_KINDS), name="finding_kind_is_known"),
        ),
        AddConstraintNotValid(
            model_name="intervention",
            constraint=models.CheckConstraint(condition=Q(action__in=_ACTIONS), name="intervention_action_is_known"),
        ),
        AddConstraintNotValid(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=Q(until=None) | Q(set_by=None), name="pauses_of_staff_have_no_end"
            ),
        ),
        # The expression of a computed column cannot be changed; the table has a row for each pause in force.
        migrations.RemoveConstraint("pause", "one_pause_per_coin_and_one_for_the_venue"),
        migrations.RemoveField("pause", "kind"),
        migrations.AddField(
            "pause",
            "kind",
            models.GeneratedField(
                db_persist=True,
                expression=Case(
                    When(set_by__isnull=False, then=Value("staff")),
                    When(stops_all_calls=True, then=Value("ban")),
                    When(until__isnull=True, then=Value("untrue")),
                    default=Value("trouble"),
                ),
                output_field=models.CharField(max_length=8),
            ),
        ),
        migrations.AddConstraint(
            "pause",
            models.UniqueConstraint(
                fields=("coin", "kind"), name="one_pause_per_coin_and_one_for_the_venue", nulls_distinct=False
            ),
        ),
        AddConstraintNotValid(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=~Q(state="filled")
                | Q(
                    executed__lte=F("quantity"),
                    cost__gt=0,
                    cost__lte=F("quantity") * F("limit_price") * Decimal("1.02000001") + Decimal("0.00000003"),
                ),
                name="fills_stay_within_the_request",
            ),
        ),
    ]
