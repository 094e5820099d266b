"""A column whose texts are encrypted at rest."""

from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from wallets.runtime.encryption import MARK, decrypt, encrypt


class EncryptedText(models.TextField):  # type: ignore[type-arg]  # of texts
    """A text that is encrypted in the database, and readable in Python. Reading may raise Undecryptable.

    The database refuses texts that are not encrypted. No query can compare them, because two tokens of one text differ.
    `manage.py rotate_keys` finds every column of this type.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return None if text is None else encrypt(text)

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return None if value is None else decrypt(value)

    def db_check(self, connection: BaseDatabaseWrapper) -> str:
        """Return the column's check, which migrations write into its table."""
        assert self.column is not None, "a field of a model has a column"
        return f"starts_with({connection.ops.quote_name(self.column)}, '{MARK}')"

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted, so no query can compare it.")
        return super().get_lookup(lookup_name)
