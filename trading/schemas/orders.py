"""Bodies of orders."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from trading.schemas.coins import CoinName
from wallets.web.amounts import CoinIn, CoinOut, PriceOut, UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples
from wallets.web.lists import ListQuery

State = Literal["pending", "aggregated", "held", "settling", "completed", "refunded", "cancelled"]


def _describe_order_body(schema: dict[str, Any]) -> None:
    """Describe the rule of OrderBody's validator: exactly one of `amount` and `total`, and no null."""
    for name in ("amount", "total"):
        [given] = [choice for choice in schema["properties"][name].pop("anyOf") if choice != {"type": "null"}]
        schema["properties"][name] |= given
    schema["oneOf"] = [{"required": ["amount"]}, {"required": ["total"]}]
    schema["examples"] = [{"crypto": "ABAN", "amount": "3"}, {"crypto": "ABAN", "total": "12.00"}]


class OrderBody(Request):
    """Either `amount`, in coins, or `total`, in US dollars. The charge of an order by `total` never exceeds it."""

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
    """The pool in which a small order waits.

    The pool is bought when `total` reaches `threshold`. Otherwise it is bought or refunded at the time `settle_by`.
    """

    total: UsdOut
    threshold: UsdOut
    settle_by: datetime


class OrderAnswer(Response):
    """An order. `total_price` is its charge; `reason` says why the order is held, refunded or cancelled.

    The reason of an order that waits is `venue_unclear` while the outcome of a purchase of its coin is unknown.
    """

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
    price: PriceOut
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
    state: Annotated[State | None, Field(description="Only orders in this state.")] = None
    crypto: Annotated[CoinName | None, Field(description="Only orders of this coin.")] = None
