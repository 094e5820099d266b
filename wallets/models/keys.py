"""Keys that the database holds, each encrypted by ENCRYPTION_KEYS: one for hashes, and one for each customer."""

import base64
import hashlib
import hmac
import secrets
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Q

from wallets.models.accounts import User
from wallets.models.encrypted import EncryptedText

_KEY_BYTES: Final = 32
_HASHES: Final = "hashes"
_TEXTS: Final = "texts"  # in rows that never change, about nobody known


class StoredKey(models.Model):
    """A key of the installation that never changes, whichever keys encrypt it."""

    name = models.CharField(primary_key=True, max_length=20)
    key = EncryptedText()

    def __str__(self) -> str:
        return self.name


class PersonalKey(models.Model):
    """The key of what is kept about a customer in rows that stay: to destroy it makes that unreadable for good.

    Without a key nothing more is encrypted for the customer.
    """

    customer = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="personal_key")
    key = EncryptedText(null=True, blank=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(key__isnull=False, destroyed_at=None) | Q(key__isnull=True, destroyed_at__isnull=False),
                name="a_personal_key_is_there_or_destroyed",
            ),
        ]

    def __str__(self) -> str:
        return f"key of customer {self.customer_id}"


def make_key() -> str:
    """Return a new random key, in the form that Fernet takes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def make_stored_keys(*, using: str = DEFAULT_DB_ALIAS, model: type[models.Model] = StoredKey) -> None:
    """Make the keys of the installation that are not there yet."""
    rows: Any = model._base_manager.using(using)  # noqa: SLF001  public in fact
    there = set(rows.values_list("pk", flat=True))
    missing = [name for name in (_HASHES, _TEXTS) if name not in there]
    rows.bulk_create([model(name=name, key=make_key()) for name in missing], ignore_conflicts=True)


def make_stored_keys_after_migrate(*, using: str, **_: Any) -> None:
    """Make the keys after `migrate`, unless it has undone their table: a receiver of post_migrate."""
    forget_stored_keys()
    if StoredKey._meta.db_table in connections[using].introspection.table_names():  # noqa: SLF001  the documented way
        make_stored_keys(using=using)


_known: Final[dict[str, str]] = {}


def forget_stored_keys() -> None:
    """Read the keys again when they are needed next."""
    _known.clear()


def hash_plainly(text: str) -> str:
    """Return a hash without a key, of a text that tells nothing: our own random references. No query, and no key."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_text(text: str) -> str:
    """Return the keyed hash of a text (HMAC with SHA-256), by which equal texts can be found. At most one query.

    A copy of the database does not suffice to try texts: the key is encrypted by those in the environment.
    """
    return hmac.new(_stored_key(_HASHES).encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def key_of_texts() -> str:
    """Return the key for texts about nobody known, in rows that never change. At most one query."""
    return _stored_key(_TEXTS)


def _stored_key(name: str) -> str:
    if name not in _known:
        _known[name] = StoredKey.objects.get(pk=name).key
    return _known[name]
