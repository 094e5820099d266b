"""Nobody empties the ledger at one stroke: TRUNCATE fires no trigger for rows."""

from django.db import migrations

NEVER_EMPTIED = """
CREATE TRIGGER transactions_are_never_emptied BEFORE TRUNCATE ON wallets_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_change();
"""

EMPTIED = "DROP TRIGGER transactions_are_never_emptied ON wallets_transaction;"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0006_stored_times")]

    operations = [migrations.RunSQL(sql=NEVER_EMPTIED, reverse_sql=EMPTIED)]
