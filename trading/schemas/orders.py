"""Bodies of orders."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from trading.quotes import LONGEST
from trading.schemas.coins import CoinName
from wallets.web.amounts import CoinIn, CoinOut, PriceIn, PriceOut, UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples
from wallets.web.described import Schema, Words, describe_without_null, enumeration, one_of
from wallets.web.lists import PLAIN_INTEGER, ListQuery

OrderState = Annotated[
    Literal["pending", "aggregated", "held", "settling", "completed", "refunded", "cancelled"],
    Words(
        name="OrderState",
        about="How far an order is. `completed`, `refunded` and `cancelled` are final, and stay the only final states.",
        values={
            "pending": "It waits for its purchase. It can be cancelled.",
            "aggregated": "It waits in its coin's pool. It can be cancelled.",
            "held": "It is unusual, and waits for staff to decide.",
            "settling": "Its coins are being bought.",
            "completed": "The customer holds the coins.",
            "refunded": "Its coins were not bought. The wallet has the dollars again.",
            "cancelled": "It was cancelled before its purchase. The wallet has the dollars again.",
        },
    ),
]
OrderReason = Annotated[
    str,
    WithJsonSchema(
        enumeration(
            "OrderReason",
            "Why an order waits, is held, was refunded or was cancelled.",
            {
                "venue_unclear": "It waits, because the outcome of a purchase of its coin is unknown.",
                "under_review": "It is held until staff decide.",
                "refused_after_review": "Staff have refused it.",
                "not_listed": "The venue no longer lists its coin.",
                "refunded_by_staff": "Staff have refunded it, because its coins could not be bought.",
                "price_moved": "The price had moved too far before its coins were bought.",
                "pool_timed_out": "Its pool did not fill in time.",
                "refused_by_the_exchange": "The venue will not sell the coin.",
                "cancelled_by_customer": "The customer has cancelled it.",
                "deposit_returned": "The bank took a deposit of the customer back.",
            },
        )
    ),
]


QuoteText = Annotated[str, Field(min_length=1, max_length=LONGEST)]


def _one_of_amount_and_total(body: Request) -> None:
    given = {"amount", "total"} & body.model_fields_set
    if len(given) != 1 or getattr(body, given.pop()) is None:
        raise ValueError("give exactly one of amount and total")


class QuoteByAmount(Request):
    """How much `amount` coins cost."""

    model_config = examples({"crypto": "ABAN", "amount": "3"})

    crypto: CoinName
    amount: CoinIn


class QuoteByTotal(Request):
    """How many coins `total` US dollars buy, fee included. What is charged never exceeds it."""

    model_config = examples({"crypto": "ABAN", "total": "12.00"})

    crypto: CoinName
    total: UsdIn


class QuoteBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars. What is charged for `total` never exceeds it."""

    crypto: CoinName
    amount: CoinIn | None = None
    total: UsdIn | None = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return one_of(cls, handler, QuoteByAmount, QuoteByTotal)

    @model_validator(mode="after")
    def exactly_one_of_amount_and_total(self) -> Self:
        _one_of_amount_and_total(self)
        return self


class QuoteAnswer(Response):
    """A firm price. An order with `{"quote": …}` alone pays exactly `total_price`, if it comes before `expires_at`.

    Only the caller can use the quote, and only once. It is withdrawn if the coin is no longer sold, or if the market
    price has risen by more than the spread and half a percent.
    """

    model_config = examples(
        {
            "quote": "ABAN:WyI3ZjE…",
            "crypto": "ABAN",
            "amount": "3.00000000",
            "market_price": "4.00000000",
            "price": "4.02402403",
            "subtotal": "12.08",
            "fee": "0.00",
            "total_price": "12.08",
            "expires_at": "2026-01-31T12:00:10Z",
        }
    )

    quote: str
    crypto: str
    amount: CoinOut
    market_price: PriceOut
    price: PriceOut
    subtotal: UsdOut
    fee: UsdOut
    total_price: UsdOut
    expires_at: datetime


def _describe_priced(*examples: Schema) -> ConfigDict:
    def describe(schema: Schema) -> None:
        describe_without_null(schema, "max_price")
        schema["examples"] = list(examples)

    return ConfigDict(json_schema_extra=describe)


