from typing import Any

from django.core.management.base import BaseCommand

from wallets.runtime.clock import database_now
from wallets.runtime.progress import make_console, make_progress
from wallets.services.erasing import erase_due, list_due


class Command(BaseCommand):
    help = (
        "Erase what is personal about customers whose accounts were closed RETENTION_YEARS ago, and destroy their keys."
        " A worker does the same every night. Safe to run again."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        console, now = make_console(self.stdout), database_now()
        with make_progress(console) as progress:
            task = progress.add_task("customers", total=len(list_due(now=now)))
            erased = erase_due(now=now, advance=lambda: progress.advance(task))
        console.print(f"{erased} customers were erased.")
