"""Log in to Postgres as the owner, for the commands that need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, connections


def has_owner(*, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Say whether the configuration names an owner beside the application's role."""
    return bool(settings.POSTGRES.owner_user) and settings.POSTGRES.owner_user != settings.DATABASES[using]["USER"]


@contextmanager
def as_owner(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Let this thread's connection log in as the owner inside the `with` block, if the configuration names one."""
    connection, owner = connections[using], settings.POSTGRES
    before = connection.settings_dict
    if not has_owner(using=using) or before["USER"] == owner.owner_user:
        yield
        return
    assert not connection.in_atomic_block, "another role cannot continue a database transaction"
    connection.close()
    connection.settings_dict = {**unpooled(before), "USER": owner.owner_user, "PASSWORD": owner.owner_password}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before


def unpooled(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a database without its pool, which belongs to the application's role and starts threads."""
    options = {name: value for name, value in parameters["OPTIONS"].items() if name != "pool"}
    return {**parameters, "OPTIONS": options}


class OwnerCommand(BaseCommand):
    """A command that runs as the owner. Put it before a command of Django's to run that one so."""

    def execute(self, *args: Any, **options: Any) -> Any:
        with as_owner(using=options.get("database") or DEFAULT_DB_ALIAS):
            return super().execute(*args, **options)
