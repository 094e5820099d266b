"""Encrypts stored texts again by the newest key, so that older keys can be given up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.models import F, TextField, Value
from django.db.models.functions import Cast

from wallets.models.encrypted import EncryptedText
from wallets.runtime.encryption import encrypt_again, is_by_newest_key

_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class EncryptedColumn:
    """A column of encrypted texts, and the number of texts in it."""

    model: type[models.Model]
    name: str
    count: int

    def __str__(self) -> str:
        return f"{self.model._meta.db_table}.{self.name}"  # noqa: SLF001  Django's own name for it


def list_encrypted_columns() -> list[EncryptedColumn]:
    """List the columns with encrypted texts of all apps."""
    return [
        EncryptedColumn(model=model, name=field.name, count=_texts_of(model, field.name).count())
        for model in apps.get_models()
        for field in model._meta.local_fields  # noqa: SLF001  Django's own name for it
        if isinstance(field, EncryptedText)
    ]


def rotate_column(*, column: EncryptedColumn, advance: Callable[[], None] = lambda: None) -> int:
    """Encrypt the texts of a column again unless the newest key has made them, and return the number of those.

    Safe to run again, and while the column is written: a text that changes meanwhile keeps its new value. Calls
    `advance` for each text. Raises Undecryptable; the texts before that one are done.
    """
    done = 0
    for pk, token in _read_tokens(column):
        if not is_by_newest_key(token):
            done += _replace(column, pk=pk, old=token, new=encrypt_again(token))
        advance()
    return done


def _read_tokens(column: EncryptedColumn) -> Iterator[tuple[Any, str]]:
    """Yield the keys and tokens of a column's rows, as they are stored, in pieces: rows may be added meanwhile."""
    texts = _texts_of(column.model, column.name).order_by("pk")
    piece = list(texts[:_AT_ONCE])
    while piece:
        yield from piece
        piece = list(texts.filter(pk__gt=piece[-1][0])[:_AT_ONCE])


def _texts_of(model: type[models.Model], name: str) -> Any:
    stored = model._base_manager.annotate(token=Cast(F(name), TextField()))  # noqa: SLF001  finds all rows
    return stored.filter(token__isnull=False).values_list("pk", "token")


def _replace(column: EncryptedColumn, *, pk: Any, old: str, new: str) -> int:
    row = _texts_of(column.model, column.name).filter(pk=pk, token=old)
    return int(row.update(**{column.name: Value(new, TextField())}))
