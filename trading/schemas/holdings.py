"""Bodies of holdings."""

from wallets.web.amounts import CoinOut, PriceOut, UsdOut
from wallets.web.bodies import Response, examples


class HoldingAnswer(Response):
    """A coin that the customer holds.

    `cost` is the sum of the charges for completed orders. `value` is at the current price, and null without a price.
    """

    model_config = examples(
        {"crypto": "ABAN", "amount": "3.00000000", "cost": "12.00", "price": "4.00000000", "value": "12.00"}
    )

    crypto: str
    amount: CoinOut
    cost: UsdOut
    price: PriceOut | None
    value: UsdOut | None
