"""Imports statements of our bank accounts as batches. Nothing is credited before a statement is approved."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import BinaryIO, Final

from django.db import IntegrityError, transaction

from wallets.exceptions import StatementRefused
from wallets.models import Statement, StatementState, User
from wallets.runtime import failpoints, sql
from wallets.runtime.clock import database_now
from wallets.runtime.conflicts import retried_on_conflict
from wallets.services.our_accounts import our_account
from wallets.services.writing_lines import write_lines
from wallets.statements.camt import read_camt
from wallets.statements.lines import SIGNS, Head, Line, LineKind, StatementFile
from wallets.statements.sources import StatementSource
from wallets.statements.table import read_table

MOST_LINES: Final = 200_000
"""The largest number of lines of a statement, which are written in one database transaction."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that a member of staff gives to be imported. A file in CSV needs a `head`; one in camt.053 has its own.

    `tell` is called with the number of bytes read. The file is read twice.
    """

    file: BinaryIO
    name: str
    by: User
    head: Head | None = None
    tell: Callable[[int], object] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class ImportedStatement:
    """A statement, and whether this import wrote it or an earlier one."""

    statement: Statement
    is_new: bool


def import_statement(*, upload: Upload) -> ImportedStatement:
    """Write a statement and its lines, or find the statement that an earlier import of this file has written.

    The file is never in memory as a whole. Raises StatementRefused, Busy; then nothing is written.
    """
    today = database_now().date()
    survey = _survey(upload, today=today)
    if found := _find(survey):
        return ImportedStatement(statement=found, is_new=False)
    try:
        imported = _write(upload=upload, survey=survey, today=today)
    except IntegrityError as error:
        # Another process has imported this file, or another statement of this account, since it was looked for.
        if found := _find(survey):
            return ImportedStatement(statement=found, is_new=False)
        raise StatementRefused("Another statement of this account was imported at the same time.") from error
    failpoints.reach("statement.written")
    return imported


@dataclass(kw_only=True)
class _Survey:
    """A whole statement in figures."""

    head: Head
    sha256: str = ""
    credits: Decimal = Decimal(0)
    debits: Decimal = Decimal(0)
    days: tuple[date, date] | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, line: Line) -> None:
        self.counts[line.kind.value] += 1
        if self.counts.total() > MOST_LINES:
            raise StatementRefused(f"The statement has more than {MOST_LINES:,} lines. Ask for shorter statements.")
        sign = SIGNS.get(line.kind, 0)
        self.credits += line.amount if sign > 0 else 0
        self.debits += line.amount if sign < 0 else 0
        if line.kind is not LineKind.PENDING:
            first, last = self.days or (line.booked_on, line.booked_on)
            self.days = min(first, line.booked_on), max(last, line.booked_on)


def _survey(upload: Upload, *, today: date) -> _Survey:
    """Read the whole file once, and add up its lines. Raises StatementRefused."""
    source = StatementSource(upload.file, tell=upload.tell)
    found = _read(upload, source, today=today)
    survey = _Survey(head=_checked(found.head))
    for line in found.lines:
        survey.add(line)
    survey.sha256 = source.sha256()
    _ensure_that_it_adds_up(survey)
    return survey


def _read(upload: Upload, source: StatementSource, *, today: date) -> StatementFile:
    if upload.head is not None:
        return read_table(source, head=upload.head, today=today)
    return read_camt(source, today=today)


def _checked(head: Head) -> Head:
    return Head(account=our_account(head.account), opening=head.opening, closing=head.closing)


def _ensure_that_it_adds_up(survey: _Survey) -> None:
    head, found = survey.head, survey.head.opening + survey.credits - survey.debits
    if found != head.closing:
        raise StatementRefused(
            f"The statement does not add up: {head.opening:.2f} + {survey.credits:.2f} - {survey.debits:.2f}"
            f" is {found:.2f} USD, and it closes with {head.closing:.2f} USD."
        )


def _find(survey: _Survey) -> Statement | None:
    """Return the statement of this file and account. Files of two accounts may be equal: CSV names none."""
    found = Statement.objects.filter(account=survey.head.account, sha256=survey.sha256)
    return found.exclude(state=StatementState.REJECTED).first()


@retried_on_conflict
@transaction.atomic(durable=True)
def _write(*, upload: Upload, survey: _Survey, today: date) -> ImportedStatement:
    sql.fetch_one("wallets.wait_for_files")
    previous = lock_last_statement(account=survey.head.account)
    if found := _find(survey):  # another process was quicker
        return ImportedStatement(statement=found, is_new=False)
    _ensure_that_it_follows(survey, previous)
    statement = _add_statement(upload, survey, previous=previous)
    source = StatementSource(upload.file, tell=upload.tell)
    write_lines(statement=statement, lines=_read(upload, source, today=today).lines)
    if source.sha256() != survey.sha256:
        raise StatementRefused("The file was changed while it was read.")
    failpoints.reach("statement.lines_written")
    return ImportedStatement(statement=statement, is_new=True)


def _add_statement(upload: Upload, survey: _Survey, *, previous: Statement | None) -> Statement:
    inherited = previous.last_day if previous else None
    return Statement.objects.create(
        account=survey.head.account,
        previous=previous,
        file_name=upload.name[:100],
        sha256=survey.sha256,
        opening=survey.head.opening,
        credits=survey.credits,
        debits=survey.debits,
        closing=survey.head.closing,
        last_day=survey.days[1] if survey.days else inherited,
        counts=dict(survey.counts),
        imported_by=upload.by,
        imported_at=database_now(),
    )


def lock_last_statement(*, account: str) -> Statement | None:
    """Lock and return the last statement of an account that was not rejected.

    Until the end of the database transaction nobody rejects it, and no other one of the account is imported.
    """
    in_force = Statement.objects.filter(account=account).exclude(state=StatementState.REJECTED)
    return in_force.select_for_update(no_key=True).order_by("-id").first()


def _ensure_that_it_follows(survey: _Survey, previous: Statement | None) -> None:
    if previous is None:
        return
    if survey.head.opening != previous.closing:
        raise StatementRefused(
            f"The statement opens with {survey.head.opening:.2f} USD, and the last one of this account"
            f" ({previous.file_name}) closed with {previous.closing:.2f} USD."
        )
    if survey.days and previous.last_day and survey.days[0] < previous.last_day:
        raise StatementRefused(f"The statement begins on {survey.days[0]}, before the last one ended.")
