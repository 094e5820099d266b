"""What banks say about payouts is encrypted, as it is in the lines of their statements.

Payouts came with this release, so the previous one neither reads nor writes their table.
"""

import wallets.models.encrypted
from django.db import migrations, models
from wallets.runtime.encryption import decrypt, encrypt

_AT_ONCE = 500
_TEXTS = ("bank_reference", "reason")
_WHY = "Why it was rejected, failed or came back."


def _encrypt_all(apps, schema_editor):
    _rewrite(apps, schema_editor, encrypt)


def _decrypt_all(apps, schema_editor):
    _rewrite(apps, schema_editor, decrypt)


def _rewrite(apps, schema_editor, change):
    rows = apps.get_model("wallets", "Payout")._base_manager.using(schema_editor.connection.alias).order_by("pk")
    piece = list(rows[:_AT_ONCE])
    while piece:
        for row in piece:
            for name in _TEXTS:
                setattr(row, name, change(getattr(row, name)))
        rows.bulk_update(piece, _TEXTS)
        piece = list(rows.filter(pk__gt=piece[-1].pk)[:_AT_ONCE])


_TEXT = wallets.models.encrypted.EncryptedText


class Migration(migrations.Migration):
    dependencies = [("wallets", "0057_one_wallet_per_venue")]

    operations = [
        migrations.AlterField("payout", "bank_reference", models.TextField(blank=True)),
        migrations.AlterField("payout", "reason", models.TextField(blank=True, help_text=_WHY)),
        migrations.RunPython(_encrypt_all, _decrypt_all),
        migrations.AlterField("payout", "bank_reference", _TEXT(blank=True)),
        migrations.AlterField("payout", "reason", _TEXT(blank=True, help_text=_WHY)),
    ]
