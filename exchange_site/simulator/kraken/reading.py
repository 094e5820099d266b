"""Read the parameters of requests. Whatever is malformed is refused as an invalid argument."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from exchange_site.simulator.kraken.errors import INVALID_ARGUMENTS, INVALID_ORDER, KrakenError
from exchange_site.simulator.kraken.ids import is_id

_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_REFERENCE: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_MOST_REFERENCE: Final = 2**31
_CLIENT_ID: Final = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18}", re.IGNORECASE | re.ASCII
)
"""A UUID with or without dashes, or free text ("Spot Client Order Identifiers", Kraken's API documentation)."""
_TRUE: Final = frozenset({"true", "True", "1"})
_FALSE: Final = frozenset({"false", "False", "0", ""})
_LONGEST_OFFSET: Final = 10**6


def read_number(sent: Mapping[str, str], name: str) -> Decimal:
    """Return a number above zero, in plain notation. Raises KrakenError."""
    text = sent.get(name, "")
    if not _NUMBER.fullmatch(text) or not Decimal(text):
        raise KrakenError(INVALID_ARGUMENTS, name)
    return Decimal(text)


def read_one_of(sent: Mapping[str, str], name: str, known: tuple[str, ...], *, otherwise: str = "") -> str:
    """Return one of the known words, or `otherwise` if none was sent. Raises KrakenError."""
    word = sent.get(name) or otherwise
    if word not in known:
        raise KrakenError(INVALID_ARGUMENTS, name)
    return word


def read_switch(sent: Mapping[str, str], name: str) -> bool:
    """Return true or false, which is the default. Raises KrakenError."""
    word = sent.get(name, "")
    if word not in _TRUE | _FALSE:
        raise KrakenError(INVALID_ARGUMENTS, name)
    return word in _TRUE


def read_client_id(sent: Mapping[str, str]) -> str | None:
    """Return the client order id, or None if none was sent. Raises KrakenError."""
    text = sent.get("cl_ord_id")
    if text is not None and not _CLIENT_ID.fullmatch(text):
        raise KrakenError(INVALID_ARGUMENTS, "cl_ord_id")
    return text


def read_reference(sent: Mapping[str, str]) -> int | None:
    """Return the client's number for its orders, of 32 bits, or None if none was sent. Raises KrakenError."""
    text = sent.get("userref")
    if not text:
        return None
    if not _REFERENCE.fullmatch(text) or not -_MOST_REFERENCE <= int(text) < _MOST_REFERENCE:
        raise KrakenError(INVALID_ARGUMENTS, "userref")
    return int(text)


def read_offset(sent: Mapping[str, str]) -> int:
    """Return how many results to leave out. Raises KrakenError."""
    text = sent.get("ofs") or "0"
    if not text.isdecimal() or not text.isascii() or int(text[:20]) > _LONGEST_OFFSET:
        raise KrakenError(INVALID_ARGUMENTS, "ofs")
    return int(text)


def read_ids(sent: Mapping[str, str], *, kind: str, at_most: int) -> list[str]:
    """Return a list of transaction ids, which are separated by commas. Raises KrakenError."""
    names = [name.strip() for name in sent.get("txid", "").split(",") if name.strip()]
    if not names or len(names) > at_most:
        raise KrakenError(INVALID_ARGUMENTS)
    if not all(is_id(kind, name) for name in names):
        raise KrakenError(INVALID_ORDER)
    return names


def read_seconds(sent: Mapping[str, str], name: str) -> int | None:
    """Return a Unix timestamp in milliseconds, or None if none was sent. Raises KrakenError."""
    text = sent.get(name)
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise KrakenError(INVALID_ARGUMENTS, name)
    return int(Decimal(text) * 1000)


def read_moment(sent: Mapping[str, str], name: str) -> int | None:
    """Return a time in RFC 3339 in milliseconds, or None if none was sent. Raises KrakenError."""
    text = sent.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise KrakenError(INVALID_ARGUMENTS, name) from error
    if moment.tzinfo is None:
        raise KrakenError(INVALID_ARGUMENTS, name)
    return round(moment.timestamp() * 1000)
