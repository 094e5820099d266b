"""What Django's models cannot say: transactions are append-only, and a row cannot mix assets."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION wallets_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transactions are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transactions_are_append_only BEFORE UPDATE OR DELETE ON wallets_transaction
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_change();
"""

CHANGEABLE = """
DROP TRIGGER transactions_are_append_only ON wallets_transaction;
DROP FUNCTION wallets_refuse_change();
"""

ONE_ASSET = """
ALTER TABLE wallets_transaction
    ADD CONSTRAINT source_wallet_is_of_the_asset
        FOREIGN KEY (source_id, asset) REFERENCES wallets_wallet (id, asset) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT destination_wallet_is_of_the_asset
        FOREIGN KEY (destination_id, asset) REFERENCES wallets_wallet (id, asset) DEFERRABLE INITIALLY DEFERRED;
"""

ANY_ASSET = """
ALTER TABLE wallets_transaction
    DROP CONSTRAINT source_wallet_is_of_the_asset,
    DROP CONSTRAINT destination_wallet_is_of_the_asset;
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_initial")]

    operations = [
        migrations.RunSQL(sql=APPEND_ONLY, reverse_sql=CHANGEABLE),
        migrations.RunSQL(sql=ONE_ASSET, reverse_sql=ANY_ASSET),
    ]
