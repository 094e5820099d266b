"""Bodies of movements."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from wallets.web.amounts import UsdOut
from wallets.web.bodies import Response, examples
from wallets.web.lists import ListQuery


class TransactionQuery(ListQuery):
    type: Annotated[Literal["deposit", "withdrawal"] | None, Field(description="Only movements of this type.")] = None
    order_id: Annotated[int | None, Field(ge=1, lt=2**63, description="Only movements of this order.")] = None


class TransactionAnswer(Response):
    """A movement of the customer's dollar wallet. `type` is `deposit` for dollars in, `withdrawal` for dollars out.

    A `return` is a deposit that its bank took back, what pays for it later, or such dollars when they come again. A
    `correction` reverses a movement that was booked wrongly, and `goodwill` is a gift of the house.
    """

    model_config = examples(
        {
            "id": 2,
            "type": "withdrawal",
            "kind": "purchase",
            "amount": "12.00",
            "balance_after": "88.00",
            "order_id": 1,
            "created_at": "2026-01-31T12:00:00Z",
        }
    )

    id: int
    type: Literal["deposit", "withdrawal"]
    kind: Literal[
        "deposit", "withdrawal", "purchase", "refund", "price_improvement", "return", "goodwill", "correction"
    ]
    amount: UsdOut
    balance_after: UsdOut
    order_id: int | None
    created_at: datetime
