"""Migrate the database of a stack, and say how far that is."""

import time
from collections.abc import Callable
from typing import Any, Final

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import pre_migrate

from exchange_site.management.commands import migrate as command

_STARTED: Final = time.monotonic()

OnProgress = Callable[[int, int], None]


def migrate(*, on_progress: OnProgress) -> None:
    """Run `migrate`; call `on_progress` with the number of applied migrations and of all that are to be applied."""
    counted = _Counted(on_progress)
    receiver = counted.begin
    pre_migrate.connect(receiver, sender=apps.get_app_config("settlement"))
    try:
        call_command(counted, verbosity=0)
    finally:
        pre_migrate.disconnect(receiver, sender=apps.get_app_config("settlement"))


class _Counted(command.Command):
    """The command, which counts."""

    def __init__(self, on_progress: OnProgress) -> None:
        super().__init__()
        self._on_progress = on_progress
        self._done = self._total = 0

    def begin(self, *, plan: list[Any], **_: Any) -> None:
        """Learn how many migrations are to be applied: a receiver of pre_migrate."""
        self._total = len(plan)

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:  # noqa: FBT001, FBT002  Django's
        """Count a migration that has been applied."""
        if action == "apply_success":
            self._done += 1
            self._on_progress(self._done, self._total)


def count_new_workers() -> int:
    """Return how many workers have registered themselves since this process has been started."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)",
            [time.monotonic() - _STARTED],
        )
        found: int = cursor.fetchone()[0]
        return found
