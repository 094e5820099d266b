"""The bank's further references of lines by which it took payments back.

The column's check would be made over all lines while nobody may write: the next migration looks at them.
"""

from django.db import migrations, models

import wallets.models.encrypted
from wallets.runtime.encryption import MARK

_CHECK = "wallets_statementline_originals_check"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0048_answers_that_a_bank_marks_validated")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField("statementline", "originals", models.TextField(blank=True, null=True)),
                migrations.RunSQL(
                    f"ALTER TABLE wallets_statementline ADD CONSTRAINT {_CHECK}"
                    f" CHECK (starts_with(originals, '{MARK}')) NOT VALID",
                    f"ALTER TABLE wallets_statementline DROP CONSTRAINT {_CHECK}",
                ),
            ],
            state_operations=[
                migrations.AddField(
                    "statementline", "originals", wallets.models.encrypted.EncryptedText(blank=True, null=True)
                ),
            ],
        ),
    ]
