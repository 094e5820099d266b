"""Bodies of the dollar wallet."""

from wallets.money import USD
from wallets.web.amounts import UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples


class CashRequest(Request):
    """An amount of US dollars."""

    model_config = examples({"amount": "100.00"})

    amount: UsdIn


class WalletAnswer(Response):
    """The wallet after a movement."""

    model_config = examples({"balance": "100.00", "currency": "USD"})

    balance: UsdOut
    currency: str = USD


class OwnWalletAnswer(WalletAnswer):
    """The wallet. `reference` is the payment reference (ISO 11649) of bank transfers to it."""

    model_config = examples({"balance": "100.00", "currency": "USD", "reference": "RF25B5A9C0D1E2F34A5B"})

    reference: str
