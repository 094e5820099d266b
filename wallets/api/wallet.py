"""The dollar wallet over HTTP."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from wallets.api.payouts import HOLDS
from wallets.exceptions import DepositsClosed, IdempotencyKeyReused, InsufficientFunds, NotFound
from wallets.problems import answers
from wallets.runtime.idempotency import idempotency_key
from wallets.schemas.wallet import CashRequest, OwnWalletAnswer, WalletAnswer, WithdrawalRequest
from wallets.selectors.ledger import get_dollar_wallet
from wallets.services import cash
from wallets.web.bodies import Body
from wallets.web.callers import AccessToken, caller
from wallets.web.limits import WALLET
from wallets.web.problems import BODY, MONEY, SIGNED_IN
from wallets.web.requests import IdempotencyHeader, mark_replayed

wallet_router = Router(tags=["accounts"])


@wallet_router.get(
    "wallet/",
    auth=AccessToken(),
    operation_id="getWallet",
    summary="Look at the wallet",
    **answers({200: OwnWalletAnswer}, *SIGNED_IN, NotFound),
)
def wallet(request: HttpRequest) -> OwnWalletAnswer:
    """Returns the caller's dollar wallet: its balance, how much of it can be paid out, the dollars in open orders and
    payouts beside it, and the reference to give with a bank transfer to it.
    """
    return OwnWalletAnswer.model_validate(get_dollar_wallet(principal=caller(request)))


@wallet_router.patch(
    "wallet/deposit/",
    auth=AccessToken(limit=WALLET),
    operation_id="deposit",
    summary="Deposit dollars",
    **answers({200: WalletAnswer}, *BODY, *SIGNED_IN, *MONEY, DepositsClosed, IdempotencyKeyReused),
)
def deposit(request: HttpRequest, response: HttpResponse, body: CashRequest, idempotency: IdempotencyHeader) -> Body:
    """Adds dollars to the wallet, if the server allows customers to deposit by themselves, as in a sandbox."""
    key = idempotency_key(key=idempotency, request={"amount": body.amount})
    moved = cash.deposit(principal=caller(request), amount=body.amount, key=key)
    mark_replayed(response, replayed=moved.replayed)
    return {"balance": moved.balance}


@wallet_router.patch(
    "wallet/withdraw/",
    auth=AccessToken(limit=WALLET),
    operation_id="withdraw",
    summary="Withdraw dollars",
    **answers({200: WalletAnswer}, *BODY, *SIGNED_IN, *MONEY, *HOLDS, InsufficientFunds, IdempotencyKeyReused),
)
def withdraw(
    request: HttpRequest, response: HttpResponse, body: WithdrawalRequest, idempotency: IdempotencyHeader
) -> Body:
    """Takes dollars out of the wallet: a payout to the first payee. A sandbox needs no payee, and counts it as paid."""
    key = idempotency_key(key=idempotency, request={"amount": body.amount})
    moved = cash.withdraw(principal=caller(request), amount=body.amount, key=key, otp=body.otp)
    mark_replayed(response, replayed=moved.replayed)
    return {"balance": moved.balance}
