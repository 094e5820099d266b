"""Payouts that came back as deposits, payouts that were paid after all, and returned payments that become deposits.

The next migration looks at the checks.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

from wallets.runtime.constraints import is_one_of

GUARD = """
CREATE OR REPLACE FUNCTION wallets_guard_payout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'payouts are never removed: %% is refused', TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.customer_id, NEW.payee_id, NEW.amount, NEW.end_to_end_id, NEW.created_at, NEW.idempotency_key,
        NEW.request_hash)
       IS DISTINCT FROM
       (OLD.id, OLD.customer_id, OLD.payee_id, OLD.amount, OLD.end_to_end_id, OLD.created_at, OLD.idempotency_key,
        OLD.request_hash)
       OR (OLD.file_id IS NOT NULL AND NEW.file_id IS DISTINCT FROM OLD.file_id)
    THEN
        RAISE EXCEPTION 'what a payout is about never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('requested', 'approved'), ('requested', 'rejected'), ('requested', 'cancelled'), ('requested', 'paid'),
        ('approved', 'rejected'), ('approved', 'cancelled'), ('approved', 'sent'), ('approved', 'paid'),
        ('sent', 'paid'), ('sent', 'failed'), ('sent', 'returned'), ('paid', 'returned')%s)
    THEN
        RAISE EXCEPTION 'a payout that is %% does not become %%', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
PAID_AFTER_ALL = ",\n        ('rejected', 'paid'), ('cancelled', 'paid'), ('failed', 'paid'), ('returned', 'paid')"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0046_lines_that_contradict_validated")]

    operations = [
        migrations.AddField(
            model_name="payout",
            name="came_back_as",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payouts",
                to="wallets.deposit",
            ),
        ),
        migrations.RemoveConstraint(model_name="payout", name="a_payout_without_a_payee_is_paid_at_once"),
        AddConstraintNotValid(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=Q(payee__isnull=False) | is_one_of("state", ["paid", "returned"]),
                name="a_payout_without_a_payee_was_paid",
            ),
        ),
        AddConstraintNotValid(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=Q(came_back_as=None) | Q(state="returned"),
                name="a_payout_that_came_back_as_a_deposit_is_returned",
            ),
        ),
        migrations.RemoveConstraint(model_name="statementline", name="only_credits_become_deposits"),
        AddConstraintNotValid(
            model_name="statementline",
            constraint=models.CheckConstraint(
                condition=is_one_of("kind", ["credit", "given_back"]) | Q(customer=None, deposit=None),
                name="only_dollars_that_came_in_become_deposits",
            ),
        ),
        migrations.RunSQL(GUARD % PAID_AFTER_ALL, GUARD % ""),
    ]
