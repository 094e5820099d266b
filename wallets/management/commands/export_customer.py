import sys
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from wallets.exceptions import DomainError
from wallets.management.persons import add_staff, find_customer, find_staff
from wallets.runtime.progress import make_console, make_progress
from wallets.services.exporting import MAY_EXPORT_CUSTOMERS, export_customer


class Command(BaseCommand):
    help = (
        "Write everything that we hold about a customer as JSON: the rows of every table that refers to them. Secrets"
        " are named, not shown. The export is recorded."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        add_staff(parser, help="the member of staff who exports it")
        parser.add_argument("--reason", required=True, help="why; it is kept")
        parser.add_argument("--output", type=Path, metavar="FILE", help="where to; without it, to the standard output")

    def handle(self, *_: Any, username: str, reason: str, output: Path | None, **options: Any) -> None:
        staff, customer = find_staff(MAY_EXPORT_CUSTOMERS, options=options), find_customer(username)
        if not reason.strip():
            raise CommandError("--reason must say why.")
        opened: Any = output.open("x") if output else nullcontext(self.stdout)
        with opened as file, make_progress(make_console(sys.stderr), width=40) as progress:
            task = progress.add_task("rows", total=None)

            def tell(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            try:
                for text in export_customer(customer=customer, by=staff, reason=reason.strip(), tell=tell):
                    _write(file, text)
            except DomainError as error:
                raise CommandError(str(error)) from error


def _write(file: IO[str], text: str) -> None:
    file.write(text)
