"""Staff have no wallet, so nobody who decides about prices and money can be paid, or buy."""

from django.db import migrations

# Their empty wallets are removed. SECURITY DEFINER, because the application may not delete wallets. Wallets with money, or
# with movements, stay, and then the user does not become staff. The wallet is locked before it is judged: a deposit under
# way has ended then. Users are locked FOR SHARE before they get a wallet, so that both sides wait for each other.
#
# The seeder alone sets exchange.seeds_admin: the administrator of the development data has a wallet.
RULE = """
CREATE FUNCTION wallets_take_wallet_of_staff() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM wallets_wallet WHERE owner_id = NEW.id ORDER BY id FOR UPDATE;
    IF EXISTS (SELECT FROM wallets_wallet WHERE owner_id = NEW.id AND balance <> 0)
       OR EXISTS (SELECT FROM wallets_transaction WHERE customer_id = NEW.id)
    THEN
        RAISE EXCEPTION 'user % has or had money, and staff have none', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM wallets_wallet WHERE owner_id = NEW.id;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION wallets_take_wallet_of_staff() FROM PUBLIC;
CREATE TRIGGER staff_have_no_wallet AFTER UPDATE OF is_staff, is_superuser ON wallets_user
    FOR EACH ROW WHEN ((NEW.is_staff OR NEW.is_superuser) AND NOT (OLD.is_staff OR OLD.is_superuser))
    EXECUTE FUNCTION wallets_take_wallet_of_staff();
CREATE FUNCTION wallets_refuse_wallet_of_staff() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_of_staff boolean;
BEGIN
    SELECT is_staff OR is_superuser INTO is_of_staff FROM wallets_user WHERE id = NEW.owner_id FOR SHARE;
    IF is_of_staff AND coalesce(current_setting('exchange.seeds_admin', true), '') <> 'on' THEN
        RAISE EXCEPTION 'user % is a member of staff, and staff have no wallet', NEW.owner_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER staff_get_no_wallet BEFORE INSERT ON wallets_wallet
    FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL AND NEW.asset = 'USD')
    EXECUTE FUNCTION wallets_refuse_wallet_of_staff();
"""

NO_RULE = """
DROP TRIGGER staff_get_no_wallet ON wallets_wallet;
DROP FUNCTION wallets_refuse_wallet_of_staff();
DROP TRIGGER staff_have_no_wallet ON wallets_user;
DROP FUNCTION wallets_take_wallet_of_staff();
"""

REMOVE_EMPTY = """
DELETE FROM wallets_wallet AS wallet USING wallets_user AS owner
 WHERE owner.id = wallet.owner_id AND (owner.is_staff OR owner.is_superuser)
   AND NOT EXISTS (SELECT FROM wallets_wallet other WHERE other.owner_id = owner.id AND other.balance <> 0)
   AND NOT EXISTS (SELECT FROM wallets_transaction WHERE customer_id = owner.id)
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0050_references_of_returned_payments_validated")]

    operations = [
        migrations.RunSQL(RULE, NO_RULE),
        migrations.RunSQL(REMOVE_EMPTY, migrations.RunSQL.noop),
    ]
