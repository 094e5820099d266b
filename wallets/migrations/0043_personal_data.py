"""Keys for hashes and of customers, closed accounts; what banks say about payers is encrypted.

Deposits and statements came with this release, so the previous one neither reads nor writes their tables.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import wallets.models.encrypted
import wallets.models.searchable
from wallets.models.keys import forget_stored_keys, hash_text, make_stored_keys
from wallets.runtime.encryption import decrypt, encrypt

_AT_ONCE = 500
_ENCRYPTED = {"Deposit": ("reference", "note"), "StatementLine": ("reference", "counterparty", "text")}


def _encrypt_all(apps, schema_editor):
    alias = schema_editor.connection.alias
    make_stored_keys(using=alias, model=apps.get_model("wallets", "StoredKey"))
    for model, columns in _ENCRYPTED.items():
        _rewrite(apps.get_model("wallets", model), alias, [*columns, "reference_hash"], _encrypt_row)
    _rewrite(apps.get_model("wallets", "StatementLine"), alias, ["key"], _hash_key)
    forget_stored_keys()  # this database transaction may roll back


def _decrypt_all(apps, schema_editor):
    for model, columns in _ENCRYPTED.items():
        _rewrite(apps.get_model("wallets", model), schema_editor.connection.alias, columns, _decrypt_row)


def _encrypt_row(row, columns):
    row.reference_hash = row.reference  # the field hashes it
    for name in columns:
        if name != "reference_hash":
            setattr(row, name, encrypt(getattr(row, name)))


def _hash_key(row, _):
    row.key = hash_text(row.key)


def _decrypt_row(row, columns):
    for name in columns:
        setattr(row, name, decrypt(getattr(row, name)))


def _rewrite(model, alias, columns, change):
    rows = model._base_manager.using(alias).order_by("pk")
    piece = list(rows[:_AT_ONCE])
    while piece:
        for row in piece:
            change(row, columns)
        model._base_manager.using(alias).bulk_update(piece, columns)
        piece = list(rows.filter(pk__gt=piece[-1].pk)[:_AT_ONCE])


_SEARCHABLE = wallets.models.searchable.SearchableText
_HASHED = wallets.models.searchable.HashedText
_TEXT = wallets.models.encrypted.EncryptedText


class Migration(migrations.Migration):
    dependencies = [("wallets", "0042_addresses_of_staff")]

    operations = [
        migrations.CreateModel(
            name="StoredKey",
            fields=[
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("key", _TEXT()),
            ],
        ),
        migrations.CreateModel(
            name="PersonalKey",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="personal_key",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("key", _TEXT(blank=True, null=True)),
                ("destroyed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("destroyed_at", None), ("key__isnull", False))
                        | models.Q(("destroyed_at__isnull", False), ("key__isnull", True)),
                        name="a_personal_key_is_there_or_destroyed",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosedAccount",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="closed",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("closed_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=500)),
                ("erased_at", models.DateTimeField(blank=True, null=True)),
                (
                    "closed_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("erased_at", None)), fields=["closed_at"], name="closed_and_not_erased"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="an_account_is_closed_for_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("closed_by", models.F("customer")), _negated=True),
                        name="nobody_closes_their_own_account",
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint("deposit", "each_deposit_is_received_once"),
        migrations.RemoveConstraint("deposit", "a_deposit_names_its_source_and_reference"),
        migrations.RemoveIndex("statementline", "lines_by_key"),
        *(
            operation
            for model, columns in _ENCRYPTED.items()
            for operation in (
                migrations.AddField(model, "reference_hash", _HASHED(null=True, of="reference")),
                *(migrations.AlterField(model, name, models.TextField(blank=True)) for name in columns),
            )
        ),
        migrations.RunPython(_encrypt_all, _decrypt_all),
        *(
            operation
            for model, columns in _ENCRYPTED.items()
            for operation in (
                migrations.AlterField(model, "reference_hash", _HASHED(of="reference")),
                migrations.AlterField(model, "reference", _SEARCHABLE()),
                *(migrations.AlterField(model, name, _TEXT(blank=True)) for name in columns if name != "reference"),
            )
        ),
        migrations.AlterField("statementline", "key", _HASHED()),
        migrations.AddConstraint(
            "deposit",
            models.UniqueConstraint(fields=("reference_hash", "source"), name="each_deposit_is_received_once"),
        ),
        migrations.AddConstraint(
            "deposit",
            models.CheckConstraint(
                condition=models.Q(("source", ""), _negated=True), name="a_deposit_names_its_source"
            ),
        ),
        migrations.AddIndex("statementline", models.Index(fields=["key"], name="lines_by_key")),
    ]
