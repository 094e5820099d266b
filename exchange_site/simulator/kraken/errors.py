"""Errors in Kraken's words ("Spot Error Messages", Kraken's API documentation). They are sent with HTTP status 200."""

import re
from typing import Final

from exchange_site.simulator.errors import VenueError

INVALID_KEY: Final = "EAPI:Invalid key"
INVALID_SIGNATURE: Final = "EAPI:Invalid signature"
INVALID_NONCE: Final = "EAPI:Invalid nonce"
TOO_MANY_CALLS: Final = "EAPI:Rate limit exceeded"
INVALID_ARGUMENTS: Final = "EGeneral:Invalid arguments"
PERMISSION_DENIED: Final = "EGeneral:Permission denied"
INTERNAL_ERROR: Final = "EGeneral:Internal error"
LOCKOUT: Final = "EGeneral:Temporary lockout"
UNKNOWN_METHOD: Final = "EGeneral:Unknown method"
UNKNOWN_PAIR: Final = "EQuery:Unknown asset pair"
UNKNOWN_ASSET: Final = "EQuery:Unknown asset"
CANCEL_ONLY: Final = "EService:Market in cancel_only mode"
DEADLINE_ELAPSED: Final = "EService:Deadline elapsed"
TOO_LITTLE: Final = "EOrder:Order minimum not met"
TOO_CHEAP: Final = "EOrder:Cost minimum not met"
OFF_TICK: Final = "EOrder:Tick size check failed"
INVALID_PRICE: Final = "EOrder:Invalid price"
NO_FUNDS: Final = "EOrder:Insufficient funds"
TOO_MANY_ORDERS: Final = "EOrder:Rate limit exceeded"
TOO_MANY_OPEN: Final = "EOrder:Orders limit exceeded"
UNKNOWN_ORDER: Final = "EOrder:Unknown order"
INVALID_ORDER: Final = "EOrder:Invalid order"
ID_IN_USE: Final = "EGeneral:Invalid arguments:cl_ord_id not unique"
"""Kraken's documentation does not say how a client order id of another open order is refused; public clients do."""

_KRAKENS: Final = re.compile(r"[EW][A-Z][A-Za-z]*:.+", re.DOTALL)
_WORDS: Final = (
    (-1002, "", PERMISSION_DENIED),
    (-1003, "", TOO_MANY_CALLS),
    (-1013, "PRICE", INVALID_PRICE),
    (-1013, "NOTIONAL", TOO_CHEAP),
    (-1013, "MAX_NUM_ORDERS", TOO_MANY_OPEN),
    (-1013, "", f"{INVALID_ARGUMENTS}:volume"),
    (-1015, "", TOO_MANY_ORDERS),
    (-1021, "", DEADLINE_ELAPSED),
    (-1022, "", INVALID_SIGNATURE),
    (-1121, "", UNKNOWN_PAIR),
    (-2010, "insufficient balance", NO_FUNDS),
    (-2010, "Duplicate", ID_IN_USE),
    (-2010, "closed", CANCEL_ONLY),
    (-2010, "", PERMISSION_DENIED),
    (-2011, "", UNKNOWN_ORDER),
    (-2013, "", UNKNOWN_ORDER),
    (-2014, "", INVALID_KEY),
    (-2015, "", INVALID_KEY),
)
"""Errors of the book and of rules in Binance's words: their code, a part of their message, and Kraken's word."""


class KrakenError(Exception):
    """An error answer: one of Kraken's words, and what it is about, if it says."""

    def __init__(self, word: str, about: str = "") -> None:
        super().__init__(f"{word}:{about}" if about else word)


def is_krakens(text: str) -> bool:
    """Say whether a text is an error in Kraken's form: a severity, a category, and a message."""
    return _KRAKENS.fullmatch(text) is not None


def translate(error: VenueError) -> str:
    """Return Kraken's word for an error. A message in Kraken's form stays, and one without a word is internal."""
    if is_krakens(error.message):
        return error.message
    words = (word for code, part, word in _WORDS if code == error.code and part in error.message)
    return next(words, INTERNAL_ERROR)
