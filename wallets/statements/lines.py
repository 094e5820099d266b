"""What a bank statement says, whatever the format of its file."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from wallets.exceptions import StatementRefused
from wallets.money import USD, USD_PLACES, exact, parse_decimal
from wallets.payment_references import is_checked

LONGEST_REFERENCE: Final = 70
LONGEST_TEXT: Final = 500
NO_REFERENCE: Final = "line-"
"""How the name of a line begins to which the bank has given no reference."""
SEPARATOR: Final = " | "
"""Divides the fields of a line that are stored in one text."""
_LONGEST_ACCOUNT: Final = 64
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
_END_TO_END_ID: Final = re.compile(r"(?=(PO[0-9A-F]{30}))")
_NEITHER_LETTER_NOR_DIGIT: Final = re.compile(r"[^0-9A-Z]")
_NONE: Final = frozenset({"NONREF", "NOTPROVIDED", "NOT PROVIDED", "NOTAVAILABLE", "NONE", "N/A", "-", "0"})


class LineKind(StrEnum):
    """What a line of a statement is. Only a credit can become a deposit."""

    CREDIT = "credit"
    DEBIT = "debit"
    TAKEN_BACK = "taken_back"
    """A credit from before that was reversed: the bank has taken the money back."""
    GIVEN_BACK = "given_back"
    """A debit from before that was reversed: a payment of ours has come back."""
    PENDING = "pending"
    """Announced and not booked: it is no part of the balances."""
    NOTHING = "nothing"
    """An entry of zero, which only informs."""


SIGNS: Final = {LineKind.CREDIT: 1, LineKind.GIVEN_BACK: 1, LineKind.DEBIT: -1, LineKind.TAKEN_BACK: -1}
"""How a kind of line changes the balance. The other kinds leave it as it is."""
COMES_IN: Final = (LineKind.CREDIT.value, LineKind.GIVEN_BACK.value)
"""The kinds of lines by which dollars come in: each becomes a deposit, or brings a payout back."""
KNOWN: Final = "received before under this reference, so it is not credited again"
"""The remark on a credit that has its deposit already."""
SEVERAL: Final = "several"
"""Stands for the end-to-end id of a line that names several payouts."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Our account, and its balances before and after the lines, in US dollars."""

    account: str
    opening: Decimal
    closing: Decimal


@dataclass(frozen=True, kw_only=True)
class Line:
    """A payment in a statement; its amount is above zero, except of the kind NOTHING.

    `texts` are the fields in which the payer may have named a payment reference. `remark` says why the line can belong
    to nobody, if so. `originals` are further references that the bank itself, and no payer, has written into a line of
    the kind TAKEN_BACK.
    """

    kind: LineKind
    amount: Decimal
    booked_on: date
    bank_reference: str
    counterparty: str
    texts: tuple[str, ...] = ()
    remark: str = ""
    originals: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StatementFile:
    """A statement: its head, and its lines, which are read from the file one after the other."""

    head: Head
    lines: Iterator[Line]


def key_of(line: Line) -> str:
    """Return the name of a line: the bank's reference, else a hash of its date, amount and counterparty.

    Lines of one name on one day are told apart by their ordinal.
    """
    if line.bank_reference:
        return line.bank_reference
    told = f"{line.booked_on.isoformat()}|{line.amount:.2f}|{spelled_alike(line.counterparty)}"
    return f"{NO_REFERENCE}{hashlib.sha256(told.encode()).hexdigest()[:40]}"


def spelled_alike(name: str) -> str:
    """Return the letters and digits of a name, which most formats of a file spell alike."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def named_payouts(text: str) -> set[str]:
    """Return the end-to-end ids of payouts that a bank repeats in a text, whatever it puts between the characters."""
    return set(_END_TO_END_ID.findall(_NEITHER_LETTER_NOR_DIGIT.sub("", text.upper())))


def account_of(text: str) -> str:
    """Return the IBAN or number of an account of ours, in one spelling. Raises StatementRefused."""
    account = "".join(text.split()).upper()
    if not account or len(account) > _LONGEST_ACCOUNT or not account.isprintable():
        raise StatementRefused("No account that we could have is named.")
    if _IBAN.fullmatch(account) and not is_checked(account):
        raise StatementRefused(f"The check digits of the account {account} are wrong.")
    return account


def amount_of(text: str, *, currency: str, place: str) -> Decimal:
    """Return an amount of US dollars. Raises StatementRefused for other currencies and other notations.

    An exponent is refused, because neither the decimals of ISO 20022 nor banks' tables have one.
    """
    if currency != USD:
        raise StatementRefused(f"{place} is in {currency[:3] or 'no currency'}; only US dollars are taken.")
    if "E" in text.upper():
        raise StatementRefused(f"{place} has an amount that must be a plain decimal number such as 12.50.")
    try:
        return exact(parse_decimal(text.strip()), places=USD_PLACES)
    except ValueError as error:
        raise StatementRefused(f"{place} has an amount that {error}.") from error


def day_of(text: str, *, today: date, place: str) -> date:
    """Return a booking day. Raises StatementRefused for one in the future, by UTC, and for other notations."""
    try:
        day = date.fromisoformat(text.strip()[:10])
    except ValueError as error:
        raise StatementRefused(f"{place} has no booking date such as 2026-01-31.") from error
    if day > today:
        raise StatementRefused(f"{place} is booked on {day}, which is in the future.")
    return day


def reference_of(text: str, *, place: str) -> str:
    """Return a bank's reference, or nothing for one of the words that stand for none.

    Raises StatementRefused if it is too long to be one.
    """
    reference = printable(text)
    if reference.upper() in _NONE:
        return ""
    if len(reference) > LONGEST_REFERENCE:
        raise StatementRefused(f"{place} has a reference of more than {LONGEST_REFERENCE} characters.")
    return reference


def printable(text: str) -> str:
    """Return a bank's text in one line, without characters that cannot be stored."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
