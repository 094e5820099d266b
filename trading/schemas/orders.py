"""Bodies of orders."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trading.quotes import LONGEST
from trading.schemas.coins import CoinName
from wallets.web.amounts import CoinIn, CoinOut, PriceIn, PriceOut, UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples
from wallets.web.lists import ListQuery

State = Literal["pending", "aggregated", "held", "settling", "completed", "refunded", "cancelled"]


def _describe_without_null(schema: dict[str, Any], *names: str) -> None:
    for name in names:
        [given] = [choice for choice in schema["properties"][name].pop("anyOf") if choice != {"type": "null"}]
        schema["properties"][name] |= given


def _describe_quote_body(schema: dict[str, Any]) -> None:
    """Describe the rule of QuoteBody's validator: exactly one of `amount` and `total`, and no null."""
    _describe_without_null(schema, "amount", "total")
    schema["oneOf"] = [{"required": ["amount"]}, {"required": ["total"]}]
    schema["examples"] = [{"crypto": "ABAN", "amount": "3"}, {"crypto": "ABAN", "total": "12.00"}]


def _describe_order_body(schema: dict[str, Any]) -> None:
    """Describe the rules of OrderBody's validator: a quote alone, or a coin and one of `amount` and `total`."""
    _describe_without_null(schema, "crypto", "amount", "total", "max_price", "quote")
    schema["oneOf"] = [
        {"required": ["crypto", "amount"], "not": {"required": ["quote"]}},
        {"required": ["crypto", "total"], "not": {"required": ["quote"]}},
        {"required": ["quote"], "maxProperties": 1},
    ]
    schema["examples"] = [
        {"crypto": "ABAN", "amount": "3"},
        {"crypto": "ABAN", "total": "12.00", "max_price": "4.10"},
        {"quote": "ABAN:WyI3ZjE…"},
    ]


def _one_of_amount_and_total(body: Request) -> None:
    given = {"amount", "total"} & body.model_fields_set
    if len(given) != 1 or getattr(body, given.pop()) is None:
        raise ValueError("give exactly one of amount and total")


class QuoteBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars. What is charged for `total` never exceeds it."""

    model_config = ConfigDict(json_schema_extra=_describe_quote_body)

    crypto: CoinName
    amount: CoinIn | None = None
    total: UsdIn | None = None

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


class OrderBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars, or a `quote` alone.

    The charge of an order by `total` never exceeds it, fee included. `max_price` is the most that one coin may cost,
    spread included and fee not.
    """

    model_config = ConfigDict(json_schema_extra=_describe_order_body)

    crypto: CoinName | None = None
    amount: CoinIn | None = None
    total: UsdIn | None = None
    max_price: PriceIn | None = None
    quote: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None

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
    state: State
    is_aggregated: bool
    pool: PoolAnswer | None
    reason: str | None
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
    ] = 0


class OrderQuery(ListQuery):
    state: Annotated[State | None, Field(description="Only orders in this state.")] = None
    crypto: Annotated[CoinName | None, Field(description="Only orders of this coin.")] = None
