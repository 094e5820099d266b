"""Finds out whose a payment is, by the payment reference that it names and the name of its payer.

A payer is compared with the name that staff have entered for the customer; without one, with the names of the
customer's payees. Payees do not count beside a name of staff, because customers choose them.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wallets.models import Deposit, DepositState, Payee
from wallets.money import USD
from wallets.payment_references import find_payment_references, subjects_of
from wallets.runtime import sql
from wallets.selectors.holds import NO_BANK
from wallets.selectors.returned import payers_of
from wallets.statements.lines import Line

_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "herr", "frau", "or", "and", "und"})


@dataclass(frozen=True, kw_only=True)
class Payer:
    """The customer of a payment, or None and the reason."""

    customer_id: int | None
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class _KnownNames:
    """The names that a customer is known by: the one that staff have entered, or those of payees."""

    names: tuple[str, ...]
    are_of_staff: bool = False

    def may_be(self, payer: str) -> bool:
        """Say whether a payer may be the customer. Without names anybody may."""
        if not self.names or not (payer or self.are_of_staff):
            return True
        return any(may_be_the_same(name, payer) for name in self.names)


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    customer_id: int
    names: _KnownNames
    has_wallet: bool


def match_payers(*, lines: Iterable[Line]) -> list[Payer]:
    """Return the customer of each line, in their order. Two queries for all lines."""
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
    if not found[0].names.may_be(line.counterparty):
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
    known = _names_of({customer_id: name for _, customer_id, name, _ in rows})
    for reference, customer_id, _, has_wallet in rows:
        candidate = _Candidate(customer_id=customer_id, names=known[customer_id], has_wallet=has_wallet)
        found.setdefault(reference, []).append(candidate)
    return found


def _names_of(entered: Mapping[int, str]) -> dict[int, _KnownNames]:
    """Return the known names of customers, whose names by staff are `entered`. One query if some have none."""
    known = {
        each: _KnownNames(names=(name,) if name else (), are_of_staff=bool(name)) for each, name in entered.items()
    }
    unnamed = [each for each, name in entered.items() if not name]
    for payee in Payee.objects.filter(customer_id__in=unnamed, removed_at=None) if unnamed else ():
        names = known[payee.customer_id]
        known[payee.customer_id] = replace(names, names=(*names.names, payee.name))
    return known


def is_paid_by_another(*, deposit: Deposit) -> bool:
    """Say whether somebody else than its customer is known to have paid a deposit.

    Without a name by staff and without payees, the payer is compared with the payer of the customer's first deposit.
    """
    customer, payers = deposit.customer, payers_of(deposit)
    if customer is None or not payers:
        return False
    known = _names_of({customer.pk: f"{customer.first_name} {customer.last_name}".strip()})[customer.pk]
    if not known.names:
        known = _KnownNames(names=tuple(_first_payers(deposit)))
    return not any(known.may_be(payer) for payer in payers)


def _first_payers(deposit: Deposit) -> set[str]:
    """Return who has paid the first deposit that the customer of `deposit` has from a bank."""
    of_customer = Deposit.objects.filter(customer_id=deposit.customer_id, state=DepositState.CREDITED)
    first = of_customer.exclude(source__in=NO_BANK).order_by("created_at", "id").first()
    return payers_of(first) if first is not None else set()


def may_be_the_same(ours: str, theirs: str) -> bool:
    """Say whether a payer may be the customer: all words of the shorter name are in the other."""
    first, second = _words(ours), _words(theirs)
    return not first or (bool(second) and (first <= second or (len(second) > 1 and second <= first)))


def _words(name: str) -> set[str]:
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(letter)
    )
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return {word for word in words if word not in _TITLES}
