"""Bodies of the dollar wallet."""

from wallets.money import USD
from wallets.web.amounts import UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples


class CashRequest(Request):
    """An amount of US dollars."""

    model_config = examples({"amount": "100.00"})

    amount: UsdIn


class WalletAnswer(Response):
    model_config = examples({"balance": "100.00", "currency": "USD"})

    balance: UsdOut
    currency: str = USD
