"""Statements in CSV: comma-separated, in UTF-8, with the columns below in any order.

`date,amount,currency,reference,counterparty,text,status`. An amount below zero is a debit. `status` is `booked`,
`pending` or `reversal`, and may be left out. The account and its balances do not fit into such a file, so the caller
gives them.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from wallets.exceptions import StatementRefused
from wallets.statements.lines import (
    Head,
    Line,
    LineKind,
    StatementFile,
    amount_of,
    day_of,
    printable,
    reference_of,
)
from wallets.statements.sources import StatementSource

_REQUIRED: Final = ("date", "amount", "currency", "reference", "counterparty", "text")
_OPTIONAL: Final = ("status",)
_KINDS: Final = {
    ("booked", True): LineKind.CREDIT,
    ("booked", False): LineKind.DEBIT,
    ("reversal", True): LineKind.GIVEN_BACK,
    ("reversal", False): LineKind.TAKEN_BACK,
}


def read_table(source: StatementSource, *, head: Head, today: date) -> StatementFile:
    """Read the header of a statement whose account and balances are `head`.

    Raises StatementRefused, also while the lines are read.
    """
    rows = _rows(source)
    columns = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in _REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in {*_REQUIRED, *_OPTIONAL}]
    if missing or unknown or len(set(columns)) < len(columns):
        raise StatementRefused(f"The first line of the file must name the columns {', '.join(_REQUIRED)}.")
    return StatementFile(head=head, lines=_lines(rows, columns, today=today))


def _rows(source: StatementSource) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BufferedReader(source), encoding="utf-8-sig", newline="")
    try:
        for row in csv.reader(text, strict=True):
            source.mark()
            if row:
                yield row
    except csv.Error as error:
        raise StatementRefused(f"The file is cut off or is no CSV: {error}.") from error


def _lines(rows: Iterator[list[str]], columns: list[str], *, today: date) -> Iterator[Line]:
    for number, row in enumerate(rows, start=2):
        place = f"Row {number}"
        if len(row) != len(columns):
            raise StatementRefused(f"{place} has {len(row)} fields in place of {len(columns)}; is the file cut off?")
        yield _line(dict(zip(columns, row, strict=True)), today=today, place=place)


def _line(row: dict[str, str], *, today: date, place: str) -> Line:
    status = row.get("status", "").strip().lower() or "booked"
    if status == "pending":
        return Line(
            kind=LineKind.PENDING,
            amount=Decimal(0),
            booked_on=today,
            bank_reference="",
            counterparty=printable(row["counterparty"]),
        )
    amount = amount_of(row["amount"], currency=row["currency"].strip(), place=place)
    kind = _KINDS.get((status, amount > 0))
    if kind is None:
        raise StatementRefused(f"{place} has a status other than booked, pending or reversal.")
    return Line(
        kind=kind if amount else LineKind.NOTHING,
        amount=abs(amount),
        booked_on=day_of(row["date"], today=today, place=place),
        bank_reference=reference_of(row["reference"], place=place),
        counterparty=printable(row["counterparty"]),
        texts=(printable(row["text"]),),
    )
