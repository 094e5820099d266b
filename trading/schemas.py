"""What the shop's endpoints take and give."""

from datetime import datetime
from typing import Annotated, Literal, Self

from ninja import Schema
from pydantic import Field, model_validator

from wallets.schemas import CoinIn, CoinOut, ListQuery, Request, UsdIn, UsdOut

CoinName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$", examples=["ABAN"])]
State = Literal["pending", "aggregated", "held", "settling", "completed", "refunded", "cancelled"]


class CoinAnswer(Schema):
    """A coin on sale; prices in US dollars a coin. While `is_available` is false, orders are refused."""

    name: str
    title: str
    price: CoinOut | None
    price_at: datetime | None
    price_source: str | None
    is_available: bool


class PricePoint(Schema):
    price: CoinOut
    at: datetime


class CoinDetailAnswer(CoinAnswer):
    minimum: CoinOut
    maximum: CoinOut
    step: CoinOut
    history: list[PricePoint]


class OrderBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars: an order by total never costs more than it."""

    crypto: CoinName
    amount: CoinIn | None = None
    total: UsdIn | None = None

    @model_validator(mode="after")
    def exactly_one_of_amount_and_total(self) -> Self:
        given = {"amount", "total"} & self.model_fields_set
        if len(given) != 1 or getattr(self, given.pop()) is None:
            raise ValueError("give exactly one of amount and total")
        return self


class PoolAnswer(Schema):
    """The pool that a small order waits in: it is bought when `total` reaches `threshold`, or at `settle_by`."""

    total: UsdOut
    threshold: UsdOut
    settle_by: datetime


class OrderAnswer(Schema):
    id: int
    crypto: str
    amount: CoinOut
    price: CoinOut
    total_price: UsdOut
    state: State
    is_aggregated: bool
    pool: PoolAnswer | None
    reason: str | None
    created_at: datetime
    settling_at: datetime | None
    completed_at: datetime | None
    refunded_at: datetime | None
    cancelled_at: datetime | None


class OrderQuery(ListQuery):
    state: State | None = None
    crypto: CoinName | None = None


class HoldingAnswer(Schema):
    """Coins the customer holds: what they cost, and what they are worth at the current price, if there is one."""

    crypto: str
    amount: CoinOut
    cost: UsdOut
    price: CoinOut | None
    value: UsdOut | None
