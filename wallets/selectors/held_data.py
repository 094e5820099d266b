"""Finds everything that the database holds about a customer, by looking at every table.

No list of tables is kept here: a new table that refers to users is found by its foreign keys, and one that hangs on
such a table by those. Rows of JSON are found by the names under which our code writes users' ids.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import ForeignKey, JSONField, Model, Q

from wallets.models import User
from wallets.selectors.sealed import open_text

_OWNERS: Final = frozenset({"user", "customer", "owner", "beneficiary"})
"""Names of foreign keys that say whose a row is. Others, such as `decided_by`, say who did something to it.

Such a row is about somebody else, so only its key and the names of these columns are held data.
"""

_NAMES_IN_JSON: Final = ("customer", "customer_id", "user", "user_id", "owner", "owner_id", "beneficiary")

_SECRET: Final = re.compile(r"password|secret|digest|hash|jti|token$|^key$")
NOT_SHOWN: Final = "(held, not shown)"

NOT_SEARCHED: Final = {
    "django_session": "sign-ins of staff to the admin, signed, for hours",
    "the queue of jobs": "e-mails that wait to be sent, encrypted, for minutes",
    "wallets_securityevent.name_hash": "hashes of names that no account has",
    "wallets_payoutfile.content": "names and accounts of payees, in files for our bank with those of other customers",
    "Redis": "counters of calls, for an hour at most, and nothing that names somebody but ids and addresses",
    "logs": "ids, usernames and addresses, for as long as the operator keeps logs",
}
"""Where else something about a customer may be for a while, and what."""


@dataclass(frozen=True, kw_only=True)
class HeldTable:
    """A table with rows about a customer, and with rows to which they have done something.

    Of the latter, `deeds` names the columns that say so.
    """

    model: type[Model]
    user: User
    condition: Q
    deeds: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the table."""
        return str(self.model._meta.db_table)  # noqa: SLF001  the documented way

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._rows().count() + self._acted_on().count())

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the rows, without the values of secrets, some at a time."""
        names = [field.attname for field in self.model._meta.concrete_fields]  # noqa: SLF001  the documented way
        for row in self._rows().order_by("pk").iterator(chunk_size=2000):
            yield {name: _shown(name, getattr(row, name)) for name in names}
        for row in self._acted_on().order_by("pk").values("pk", *self.deeds).iterator(chunk_size=2000):
            yield {name: value for name, value in row.items() if name == "pk" or value == self.user.pk}

    def _rows(self) -> Any:
        rows = self.model._base_manager  # noqa: SLF001  finds all rows
        return rows.filter(self.condition) if self.condition else rows.none()

    def _acted_on(self) -> Any:
        """Return the rows of others to which the customer has done something."""
        rows = self.model._base_manager  # noqa: SLF001  finds all rows
        acted = Q()
        for name in self.deeds:
            acted |= Q(**{name: self.user})
        if not acted:
            return rows.none()
        own = self._rows().values("pk") if self.condition else rows.none().values("pk")
        return rows.filter(acted).exclude(pk__in=own)


def list_held_tables(*, user: User) -> list[HeldTable]:
    """Return the tables that refer to the user in a column, directly or through one that is theirs."""
    every = apps.get_models(include_auto_created=True)
    stored = [model for model in every if model._meta.managed and not model._meta.proxy]  # noqa: SLF001  the documented way
    found = [
        HeldTable(model=model, user=user, condition=_condition(model, user), deeds=_deeds_of(model)) for model in stored
    ]
    return [table for table in found if table.condition or table.deeds]


def is_secret(name: str) -> bool:
    """Say whether a column of this name holds what only the customer may know, or what stands for it."""
    return bool(_SECRET.search(name))


def _condition(model: type[Model], user: User) -> Q:
    if model is User:
        return Q(pk=user.pk)
    condition = Q()
    for field in _foreign_keys(model):
        if field.related_model is User:
            if field.name in _owners_of(model):
                condition |= Q(**{field.name: user})
        else:
            for owner in _owners_of(field.related_model):
                condition |= Q(**{f"{field.name}__{owner}": user})
    for field in model._meta.concrete_fields:  # noqa: SLF001  the documented way
        if isinstance(field, JSONField):
            for name in _NAMES_IN_JSON:
                condition |= Q(**{f"{field.name}__{name}": user.pk})
    if model is LogEntry:
        condition |= Q(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    return condition


def _owners_of(model: Any) -> list[str]:
    return [name for name in _names_of_users(model) if name in _OWNERS and model is not LogEntry]


def _deeds_of(model: Any) -> tuple[str, ...]:
    """Return the columns that say who did something to a row, as `user` does in the history of the admin."""
    return tuple(name for name in _names_of_users(model) if name not in _owners_of(model))


def _names_of_users(model: Any) -> list[str]:
    return [field.name for field in _foreign_keys(model) if field.related_model is User]


def _foreign_keys(model: Any) -> list[Any]:
    return [field for field in model._meta.concrete_fields if isinstance(field, ForeignKey)]  # noqa: SLF001  the documented way


def _shown(name: str, value: Any) -> Any:
    if is_secret(name) and value is not None and value != "":
        return NOT_SHOWN
    if isinstance(value, dict):
        return {key: _shown(key, each) for key, each in value.items()}
    return open_text(text=value) if isinstance(value, str) else value
