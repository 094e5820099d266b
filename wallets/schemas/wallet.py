"""Bodies of the dollar wallet."""

from wallets.money import USD
from wallets.schemas.accounts import Otp
from wallets.web.amounts import UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples


class CashRequest(Request):
    """An amount of US dollars."""

    model_config = examples({"amount": "100.00"})

    amount: UsdIn


class WithdrawalRequest(CashRequest):
    """An amount of US dollars, and a one-time code or a recovery code if the second factor is on."""

    model_config = examples({"amount": "100.00"}, {"amount": "100.00", "otp": "123456"})

    otp: Otp | None = None


class WalletAnswer(Response):
    """The wallet after a movement."""

    model_config = examples({"balance": "100.00", "currency": "USD"})

    balance: UsdOut
    currency: str = USD


class OwnWalletAnswer(WalletAnswer):
    """The wallet. `balance` is `available` and `on_hold`; what is on hold buys coins and is not paid out yet.

    `in_orders` and `in_payouts` are beside the balance: dollars of open orders, and of payouts that are not sent.
    `reference` is the payment reference (ISO 11649) of bank transfers to the wallet.
    """

    model_config = examples(
        {
            "balance": "100.00",
            "currency": "USD",
            "available": "80.00",
            "on_hold": "20.00",
            "in_orders": "12.00",
            "in_payouts": "0.00",
            "reference": "RF25B5A9C0D1E2F34A5B",
        }
    )

    available: UsdOut
    on_hold: UsdOut
    in_orders: UsdOut
    in_payouts: UsdOut
    reference: str
