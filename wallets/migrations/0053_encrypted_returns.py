"""What banks and staff say about returns is encrypted; they are found by a hash of their reference.

Returns came with this release, so the previous one neither reads nor writes their table.
"""

from django.db import migrations, models

import wallets.models.encrypted
import wallets.models.searchable
from wallets.models.keys import forget_stored_keys, make_stored_keys
from wallets.runtime.encryption import decrypt, encrypt

_AT_ONCE = 500
_TEXTS = ("reference", "named", "note")


def _encrypt_all(apps, schema_editor):
    make_stored_keys(using=schema_editor.connection.alias, model=apps.get_model("wallets", "StoredKey"))
    _rewrite(apps, schema_editor, _encrypt_row, (*_TEXTS, "reference_hash"))
    forget_stored_keys()  # this database transaction may roll back


def _decrypt_all(apps, schema_editor):
    _rewrite(apps, schema_editor, _decrypt_row, _TEXTS)


def _encrypt_row(row):
    row.reference_hash = row.reference  # the field hashes it
    for name in _TEXTS:
        setattr(row, name, encrypt(getattr(row, name)))


def _decrypt_row(row):
    for name in _TEXTS:
        setattr(row, name, decrypt(getattr(row, name)))


def _rewrite(apps, schema_editor, change, columns):
    rows = apps.get_model("wallets", "Return")._base_manager.using(schema_editor.connection.alias).order_by("pk")
    piece = list(rows[:_AT_ONCE])
    while piece:
        for row in piece:
            change(row)
        rows.model._base_manager.using(schema_editor.connection.alias).bulk_update(piece, columns)
        piece = list(rows.filter(pk__gt=piece[-1].pk)[:_AT_ONCE])


_SEARCHABLE = wallets.models.searchable.SearchableText
_HASHED = wallets.models.searchable.HashedText
_TEXT = wallets.models.encrypted.EncryptedText


class Migration(migrations.Migration):
    dependencies = [("wallets", "0052_permission_to_export_customers")]

    operations = [
        migrations.RemoveConstraint("return", "each_return_is_taken_once"),
        migrations.RemoveConstraint("return", "a_return_names_its_source_and_reference"),
        migrations.AddField("return", "reference_hash", _HASHED(null=True, of="reference")),
        *(migrations.AlterField("return", name, models.TextField(blank=True)) for name in _TEXTS),
        migrations.RunPython(_encrypt_all, _decrypt_all),
        migrations.AlterField("return", "reference_hash", _HASHED(of="reference")),
        migrations.AlterField("return", "reference", _SEARCHABLE()),
        *(migrations.AlterField("return", name, _TEXT(blank=True)) for name in ("named", "note")),
        migrations.AddConstraint(
            "return", models.UniqueConstraint(fields=("reference_hash", "source"), name="each_return_is_taken_once")
        ),
        migrations.AddConstraint(
            "return",
            models.CheckConstraint(condition=models.Q(("source", ""), _negated=True), name="a_return_names_its_source"),
        ),
    ]
