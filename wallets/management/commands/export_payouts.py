import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from wallets.exceptions import DomainError
from wallets.management.persons import add_staff, find_staff
from wallets.models import PayoutFile, User
from wallets.runtime.progress import make_console, make_progress
from wallets.services.payouts.exporting import export_payouts, find_file, hand_out

_MODE = 0o600


class Command(BaseCommand):
    help = (
        "Write the approved payouts to files for our bank (pain.001.001.09), and count them as sent. Safe to run again:"
        " a file that was made and not written is written with the same bytes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files are written")
        add_staff(parser, help="the member of staff who exports")
        parser.add_argument("--again", metavar="MESSAGE_ID", help="write the same bytes of this earlier file again")

    def handle(self, *_: Any, **options: Any) -> None:
        console = make_console(self.stdout)
        by = find_staff(options=options, kind="payout")
        folder = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder.")
        try:
            _export(folder, by=by, again=options["again"], console=console)
        except DomainError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"A file cannot be written: {error.strerror}. Run the command again.") from error


def _export(folder: Path, *, by: User, again: str | None, console: Console) -> None:
    if again:
        _write([find_file(message_id=again, by=by)], folder, by=by, console=console)
        return
    export = export_payouts(by=by)
    for payout, reason in export.held.items():
        console.print(f"Not exported: {payout}: {reason}")
    if not export.files:
        console.print("There is no payout to export.")
    _write(export.files, folder, by=by, console=console)


def _write(files: Iterable[PayoutFile], folder: Path, *, by: User, console: Console) -> None:
    with make_progress(console) as progress:
        for file in progress.track(list(files), description="files"):
            hand_out(file=file, by=by, write=lambda name, content: _replace(folder / name, content))
            console.print(f"{folder / file.message_id}.xml: {file.count} payouts, {file.total:,.2f} USD")


def _replace(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, at once as a whole and for good."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".payouts-", delete=False) as file:
        try:
            os.fchmod(file.fileno(), _MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)  # noqa: PTH105  Path.replace needs the name again
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
