"""Whoever owes is frozen, so that only code that credits frozen wallets looks for debts. A migration of its own, see 0019."""

from django.db import migrations

# AFTER, because a trigger BEFORE an update makes Postgres lock each row of wallets once more, in every movement.
FROZEN = """
CREATE FUNCTION wallets_keep_debtors_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM wallets_receivable WHERE customer_id = NEW.owner_id AND amount > 0) THEN
        RAISE EXCEPTION 'customer % owes, so the wallet stays frozen', NEW.owner_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wallets_of_debtors_stay_frozen AFTER UPDATE OF frozen ON wallets_wallet
    FOR EACH ROW WHEN (OLD.frozen AND NOT NEW.frozen) EXECUTE FUNCTION wallets_keep_debtors_frozen();
CREATE FUNCTION wallets_refuse_debt_of_unfrozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM wallets_wallet WHERE owner_id = NEW.customer_id AND asset = 'USD' AND frozen) THEN
        RAISE EXCEPTION 'customer % is not frozen, so nothing can be owed', NEW.customer_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER debtors_are_frozen AFTER INSERT OR UPDATE OF amount ON wallets_receivable
    FOR EACH ROW WHEN (NEW.amount > 0) EXECUTE FUNCTION wallets_refuse_debt_of_unfrozen();
"""

THAWED = """
DROP TRIGGER debtors_are_frozen ON wallets_receivable;
DROP FUNCTION wallets_refuse_debt_of_unfrozen();
DROP TRIGGER wallets_of_debtors_stay_frozen ON wallets_wallet;
DROP FUNCTION wallets_keep_debtors_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0038_returns")]

    operations = [migrations.RunSQL(FROZEN, THAWED)]
