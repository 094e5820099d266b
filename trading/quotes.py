"""Quotes: firm prices for a short time. A quote is signed and not stored; the order that uses it keeps its id.

The text of a quote is its coin's name, its fields and a signature, so that nothing of it can be altered. Only an order
of its customer may use it, once, and only until it expires.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.core.signing import BadSignature, Signer, b64_decode, b64_encode

LONGEST: Final = 512
"""The most characters of a quote's text."""

MOST_MOVE: Final = Decimal("0.005")
"""How far the ask may rise beyond the quote's spread, as a share, until the quote is withdrawn."""


@dataclass(frozen=True, kw_only=True)
class PricedAmount:
    """An amount of a coin with everything that its order pays; prices and dollars are US dollars.

    `rule_id` is the price rule that held, if any.
    """

    amount: Decimal
    market_price: Decimal
    price: Decimal
    price_source: str
    price_at: datetime
    spread_rate: Decimal
    rule_id: int | None
    subtotal: Decimal
    fee: Decimal

    @property
    def charge(self) -> Decimal:
        """The dollars that the wallet is charged."""
        return self.subtotal + self.fee


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A promise to one customer to sell an amount of a coin at a price, until `expires_at`."""

    id: UUID
    customer_id: int
    coin_name: str
    expires_at: datetime
    priced: PricedAmount

    def has_moved_too_far(self, *, ask: Decimal) -> bool:
        """Say whether the ask is above the quote's market price by more than the quote's spread and MOST_MOVE."""
        return ask > self.priced.market_price * (1 + self.priced.spread_rate + MOST_MOVE)


def sign_quote(quote: Quote) -> str:
    """Return the text of a quote: at most LONGEST visible characters."""
    priced = quote.priced
    fields = [
        quote.id.hex,
        quote.customer_id,
        quote.expires_at.isoformat(),
        *(f"{value:f}" for value in (priced.amount, priced.market_price, priced.price)),
        priced.price_source,
        priced.price_at.isoformat(),
        f"{priced.spread_rate:f}",
        priced.rule_id,
        *(f"{value:f}" for value in (priced.subtotal, priced.fee)),
    ]
    encoded = b64_encode(json.dumps(fields, separators=(",", ":")).encode()).decode()
    return _signer().sign(f"{quote.coin_name}:{encoded}")


@lru_cache(maxsize=64)
def read_quote(text: str) -> Quote | None:
    """Return the quote of a text; None unless it is one of ours, unaltered. Cached, because an order reads it twice."""
    try:
        coin_name, _, encoded = _signer().unsign(text).partition(":")
    except BadSignature:
        return None
    return _from_fields(coin_name, json.loads(b64_decode(encoded.encode())))


def _from_fields(coin_name: str, fields: list[Any]) -> Quote:
    quote_id, customer_id, expires_at, amount, market_price, price, source, price_at, spread, rule_id, *dollars = fields
    subtotal, fee = map(Decimal, dollars)
    return Quote(
        id=UUID(quote_id),
        customer_id=customer_id,
        coin_name=coin_name,
        expires_at=datetime.fromisoformat(expires_at),
        priced=PricedAmount(
            amount=Decimal(amount),
            market_price=Decimal(market_price),
            price=Decimal(price),
            price_source=source,
            price_at=datetime.fromisoformat(price_at),
            spread_rate=Decimal(spread),
            rule_id=rule_id,
            subtotal=subtotal,
            fee=fee,
        ),
    )


def _signer() -> Signer:
    """Return the signer of quotes. Increase the number when the fields change: older quotes are then not ours."""
    return Signer(salt="trading.quotes 1")
