"""Bodies of movements."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from wallets.web.amounts import UsdOut
from wallets.web.bodies import Response, examples
from wallets.web.described import Words
from wallets.web.lists import PLAIN_INTEGER, ListQuery

TransactionType = Annotated[
    Literal["deposit", "withdrawal"],
    Words(
        name="TransactionType",
        about="The direction of a movement, seen from the customer's dollar wallet.",
        values={"deposit": "Dollars in.", "withdrawal": "Dollars out."},
        may_grow=False,
    ),
]
TransactionKind = Annotated[
    Literal["deposit", "withdrawal", "purchase", "refund", "price_improvement", "return", "goodwill", "correction"],
    Words(
        name="TransactionKind",
        about="The occasion of a movement.",
        values={
            "deposit": "The customer has deposited dollars.",
            "withdrawal": "Dollars were paid out to the customer, or will be.",
            "purchase": "The charge of an order.",
            "refund": "The charge of an order that was refunded or cancelled.",
            "price_improvement": "The rebate of an order whose purchase cost less.",
            "return": "A bank took a deposit back, or what followed from that.",
            "goodwill": "A gift of the house.",
            "correction": "Reverses a movement that was booked wrongly.",
        },
    ),
]


class TransactionQuery(ListQuery):
    type: Annotated[TransactionType | None, Field(description="Only movements of this type.")] = None
    order_id: Annotated[
        int | None, Field(ge=1, lt=2**63, description="Only movements of this order."), PLAIN_INTEGER
    ] = None


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
    type: TransactionType
    kind: TransactionKind
    amount: UsdOut
    balance_after: UsdOut
    order_id: int | None
    created_at: datetime
