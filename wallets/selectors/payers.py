"""Finds out whose a payment is, by the payment reference that it names and the name of its payer."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wallets.money import USD
from wallets.payment_references import find_payment_references, subjects_of
from wallets.runtime import sql
from wallets.statements.lines import Line

_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "herr", "frau", "or", "and", "und"})


@dataclass(frozen=True, kw_only=True)
class Payer:
    """The customer of a payment, or None and the reason."""

    customer_id: int | None
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    customer_id: int
    name: str
    has_wallet: bool


def match_payers(*, lines: Iterable[Line]) -> list[Payer]:
    """Return the customer of each line, in their order. One query for all lines."""
    lines = list(lines)
    named = [{found for text in line.texts for found in find_payment_references(text)} for line in lines]
    customers = _find_customers(set().union(*named))
    return [_match(line, references, customers) for line, references in zip(lines, named, strict=True)]


def _match(line: Line, references: set[str], customers: Mapping[str, list[_Candidate]]) -> Payer:
    if line.remark:
        return Payer(customer_id=None, remark=line.remark)
    if not references:
        return Payer(customer_id=None, remark="it names no payment reference")
    found = [candidate for reference in references for candidate in customers.get(reference, [])]
    if len(references) > 1 or len(found) > 1:
        return Payer(customer_id=None, remark="it names several payment references, or one of several customers")
    if not found or not found[0].has_wallet:
        return Payer(customer_id=None, remark="no customer has the payment reference that it names")
    if not may_be_the_same(found[0].name, line.counterparty):
        return Payer(customer_id=None, remark=f"it names customer {found[0].customer_id}, and is in another's name")
    return Payer(customer_id=found[0].customer_id)


def _find_customers(references: set[str]) -> dict[str, list[_Candidate]]:
    given = sorted(references)
    ranges = [subjects_of(reference=reference) for reference in given]
    found: dict[str, list[_Candidate]] = {}
    if not given:
        return found
    rows = sql.fetch_all(
        "wallets.match_customers",
        references=given,
        firsts=[first for first, _ in ranges],
        lasts=[last for _, last in ranges],
        asset=USD,
    )
    for reference, customer_id, name, has_wallet in rows:
        candidate = _Candidate(customer_id=customer_id, name=name, has_wallet=has_wallet)
        found.setdefault(reference, []).append(candidate)
    return found


def may_be_the_same(ours: str, theirs: str) -> bool:
    """Say whether a payer may be the customer: all words of the shorter name are in the other. An unknown name may."""
    first, second = _words(ours), _words(theirs)
    return not first or (bool(second) and (first <= second or (len(second) > 1 and second <= first)))


def _words(name: str) -> set[str]:
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(letter)
    )
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return {word for word in words if word not in _TITLES}
