"""Writes the lines of an imported statement, each with the reference of its deposit and with its customer."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from django.db.models import Count

from wallets.exceptions import StatementRefused
from wallets.models import Deposit, Statement, StatementLine, StatementState
from wallets.models.keys import hash_text
from wallets.selectors.payers import Payer, match_payers
from wallets.services.sealing import seal_lines
from wallets.statements.lines import LONGEST_TEXT, Line, LineKind, key_of, named_payouts

_AT_ONCE: Final = 500
_LONGEST_NAME: Final = 200
KNOWN: Final = "received before under this reference, so it is not credited again"
_REUSED: Final = "the bank has used its reference before, for another amount"


def write_lines(*, statement: Statement, lines: Iterator[Line]) -> None:
    """Write the booked lines, in the caller's database transaction. Raises StatementRefused for lines of the file, and
    for a statement all of whose lines were imported before.
    """
    names = _Names(statement=statement)
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


@dataclass(kw_only=True)
class _Names:
    """Names the credits of a statement so that the same line has the same name in every format of the file.

    A bank's reference is the name; a second line of the file with the same reference gets its ordinal. A line without
    one is known by date, amount, counterparty and its ordinal within the day. Earlier statements of the day count too,
    because statements of an account follow one another, so their lines are different payments.
    """

    statement: Statement
    here: Counter[str] = field(default_factory=Counter)
    total: int = 0
    known: int = 0

    def name(self, line: Line, *, earlier: "dict[str, _Earlier]") -> "_Name":
        key = key_of(line)
        before = earlier.get(key, _Earlier())
        self.here[key] += 1
        self.total += 1
        ordinal = self.here[key]
        if not line.bank_reference:
            self.known += before.count >= ordinal
            return _Name(reference=f"{key}-{before.count + ordinal}")
        name = key if ordinal == 1 else f"{key}#{ordinal}"
        if before.amounts and line.amount not in before.amounts:
            return _Name(reference=f"{name}={line.amount:.2f}", is_reused=True)
        self.known += before.count > 0
        return _Name(reference=name, is_known=before.count > 0)


@dataclass(frozen=True, kw_only=True)
class _Name:
    """The reference of a deposit: whether the bank has used it for another amount, or it was received before."""

    reference: str
    is_reused: bool = False
    is_known: bool = False


@dataclass(kw_only=True)
class _Earlier:
    """Credits of one key in earlier statements of the account."""

    count: int = 0
    amounts: set[object] = field(default_factory=set)


def _rows(statement: Statement, lines: list[Line], names: _Names) -> list[StatementLine]:
    credits_ = [line for line in lines if line.kind is LineKind.CREDIT]
    earlier = _earlier(statement, {key_of(line) for line in credits_})
    payers = iter(match_payers(lines=credits_))
    return [
        _credit(statement, line, names.name(line, earlier=earlier), next(payers))
        if line.kind is LineKind.CREDIT
        else _row(statement, line, reference=key_of(line))
        for line in lines
    ]


def _credit(statement: Statement, line: Line, name: _Name, payer: Payer) -> StatementLine:
    row = _row(statement, line, reference=name.reference)
    row.customer_id = None if name.is_reused else payer.customer_id
    row.remark = _REUSED if name.is_reused else KNOWN if name.is_known else payer.remark
    return row


def _row(statement: Statement, line: Line, *, reference: str) -> StatementLine:
    text = " | ".join(line.texts)
    payouts = named_payouts(text)
    return StatementLine(
        statement=statement,
        kind=line.kind.value,
        amount=line.amount,
        booked_on=line.booked_on,
        key=key_of(line),
        reference=reference,
        counterparty=line.counterparty[:_LONGEST_NAME],
        text=text[:LONGEST_TEXT],
        end_to_end_id=payouts.pop() if len(payouts) == 1 else "",
        remark=line.remark,
    )


def _earlier(statement: Statement, keys: set[str]) -> dict[str, _Earlier]:
    """Count the credits of these keys in earlier statements of the account, or booked by staff. Two queries."""
    lines = StatementLine.objects.filter(key__in=keys, kind=LineKind.CREDIT, statement__account=statement.account)
    in_force = lines.exclude(statement=statement).exclude(statement__state=StatementState.REJECTED)
    found: dict[str, _Earlier] = {}
    by_hash = {hash_text(key): key for key in keys}
    for key_hash, amount, count in in_force.values_list("key", "amount").annotate(count=Count("pk")).order_by():
        earlier = found.setdefault(by_hash[key_hash], _Earlier())
        earlier.count += count
        earlier.amounts.add(amount)
    booked = Deposit.objects.filter(source=statement.account, reference__in=keys).values_list("reference", "amount")
    for key, amount in booked:
        earlier = found.setdefault(key, _Earlier())
        earlier.count = max(earlier.count, 1)
        earlier.amounts.add(amount)
    return found
