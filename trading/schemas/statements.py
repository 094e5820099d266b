"""Bodies of monthly statements."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from wallets.schemas.transactions import TransactionAnswer
from wallets.web.amounts import CoinOut, PriceOut, UsdOut
from wallets.web.bodies import Response, examples

MonthInPath = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-01"])]
"""A month of UTC, such as 2026-01."""


class HoldingThenAnswer(Response):
    """A coin that the customer held at the end of the month.

    `cost` is the sum of the charges for orders completed by then. `price` is the venue's ask that was read last before
    the end, without our spread; `price_at` says since when it held, and `price_source` where it was read. It is null,
    and so is `value`, if no price of that time is kept. `value` is rounded down.
    """

    crypto: str
    amount: CoinOut
    cost: UsdOut
    price: PriceOut | None
    price_at: datetime | None
    price_source: str | None
    value: UsdOut | None


class StatementAnswer(Response):
    """A month of UTC: opening + incoming - outgoing = closing, and the movements that add up to that, oldest first.

    Until `is_final`, the month has not ended, and closing and holdings are those of the moment of the answer (`as_of`).
    """

    model_config = examples(
        {
            "month": "2026-01",
            "currency": "USD",
            "begins_at": "2026-01-01T00:00:00Z",
            "ends_at": "2026-02-01T00:00:00Z",
            "as_of": "2026-02-01T00:00:00Z",
            "is_final": True,
            "opening": "0.00",
            "incoming": "100.00",
            "outgoing": "12.00",
            "closing": "88.00",
            "holdings": [
                {
                    "crypto": "ABAN",
                    "amount": "3.00000000",
                    "cost": "12.00",
                    "price": "3.98000000",
                    "price_at": "2026-01-31T23:59:58Z",
                    "price_source": "binance",
                    "value": "11.94",
                }
            ],
            "holdings_cost": "12.00",
            "holdings_value": "11.94",
            "movements": [
                {
                    "id": 1,
                    "type": "deposit",
                    "kind": "deposit",
                    "amount": "100.00",
                    "balance_after": "100.00",
                    "order_id": None,
                    "created_at": "2026-01-31T11:00:00Z",
                },
                {
                    "id": 2,
                    "type": "withdrawal",
                    "kind": "purchase",
                    "amount": "12.00",
                    "balance_after": "88.00",
                    "order_id": 1,
                    "created_at": "2026-01-31T12:00:00Z",
                },
            ],
        }
    )

    month: str
    currency: str
    begins_at: datetime
    ends_at: datetime
    as_of: datetime
    is_final: bool
    opening: UsdOut
    incoming: UsdOut
    outgoing: UsdOut
    closing: UsdOut
    holdings: list[HoldingThenAnswer]
    holdings_cost: UsdOut
    holdings_value: UsdOut | None
    movements: list[TransactionAnswer]  # the last one, because it is written while it is read
