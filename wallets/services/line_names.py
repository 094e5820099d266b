"""Names the credits of a statement: a payment that is told again, in whatever format, gets the name that it had.

What may be another payment is of nobody, under a name of its own: staff compare. So nothing is credited twice, and
nothing is lost.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Final

from django.db.models import QuerySet

from wallets.models import Deposit, Statement, StatementLine, StatementState
from wallets.models.keys import hash_text
from wallets.selectors.payers import Payer
from wallets.selectors.sealed import open_text
from wallets.statements.lines import KNOWN, NO_REFERENCE, Line, LineKind, key_of, spelled_alike

LONGEST_NAME: Final = 200
_ANOTHER: Final = "received before under this reference, but the balances tell of another payment: compare them"
_REUSED: Final = "the bank has used its reference before, for another payment: compare them"
_TOLD: Final = "a payment of this day and amount was told before: compare whether this is the same one"
_DEBITS: Final = (LineKind.DEBIT.value, LineKind.TAKEN_BACK.value)


@dataclass(frozen=True, kw_only=True)
class LineName:
    """The reference of a line's deposit, and its customer, or why it has none.

    With the remark KNOWN, the deposit is there already.
    """

    reference: str
    customer_id: int | None
    remark: str


@dataclass(frozen=True, kw_only=True)
class _Earlier:
    """A credit of an earlier statement, or a deposit that staff have booked before any statement told of it."""

    reference: str
    amount: Decimal
    booked_on: date | None
    customer_id: int | None
    counterparty: str

    def is_same(self, line: Line, payer: Payer) -> bool:
        """Say whether a line may tell of this payment again: a format may leave the payer or the text out."""
        customers = {self.customer_id, payer.customer_id} - {None}
        if self.amount != line.amount or len(customers) > 1:
            return False
        if self.booked_on is None:
            return True
        ours, theirs = (spelled_alike(each[:LONGEST_NAME]) for each in (self.counterparty, line.counterparty))
        return self.booked_on == line.booked_on and (not (ours and theirs) or ours == theirs)


class LineNames:
    """Names the credits of one statement, in the order of its lines.

    A bank's reference is the name; a second line of the file with the same reference gets its ordinal. A line without
    one is known by date, amount, counterparty and its ordinal within the day.

    Statements of an account follow one another by their balances. So a statement repeats lines of earlier ones only if
    these lines add up to nothing, which takes debits.
    """

    def __init__(self, *, statement: Statement) -> None:
        self.total = 0
        self.known = 0
        self._statement = statement
        self._here: Counter[str] = Counter()
        self._earlier: dict[str, list[_Earlier]] = {}
        self._given: dict[str, set[str]] = {}
        self._day = _Day.of(statement)

    def name_all(self, lines: list[Line], payers: Iterable[Payer]) -> Iterator[LineName]:
        """Yield the names of the next credits. Three queries."""
        self._load({key_of(line) for line in lines} - self._here.keys())
        if self._day:
            self._day.load({line.amount for line in lines})
        for line, payer in zip(lines, payers, strict=True):
            yield self._name(line, payer)

    def _name(self, line: Line, payer: Payer) -> LineName:
        key = key_of(line)
        earlier, ordinal = self._earlier.get(key, []), self._here[key] + 1
        self._here[key] = ordinal
        self.total += 1
        is_told = self._day is not None and self._day.has_told(line)
        if not line.bank_reference:
            before = len(earlier)
            self.known += before >= ordinal
            return _named(f"{key}-{before + ordinal}", payer, _TOLD if is_told else "")
        if not earlier and key not in self._given:
            return _named(key if ordinal == 1 else f"{key}#{ordinal}", payer, _TOLD if is_told else "")
        same = next((each for each in earlier if each.is_same(line, payer)), None)
        taken = self._given.setdefault(key, {each.reference for each in earlier})
        if same is None:
            return _named(_free_name(key, line, taken), payer, _REUSED)
        earlier.remove(same)  # each is told again once
        self.known += 1
        if same.booked_on is not None and self._day is None:
            return _named(_free_name(key, line, taken), payer, _ANOTHER)
        return LineName(reference=same.reference, customer_id=same.customer_id, remark=KNOWN)

    def _load(self, keys: set[str]) -> None:
        by_hash = {hash_text(key): key for key in keys}
        found = _lines_before(self._statement).filter(key__in=keys, kind=LineKind.CREDIT)
        for row in found.select_related("customer__personal_key").order_by("statement_id", "number"):
            told = _Earlier(
                reference=row.reference,
                amount=row.amount,
                booked_on=row.booked_on,
                customer_id=row.customer_id,
                counterparty=open_text(text=row.counterparty, customer=row.customer),
            )
            self._earlier.setdefault(by_hash[row.key], []).append(told)
        for deposit in Deposit.objects.filter(source=self._statement.account, reference__in=keys):
            booked = _Earlier(
                reference=deposit.reference,
                amount=deposit.amount,
                booked_on=None,
                customer_id=deposit.customer_id,
                counterparty="",
            )
            self._earlier.setdefault(deposit.reference, [booked])


@dataclass(kw_only=True)
class _Day:
    """The last day of the statements before, if this statement may repeat lines of it: counts of credits by amount."""

    statement: Statement
    day: date
    told: Counter[Decimal] = field(default_factory=Counter)
    without_reference: Counter[Decimal] = field(default_factory=Counter)
    here: Counter[Decimal] = field(default_factory=Counter)

    @classmethod
    def of(cls, statement: Statement) -> "_Day | None":
        day = statement.previous.last_day if statement.previous else None
        if day is None or not statement.debits:
            return None
        found = cls(statement=statement, day=day)
        return found if found.lines().filter(kind__in=_DEBITS).exists() else None

    def lines(self) -> QuerySet[StatementLine]:
        return _lines_before(self.statement).filter(statement__last_day=self.day, booked_on=self.day)

    def load(self, amounts: set[Decimal]) -> None:
        """Count the day's credits of amounts that are asked for the first time. One query."""
        new = amounts - self.here.keys()
        told = self.lines().filter(kind=LineKind.CREDIT, amount__in=new)
        for amount, reference in told.values_list("amount", "reference").iterator():
            self.told[amount] += 1
            self.without_reference[amount] += reference.startswith(NO_REFERENCE)
        self.here.update(dict.fromkeys(new, 0))

    def has_told(self, line: Line) -> bool:
        """Say whether a line may be one of the day's: by its amount, and its ordinal among lines of that amount."""
        if line.booked_on != self.day:
            return False
        self.here[line.amount] += 1
        told = self.without_reference if line.bank_reference else self.told
        return self.here[line.amount] <= told[line.amount]


def _lines_before(statement: Statement) -> QuerySet[StatementLine]:
    lines = StatementLine.objects.filter(statement__account=statement.account).exclude(statement=statement)
    return lines.exclude(statement__state=StatementState.REJECTED)


def _named(reference: str, payer: Payer, why: str) -> LineName:
    if why:
        return LineName(reference=reference, customer_id=None, remark=why)
    return LineName(reference=reference, customer_id=payer.customer_id, remark=payer.remark)


def _free_name(key: str, line: Line, taken: set[str]) -> str:
    name = f"{key}@{line.booked_on.isoformat()}"
    free = next(each for each in (name if n == 1 else f"{name}#{n}" for n in count(1)) if each not in taken)
    taken.add(free)
    return free
