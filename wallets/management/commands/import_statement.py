import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from wallets.exceptions import DomainError
from wallets.management.persons import add_staff, find_staff
from wallets.models import Statement, StatementState, User
from wallets.money import USD_PLACES, exact, parse_decimal
from wallets.runtime.progress import make_console, make_progress
from wallets.selectors.statements import Summary, summarise_statement
from wallets.services.crediting_statements import credit_statement
from wallets.services.deposit_kinds import IMPORT, ask_to_credit
from wallets.services.importing import ImportedStatement, Upload, import_statement
from wallets.statements.lines import Head, LineKind

_SHOWN: Final = 20


class Command(BaseCommand):
    help = (
        "Import a statement of one of our bank accounts, in camt.053 (ISO 20022) or CSV, so that its credits become"
        " deposits. Where a second person has to approve it, it waits for that. Safe to run again with the same file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        add_staff(parser, help="the member of staff who imports it")
        parser.add_argument("--account", help="of a CSV file: our account's IBAN or number")
        parser.add_argument("--opening", metavar="USD", help="of a CSV file: the balance before its first row")
        parser.add_argument("--closing", metavar="USD", help="of a CSV file: the balance after its last row")

    def handle(self, *_: Any, **options: Any) -> None:
        console = make_console(self.stdout)
        by = find_staff(*IMPORT.permissions, options=options, kind=IMPORT.name)
        try:
            imported = _import(options["file"], by=by, head=_head(options), console=console)
            _credit(imported.statement, by=by, console=console)
        except DomainError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from error
        imported.statement.refresh_from_db()
        _report(console, imported)


def _head(options: dict[str, Any]) -> Head | None:
    """Return what the options say about a CSV file, or None for a file in camt.053. Raises CommandError."""
    given = {name: options[name] for name in ("account", "opening", "closing")}
    if not any(value is not None for value in given.values()):
        return None
    if any(value is None for value in given.values()):
        raise CommandError("A CSV file needs --account, --opening and --closing.")
    try:
        opening, closing = (exact(parse_decimal(given[name]), places=USD_PLACES) for name in ("opening", "closing"))
    except ValueError as error:
        raise CommandError(f"--opening and --closing: an amount {error}.") from error
    return Head(account=given["account"], opening=opening, closing=closing)


def _import(path: Path, *, by: User, head: Head | None, console: Console) -> ImportedStatement:
    with path.open("rb") as file, make_progress(console) as progress:
        if head is None and not re.match(rb"\s*<", file.read(4096).removeprefix(b"\xef\xbb\xbf")):
            raise CommandError("A CSV file needs --account, --opening and --closing.")
        task = progress.add_task("bytes", total=2 * path.stat().st_size)
        tell = _advance(progress, task)
        return import_statement(upload=Upload(file=file, name=path.name, by=by, head=head, tell=tell))


def _credit(statement: Statement, *, by: User, console: Console) -> None:
    """Ask to credit a statement, and credit it if it is approved: one person may suffice."""
    ask_to_credit(statement_id=statement.pk, asked_by=by, reason=f"imported from {statement.file_name}")
    with make_progress(console) as progress:
        count = sum(statement.counts.get(kind, 0) for kind in (LineKind.CREDIT.value, LineKind.TAKEN_BACK.value))
        task = progress.add_task("lines", total=count)
        credit_statement(statement_id=statement.pk, tell=_advance(progress, task))


def _advance(progress: Any, task: Any) -> Any:
    return lambda count: progress.advance(task, count)


def _report(console: Console, imported: ImportedStatement) -> None:
    statement = imported.statement
    summary = summarise_statement(statement_id=statement.pk)
    console.print(_table(statement, summary))
    for line in summary.of_nobody[:_SHOWN]:
        console.print(f"Of nobody: {line.amount} USD of {line.booked_on}, {line.reference}: {line.remark}.")
    if len(summary.of_nobody) > _SHOWN:
        console.print(f"… and {len(summary.of_nobody) - _SHOWN} more of nobody.")
    if not imported.is_new:
        console.print(f"This file was imported before, as {statement}.")
    if statement.state == StatementState.WAITING:
        console.print(f"{statement} waits until another member of staff approves it in the admin, under Proposals.")


def _table(statement: Statement, summary: Summary) -> Table:
    table = Table("lines", "number", "USD", title=f"{statement}: {statement.get_state_display()}")
    for title, count, amount in summary.rows:
        table.add_row(title, str(count), f"{amount:,.2f}")
    return table
