"""The references by which customers say whose money a bank transfer is.

ISO 11649: `RF`, two check digits by ISO 7064 (MOD 97-10), and at most 21 letters and digits. Ours has the first 16
digits of the customer's subject, because row numbers are given again after a restore.
"""

import re
from typing import Final
from uuid import UUID

_DIGITS: Final = 16
_REST: Final = 32 - _DIGITS
_REFERENCE: Final = re.compile(rf"(?=(RF[0-9]{{2}}[0-9A-F]{{{_DIGITS}}}))")
_NEITHER_LETTER_NOR_DIGIT: Final = re.compile(r"[^0-9A-Z]")


def payment_reference(*, subject: UUID) -> str:
    """Return the payment reference of a customer, without spaces."""
    body = subject.hex[:_DIGITS].upper()
    return f"RF{98 - _remainder(f'{body}RF00'):02}{body}"


def find_payment_references(text: str) -> set[str]:
    """Return the payment references of our form in a text, in spite of spaces and small letters between and in them."""
    letters = _NEITHER_LETTER_NOR_DIGIT.sub("", text.upper())
    return {found for found in _REFERENCE.findall(letters) if is_checked(found)}


def is_checked(code: str) -> bool:
    """Say whether the check digits of a reference (ISO 11649) or an IBAN (ISO 13616) are right."""
    return _remainder(code[4:] + code[:4]) == 1


def subjects_of(*, reference: str) -> tuple[UUID, UUID]:
    """Return the first and the last subject whose customer has this reference."""
    body = reference[4:]
    return UUID(body + "0" * _REST), UUID(body + "f" * _REST)


def _remainder(code: str) -> int:
    """Return the remainder by 97 of the number that a code of digits and capital letters (A = 10) stands for."""
    return int("".join(str(int(letter, 36)) for letter in code)) % 97
