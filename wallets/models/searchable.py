"""Columns of texts that are not readable in the database, and can be searched for a whole text."""

from collections.abc import Iterable
from typing import Any, Final

from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import In

from wallets.models.encrypted import EncryptedText
from wallets.models.keys import hash_plainly, hash_text

_LONGEST: Final = 64


class Hashed(str):
    """A hash as the database holds it, which is not hashed again."""

    __slots__ = ()


class HashedText(models.CharField):  # type: ignore[type-arg]  # of texts
    """The keyed hash of a text. Whatever text is saved or compared is hashed; what is read is the hash.

    With `of`, it is the hash of another field's text, and is computed when a row is added or saved.
    """

    def __init__(self, *args: Any, of: str = "", **options: Any) -> None:
        super().__init__(*args, **{"max_length": _LONGEST, "editable": False, **options})
        self._of = of

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, **({"of": self._of} if self._of else {})}

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  Django's signature
        if self._of:
            setattr(model_instance, self.attname, getattr(model_instance, self._of))
        return super().pre_save(model_instance, add)

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text if text is None or isinstance(text, Hashed) else hash_text(text)

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Hashed) else super().to_python(value)

    def from_db_value(self, value: str | None, *_: Any) -> Hashed | None:
        return None if value is None else Hashed(value)


class SearchableText(EncryptedText):
    """An encrypted text with its hash beside it, in a HashedText named `…_hash`: queries may ask for equal texts."""

    def get_lookup(self, lookup_name: str) -> Any:
        return _LOOKUPS.get(lookup_name) or super().get_lookup(lookup_name)


def _hash_beside(column: Any) -> Col:
    """Return the column with the hashes of an encrypted column's texts."""
    beside = column.target.model._meta.get_field(f"{column.target.name}_hash")  # noqa: SLF001  the documented way
    return Col(column.alias, beside)


class _OneOfTexts(In):
    def __init__(self, lhs: Any, rhs: Iterable[str]) -> None:
        texts = list(rhs)
        super().__init__(_hash_beside(lhs), [*texts, *(Hashed(hash_plainly(text)) for text in texts)])


class _SameText(_OneOfTexts):
    def __init__(self, lhs: Any, rhs: str) -> None:
        super().__init__(lhs, [rhs])


_LOOKUPS: Final[dict[str, Any]] = {"exact": _SameText, "in": _OneOfTexts}
