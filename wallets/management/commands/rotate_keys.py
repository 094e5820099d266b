from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wallets.runtime.encryption import Undecryptable
from wallets.runtime.progress import make_console, make_progress
from wallets.services.rotating import list_encrypted_columns, rotate_column


class Command(BaseCommand):
    help = (
        "Encrypt everything that is encrypted at rest again by the first key of ENCRYPTION_KEYS. After that the other"
        " keys are needed for backups only. Safe to run again, and while the service runs."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        console = make_console(self.stdout)
        columns = list_encrypted_columns()
        done = 0
        with make_progress(console, width=40) as progress:
            for column in columns:
                task = progress.add_task(str(column), total=column.count)
                try:
                    done += rotate_column(column=column, advance=lambda task=task: progress.advance(task))  # type: ignore[misc]
                except Undecryptable as error:
                    raise CommandError(f"{column}: {error}") from error
        count = sum(column.count for column in columns)
        console.print(f"{done} of {count} texts were encrypted again. All are by the first key now.")
