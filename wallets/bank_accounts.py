"""Bank accounts to which money is sent: an IBAN, or an account in the United States with its bank's routing number.

IBAN: ISO 13616, with check digits by ISO 7064 (MOD 97-10), and the lengths of SWIFT's IBAN registry. Routing numbers:
the American Bankers Association's nine digits, whose check digit is weighted 3, 7, 1.
"""

import re
from dataclasses import dataclass
from typing import Final

from wallets.payment_references import is_checked

_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""The length of an IBAN by its country."""

_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]+")
_BIC: Final = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
_ROUTING: Final = re.compile(r"[0-9]{9}")
_ACCOUNT: Final = re.compile(r"[0-9]{4,17}")
_WEIGHTS: Final = (3, 7, 1) * 3
_FIRST_DIGITS: Final = (range(1, 13), range(21, 33), range(61, 73), range(80, 81))
"""The first two digits of routing numbers that the American Bankers Association has given out."""
_SHOWN: Final = 4


@dataclass(frozen=True, kw_only=True)
class BankAccount:
    """An account in the form in which banks take it. `number` is an IBAN if there is no `routing` number."""

    number: str
    routing: str = ""

    @property
    def is_iban(self) -> bool:
        """Say whether the account has an IBAN."""
        return not self.routing

    @property
    def masked(self) -> str:
        """The account for eyes that need not know it: the country of an IBAN, and at most the last four characters."""
        begin = self.number[:2] if self.is_iban else ""
        shown = min(_SHOWN, len(self.number) // 2)
        hidden = len(self.number) - len(begin) - shown
        return f"{begin}{'*' * max(hidden, _SHOWN)}{self.number[-shown:]}"


def read_iban(text: str) -> str:
    """Return an IBAN without spaces and in capital letters. Raises ValueError for what cannot be one."""
    iban = "".join(text.split()).upper()
    if not _IBAN.fullmatch(iban) or not iban.isascii():
        raise ValueError("must be an IBAN, such as GB82 WEST 1234 5698 7654 32")
    length = _LENGTHS.get(iban[:2])
    if length is None:
        raise ValueError(f"is of {iban[:2]}, which has no IBANs")
    if len(iban) != length:
        raise ValueError(f"must have {length} characters for {iban[:2]}")
    if not is_checked(iban):
        raise ValueError("has wrong check digits")
    return iban


def read_routing(text: str) -> str:
    """Return a routing number without spaces. Raises ValueError for what cannot be one."""
    routing = "".join(text.split())
    if not _ROUTING.fullmatch(routing) or not any(int(routing[:2]) in given for given in _FIRST_DIGITS):
        raise ValueError("must be a routing number of nine digits, such as 021000021")
    if sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, routing, strict=True)) % 10:
        raise ValueError("has a wrong check digit")
    return routing


def read_account_number(text: str) -> str:
    """Return an account number of the United States without spaces and dashes. Raises ValueError."""
    number = "".join(text.split()).replace("-", "")
    if not _ACCOUNT.fullmatch(number) or not number.strip("0"):
        raise ValueError("must be an account number of 4 to 17 digits")
    return number


def is_bic(text: str) -> bool:
    """Say whether a text has the form of a bank's code (ISO 9362)."""
    return bool(_BIC.fullmatch(text))
