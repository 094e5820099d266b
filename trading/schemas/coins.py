"""Bodies of coins."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from wallets.web.amounts import CoinOut, PriceOut, RateOut
from wallets.web.bodies import Response, examples
from wallets.web.described import Words

CoinName = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,12}$", examples=["ABAN"])]
# Any text: an unknown coin is a 404, not a 422.
CoinInPath = Annotated[str, WithJsonSchema({"type": "string", "examples": ["ABAN"]})]
_COIN = {
    "name": "ABAN",
    "title": "Abantether",
    "price": "4.00000000",
    "price_at": "2026-01-31T12:00:00Z",
    "price_source": "binance",
    "is_available": True,
    "unavailable_reason": None,
    "minimum": "0.00000001",
    "maximum": "1000000.00000000",
    "step": "0.00000001",
    "fee_rate": "0.00000000",
}
UnavailableReason = Annotated[
    Literal["price_unavailable", "not_trading", "suspended", "sales_stopped", "closed"],
    Words(
        name="UnavailableReason",
        about="Why orders for a coin are refused now.",
        values={
            "price_unavailable": "There is no current price. Try again soon.",
            "not_trading": "The venues do not trade the coin now.",
            "suspended": "The price has jumped, and is not believed yet.",
            "sales_stopped": "Staff have stopped the sale of this coin.",
            "closed": "Nothing is sold now.",
        },
    ),
]


class CoinAnswer(Response):
    """A coin on sale; prices are in US dollars a coin, limits in coins.

    `price` is what a customer pays for one coin, spread included; the fee, `fee_rate` of the subtotal, comes on top.
    While `is_available` is false, orders are refused, and `unavailable_reason` says why. An amount is a multiple of
    `step` from `minimum` to `maximum`, which depends on the price unless the coin has one of its own; it is null while
    there is no price.
    """

    model_config = examples(_COIN)

    name: str
    title: str
    price: PriceOut | None
    price_at: datetime | None
    price_source: str | None
    is_available: bool
    unavailable_reason: UnavailableReason | None
    minimum: CoinOut
    maximum: CoinOut | None
    step: CoinOut
    fee_rate: RateOut


class PricePoint(Response):
    """A market price: without the spread."""

    price: PriceOut
    at: datetime


class CoinDetailAnswer(CoinAnswer):
    """A coin with its last price changes, newest first."""

    model_config = examples(
        {
            **_COIN,
            "history": [{"price": "4.00000000", "at": "2026-01-31T12:00:00Z"}],
        }
    )

    history: list[PricePoint]
