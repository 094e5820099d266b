"""Bodies of holdings."""

from wallets.web.amounts import CoinOut, UsdOut
from wallets.web.bodies import Response, examples


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
