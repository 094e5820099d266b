"""Bodies of deposits."""

from datetime import datetime
from typing import Annotated, Literal

from wallets.web.amounts import UsdOut
from wallets.web.bodies import Response, examples
from wallets.web.described import Words

DepositState = Annotated[
    Literal["credited"],
    Words(
        name="DepositState",
        about="How far a deposit is.",
        values={"credited": "The wallet holds the dollars."},
    ),
]


class DepositAnswer(Response):
    """Dollars that came in.

    `source` is our account that received them, and `reference` its bank's name of the payment. `received_at` is the
    bank's time, and `created_at` the time from which the wallet holds them.
    """

    model_config = examples(
        {
            "id": 1,
            "amount": "100.00",
            "source": "GB33BUKB20201555555555",
            "reference": "2026013112345678",
            "state": "credited",
            "received_at": "2026-01-31T00:00:00Z",
            "created_at": "2026-01-31T12:00:00Z",
        }
    )

    id: int
    amount: UsdOut
    source: str
    reference: str
    state: DepositState
    received_at: datetime
    created_at: datetime
