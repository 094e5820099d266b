"""Finds the deposit that a bank took back.

The bank's own references decide. The payer's words alone never do: somebody else's reference can be among them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db.models import Q

from wallets.models import Deposit, Return, StatementLine
from wallets.payment_references import find_payment_references, payment_reference
from wallets.selectors.sealed import open_text
from wallets.statements.lines import NO_REFERENCE, SEPARATOR, LineKind, spelled_alike

NOT_KNOWN: Final = "no deposit of this account that it names is known"
_SEVERAL: Final = "the bank has given the reference that it names to several deposits: compare them"
_WORDS_ALONE: Final = (
    "only the payer's words name {deposit}, and not all of payer, customer and amount fit: compare them"
)
_OF_ANOTHER: Final = "its reference is that of {deposit}, and its text names another customer: compare them"
_WORD: Final = re.compile(r"[^\s|,;]{4,100}")
_MOST_WORDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """What a bank tells about a payment that it took back from our account `source`, in US dollars.

    `names` are the bank's own references. The payer may have written the text.
    """

    source: str
    amount: Decimal
    names: frozenset[str]
    text: str = ""
    counterparty: str = ""


@dataclass(frozen=True, kw_only=True)
class FoundDeposit:
    """The deposit that was taken back, or why staff have to find it."""

    deposit: Deposit | None = None
    why: str = ""


def told_by_line(line: StatementLine, *, account: str) -> TakenBack:
    """Return what a line of the kind TAKEN_BACK tells."""
    own = [] if line.reference.startswith(NO_REFERENCE) else [line.reference]
    return TakenBack(
        source=account,
        amount=line.amount,
        names=frozenset([*own, *(line.originals or "").split(SEPARATOR)]) - {""},
        text=open_text(text=line.text),
        counterparty=open_text(text=line.counterparty),
    )


def told_by_return(row: Return) -> TakenBack:
    """Return what a return has told that waits for its deposit."""
    if row.line is not None:
        return told_by_line(row.line, account=row.source)
    return TakenBack(source=row.source, amount=row.amount, names=names_in(row.named))


def names_in(named: str) -> frozenset[str]:
    """Return the bank's references in a text that divides them by ` | `."""
    return frozenset(part.strip() for part in named.split(SEPARATOR)) - {""}


def find_returned_deposit(told: TakenBack) -> FoundDeposit:
    """Return the deposit that the bank's own references name, if it is one only.

    Without such a reference the text may name it. That is believed only if the payment reference or the payer is the
    deposit's too, neither is another's, and the amount is the deposit's.
    """
    found = _find_named(told.source, told.names)
    if len(found) > 1:
        return FoundDeposit(why=_SEVERAL)
    if not found:
        return _find_by_words(told)
    references, own = _references(told), _reference_of(found[0])
    if own and references and own not in references:
        return FoundDeposit(why=_OF_ANOTHER.format(deposit=found[0]))
    return FoundDeposit(deposit=found[0])


def _find_named(source: str, names: Iterable[str]) -> list[Deposit]:
    """Return at most two deposits that have one of the references, also those that had to be renamed. Two queries."""
    names = sorted(names)
    if not names:
        return []
    lines = StatementLine.objects.filter(key__in=names, kind=LineKind.CREDIT, deposit__isnull=False)
    renamed = list(lines.filter(statement__account=source).values_list("deposit_id", flat=True))
    found = Deposit.objects.filter(Q(pk__in=renamed) | Q(reference__in=names), source=source)
    return list(found.select_related("customer").order_by("id")[:2])


def _find_by_words(told: TakenBack) -> FoundDeposit:
    words = {found.group() for found in _WORD.finditer(told.text)} | names_in(told.text)
    found = _find_named(told.source, words) if len(words) <= _MOST_WORDS else []
    if len(found) != 1:
        return FoundDeposit(why=_SEVERAL if found else NOT_KNOWN)
    if told.amount == found[0].amount and _is_of(told, found[0]):
        return FoundDeposit(deposit=found[0])
    return FoundDeposit(why=_WORDS_ALONE.format(deposit=found[0]))


def _is_of(told: TakenBack, deposit: Deposit) -> bool:
    """Say whether the payment reference or the payer is the deposit's, and neither is another's."""
    references, payer = _references(told), spelled_alike(told.counterparty)
    payers = {spelled_alike(name) for name in payers_of(deposit)} - {""}
    own = _reference_of(deposit)
    has_reference = own in references
    has_payer = bool(payer) and payer in payers
    if references - {own} or (payer and payers and not has_payer):
        return False
    return has_reference or has_payer


def payers_of(deposit: Deposit) -> set[str]:
    """Return who has paid a deposit, as the lines of statements say. Two queries."""
    lines = deposit.lines.select_related("customer__personal_key").order_by("id")
    return {open_text(text=line.counterparty, customer=line.customer) for line in lines[:_MOST_WORDS]} - {""}


def _references(told: TakenBack) -> set[str]:
    return {found for part in told.text.split(SEPARATOR) for found in find_payment_references(part)}


def _reference_of(deposit: Deposit) -> str:
    return payment_reference(subject=deposit.customer.subject) if deposit.customer else ""
