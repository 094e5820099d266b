"""Validates the check of the migration before. No writer is locked out."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0049_references_of_returned_payments")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE wallets_statementline VALIDATE CONSTRAINT wallets_statementline_originals_check",
            migrations.RunSQL.noop,
        ),
    ]