class OrderByAmount(Request):
    """Buys `amount` coins. `max_price` is the most that one coin may cost, spread included and fee not."""

    model_config = _describe_priced({"crypto": "ABAN", "amount": "3"})

    crypto: CoinName
    amount: CoinIn
    max_price: PriceIn | None = None


class OrderByTotal(Request):
    """Buys as many coins as `total` US dollars pay for. The charge never exceeds it, fee included.

    `max_price` is the most that one coin may cost, spread included and fee not.
    """

    model_config = _describe_priced({"crypto": "ABAN", "total": "12.00", "max_price": "4.10"})

    crypto: CoinName
    total: UsdIn
    max_price: PriceIn | None = None


class OrderByQuote(Request):
    """Buys what a `quote` promises, at its price."""

    model_config = examples({"quote": "ABAN:WyI3ZjE…"})

    quote: QuoteText


class OrderBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars, or a `quote` alone."""

    crypto: CoinName | None = None
    amount: CoinIn | None = None
    total: UsdIn | None = None
    max_price: PriceIn | None = None
    quote: QuoteText | None = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return one_of(cls, handler, OrderByAmount, OrderByTotal, OrderByQuote)

    @model_validator(mode="after")
    def a_quote_alone_or_a_coin_with_amount_or_total(self) -> Self:
        given = self.model_fields_set
        if any(getattr(self, name) is None for name in given):
            raise ValueError("leave out what is null")
        if "quote" in given:
            if len(given) != 1:
                raise ValueError("give a quote alone")
            return self
        if self.crypto is None:
            raise ValueError("give a crypto, or a quote alone")
        _one_of_amount_and_total(self)
        return self


class PoolAnswer(Response):
    """The pool in which a small order waits.

    The pool is bought when `total` reaches `threshold`. Otherwise it is bought or refunded at the time `settle_by`.
    """

    total: UsdOut
    threshold: UsdOut
    settle_by: datetime


class OrderAnswer(Response):
    """An order. `total_price` is its charge: `subtotal`, amount times price rounded up to the cent, and `fee`.

    `market_price` is null in orders from before price rules, which paid no fee. `rebate` is what the customer got back
    on completion, because the purchase cost less; the other figures stay as they were charged. `reason` says why the
    order is held, refunded or cancelled. The reason of an order that waits is `venue_unclear` while the outcome of a
    purchase of its coin is unknown.
    """

    model_config = examples(
        {
            "id": 1,
            "crypto": "ABAN",
            "amount": "3.00000000",
            "price": "4.00000000",
            "market_price": "3.98003980",
            "subtotal": "12.00",
            "fee": "0.00",
            "total_price": "12.00",
            "rebate": "0.00",
            "state": "completed",
            "is_aggregated": False,
            "pool": None,
            "reason": None,
            "created_at": "2026-01-31T12:00:00Z",
            "settling_at": "2026-01-31T12:00:00.080Z",
            "completed_at": "2026-01-31T12:00:00.310Z",
            "refunded_at": None,
            "cancelled_at": None,
        }
    )

    id: int
    crypto: str
    amount: CoinOut
    price: PriceOut
    market_price: PriceOut | None
    subtotal: UsdOut
    fee: UsdOut
    total_price: UsdOut
    rebate: UsdOut
    state: OrderState
    is_aggregated: bool
    pool: PoolAnswer | None
    reason: OrderReason | None
    created_at: datetime
    settling_at: datetime | None
    completed_at: datetime | None
    refunded_at: datetime | None
    cancelled_at: datetime | None


LONGEST_WAIT: Final = 20
"""Seconds. Proxies end connections on which nothing comes for a while, nginx here after 30 s."""


class WaitQuery(BaseModel):
    wait: Annotated[
        int,
        Field(ge=0, le=LONGEST_WAIT, description="Answer at the next change of `state`, or after so many seconds."),
        PLAIN_INTEGER,
    ] = 0


class OrderQuery(ListQuery):
    state: Annotated[OrderState | None, Field(description="Only orders in this state.")] = None
    crypto: Annotated[CoinName | None, Field(description="Only orders of this coin.")] = None
