"""Writes the lines of an imported statement, each with the reference of its deposit and with its customer."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from wallets.exceptions import StatementRefused
from wallets.models import Statement, StatementLine
from wallets.selectors.payers import match_payers
from wallets.services.line_names import LONGEST_NAME, LineName, LineNames
from wallets.services.sealing import seal_lines
from wallets.statements.lines import LONGEST_TEXT, SEPARATOR, SEVERAL, Line, LineKind, key_of, named_payouts

_AT_ONCE: Final = 500


def write_lines(*, statement: Statement, lines: Iterator[Line]) -> None:
    """Write the booked lines, in the caller's database transaction. Raises StatementRefused for lines of the file, and
    for a statement all of whose lines were imported before.
    """
    names = LineNames(statement=statement)
    number = 0
    while some := list(islice(lines, _AT_ONCE)):
        booked = [line for line in some if line.kind is not LineKind.PENDING]
        rows = _rows(statement, booked, names)
        seal_lines(lines=[row for row in rows if row.customer_id])
        for row in rows:
            number += 1
            row.number = number
        StatementLine.objects.bulk_create(rows)
    if names.total and names.total == names.known and statement.opening == statement.closing:
        raise StatementRefused("All lines of this statement were imported before.")


def _rows(statement: Statement, lines: list[Line], names: LineNames) -> list[StatementLine]:
    credits_ = [line for line in lines if line.kind is LineKind.CREDIT]
    named = names.name_all(credits_, match_payers(lines=credits_))
    return [
        _credit(statement, line, next(named))
        if line.kind is LineKind.CREDIT
        else _row(statement, line, reference=key_of(line))
        for line in lines
    ]


def _credit(statement: Statement, line: Line, name: LineName) -> StatementLine:
    row = _row(statement, line, reference=name.reference)
    row.customer_id, row.remark = name.customer_id, name.remark
    return row


def _row(statement: Statement, line: Line, *, reference: str) -> StatementLine:
    text = SEPARATOR.join(line.texts)
    payouts = named_payouts(text)
    return StatementLine(
        statement=statement,
        kind=line.kind.value,
        amount=line.amount,
        booked_on=line.booked_on,
        key=key_of(line),
        reference=reference,
        counterparty=line.counterparty[:LONGEST_NAME],
        text=text[:LONGEST_TEXT],
        originals=SEPARATOR.join(line.originals) or None,
        end_to_end_id=payouts.pop() if len(payouts) == 1 else SEVERAL if payouts else "",
        remark=line.remark,
    )
