"""What the shop's endpoints take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from wallets.schemas import CoinIn, CoinOut, ListQuery, Request, Response, UsdIn, UsdOut, examples

CoinName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$", examples=["ABAN"])]
# Of any form: what is not sold is not found.
CoinInPath = Annotated[str, WithJsonSchema({"type": "string", "examples": ["ABAN"]})]
State = Literal["pending", "aggregated", "held", "settling", "completed", "refunded", "cancelled"]


_COIN = {
    "name": "ABAN",
    "title": "Abantether",
    "price": "4.00000000",
    "price_at": "2026-01-31T12:00:00Z",
    "price_source": "binance",
    "is_available": True,
}


class CoinAnswer(Response):
    """A coin on sale; prices in US dollars a coin. While `is_available` is false, orders are refused."""

    model_config = examples(_COIN)

    name: str
    title: str
    price: CoinOut | None
    price_at: datetime | None
    price_source: str | None
    is_available: bool


class PricePoint(Response):
    price: CoinOut
    at: datetime


class CoinDetailAnswer(CoinAnswer):
    """A coin with its limits, in coins, and its last price changes, newest first."""

    model_config = examples(
        {
            **_COIN,
            "minimum": "0.00000001",
            "maximum": "1000000.00000000",
            "step": "0.00000001",
            "history": [{"price": "4.00000000", "at": "2026-01-31T12:00:00Z"}],
        }
    )

    minimum: CoinOut
    maximum: CoinOut
    step: CoinOut
    history: list[PricePoint]


def _describe_order_body(schema: dict[str, Any]) -> None:
    """Say what the validator below asks for: one of the two, and no null."""
    for name in ("amount", "total"):
        [given] = [choice for choice in schema["properties"][name].pop("anyOf") if choice != {"type": "null"}]
        schema["properties"][name] |= given
    schema["oneOf"] = [{"required": ["amount"]}, {"required": ["total"]}]
    schema["examples"] = [{"crypto": "ABAN", "amount": "3"}, {"crypto": "ABAN", "total": "12.00"}]


class OrderBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars: an order by total never costs more than it."""

    model_config = ConfigDict(json_schema_extra=_describe_order_body)

    crypto: CoinName
    amount: CoinIn | None = None
    total: UsdIn | None = None

    @model_validator(mode="after")
    def exactly_one_of_amount_and_total(self) -> Self:
        given = {"amount", "total"} & self.model_fields_set
        if len(given) != 1 or getattr(self, given.pop()) is None:
            raise ValueError("give exactly one of amount and total")
        return self


class PoolAnswer(Response):
    """The pool that a small order waits in: it is bought when `total` reaches `threshold`, or at `settle_by`."""

    total: UsdOut
    threshold: UsdOut
    settle_by: datetime


class OrderAnswer(Response):
    """An order. `total_price` is what was charged; `reason` says why it is held, refunded or cancelled."""

    model_config = examples(
        {
            "id": 1,
            "crypto": "ABAN",
            "amount": "3.00000000",
            "price": "4.00000000",
            "total_price": "12.00",
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
    state: Annotated[State | None, Field(description="In this state.")] = None
    crypto: Annotated[CoinName | None, Field(description="Of this coin.")] = None


class HoldingAnswer(Response):
    """Coins the customer holds: what they cost, and what they are worth at the current price, if there is one."""

    model_config = examples(
        {"crypto": "ABAN", "amount": "3.00000000", "cost": "12.00", "price": "4.00000000", "value": "12.00"}
    )

    crypto: str
    amount: CoinOut
    cost: UsdOut
    price: CoinOut | None
    value: UsdOut | None
