"""Kraken's transaction ids, as in OQCLML-BW3P3-BUCMWZ, made of the book's numbers."""

import hashlib
import re
from typing import Final

ORDER: Final = "O"
TRADE: Final = "T"
_DIGITS: Final = "234567ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER_DIGITS: Final = 6
_NOISE_DIGITS: Final = 10
_FORM: Final = re.compile(r"([A-Z])([2-7A-Z]{5})-([2-7A-Z]{5})-([2-7A-Z]{6})")


def write_id(kind: str, number: int) -> str:
    """Return the transaction id of an order or a trade."""
    noise = _digits(int.from_bytes(hashlib.sha256(f"{kind}{number}".encode()).digest()[:7]), _NOISE_DIGITS)
    return f"{kind}{noise[:5]}-{noise[5:]}-{_digits(number, _NUMBER_DIGITS)}"


def is_id(kind: str, text: str) -> bool:
    """Say whether a text has the form of a transaction id of this kind."""
    form = _FORM.fullmatch(text)
    return form is not None and form[1] == kind


def read_id(kind: str, text: str) -> int | None:
    """Return the number of a transaction id, or None if it is not one of the book's."""
    form = _FORM.fullmatch(text)
    number = _number(form[4]) if form else 0
    return number if text == write_id(kind, number) else None


def _digits(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return number
