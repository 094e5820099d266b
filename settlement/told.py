"""A venue's answer about an order in the venue's own words, before the gate has judged it. Nothing here is believed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final

_LONGEST_KEPT: Final = 20_000
"""The length of an answer that is kept as evidence, in characters."""


IN_TRADES: Final = "in its trades"
"""The cost of an order at a venue that says costs of trades only."""

_LONGEST_DIGITS: Final = 40
_EXACT: Final = Context(prec=900)


@dataclass(frozen=True, kw_only=True)
class OrderTold:
    """An order in the venue's words. None: the answer does not say. `quantity` is what was asked for.

    `cost` is IN_TRADES at a venue whose orders never say it.
    """

    client_order_id: object
    venue_order_id: object
    symbol: object
    status: object
    executed: object
    cost: object
    side: object = None
    quantity: object = None


@dataclass(frozen=True, kw_only=True)
class TradeTold:
    """A trade in the venue's words. None: the answer does not say. `cost` leaves out commission."""

    trade_id: object = None
    venue_order_id: object = None
    symbol: object = None
    side: object = None
    quantity: object
    price: object = None
    cost: object = None
    commission: object = None
    commission_asset: object = None


@dataclass(frozen=True, kw_only=True)
class Ours:
    """What an answer about our order must name: `symbol` in the adapter's words, and the assets of the market."""

    client_order_id: str
    symbol: str
    coin: str
    quote_asset: str


def in_words(value: object) -> str:
    """Return a venue's word for a sentence of ours: short, in one line, without characters that cannot be stored."""
    try:
        return ascii(value if isinstance(value, str) else str(value)[:60])[:60]
    except ValueError:  # a whole number of thousands of digits
        return ascii(type(value).__name__)


def digits(value: Decimal) -> str:
    """Return a number for a sentence: without an exponent and without zeros at its end, unless that is very long."""
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST_DIGITS:
        return f"{value:.8E}" if value.is_finite() else str(value)
    text = f"{value.normalize(_EXACT):f}"
    return text if len(text) <= _LONGEST_DIGITS else f"{value:.8E}"


def printable(text: str) -> str:
    """Return a venue's text for a record: NUL and halves of surrogate pairs cannot be stored."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def keep(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer in a form that the database can store: as it is, or as text if it is too long or too strange."""
    try:
        text = json.dumps(answer, allow_nan=False)
    except (RecursionError, TypeError, ValueError):
        return {"text": ascii(answer)[:_LONGEST_KEPT]}
    # PostgreSQL's jsonb stores neither NUL nor half of a surrogate pair.
    if len(text) > _LONGEST_KEPT or "\\u0000" in text or "\\ud" in text:
        return {"text": text[:_LONGEST_KEPT].replace("\\", "/")}
    stored: dict[str, Any] = json.loads(text)
    return stored
