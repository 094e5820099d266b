"""Accounts, wallet and transactions over HTTP."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from wallets.callers import AccessToken, Anybody, FreshAccessToken, caller, limit_caller
from wallets.http import (
    Answer,
    IdempotencyHeader,
    link_next,
    mark_replayed,
    refuse_unknown_parameters,
)
from wallets.idempotency import idempotency_key
from wallets.limits import LOGIN, LOGIN_ADDRESS, REGISTER, WALLET
from wallets.models import Transaction
from wallets.problems import ANYBODY, BODY, LIST, MONEY, SIGNED_IN, answers
from wallets.schemas import (
    CashRequest,
    Credentials,
    RefreshRequest,
    Registration,
    Tokens,
    TransactionAnswer,
    TransactionQuery,
    WalletAnswer,
)
from wallets.selectors import (
    TransactionFilters,
    direction_of,
    get_dollar_balance,
    get_transaction,
    list_transactions,
)
from wallets.services import accounts, cash, tokens

accounts_router = Router(tags=["accounts"])
transactions_router = Router(tags=["transactions"], auth=FreshAccessToken())


@accounts_router.post(
    "auth/register/",
    auth=Anybody(REGISTER),
    operation_id="register",
    summary="Open an account",
    **answers({201: Tokens}, *BODY, *ANYBODY, "username_taken"),
)
def register(request: HttpRequest, body: Registration) -> Status[tokens.TokenPair]:
    """Opens an account with an empty dollar wallet, and signs it in."""
    pair = accounts.register(username=body.username, password=body.password, email=body.email, now=timezone.now())
    return Status(201, pair)


@accounts_router.post(
    "auth/login/",
    auth=Anybody(LOGIN_ADDRESS),
    operation_id="login",
    summary="Sign in",
    **answers({200: Tokens}, *BODY, *ANYBODY, "invalid_credentials"),
)
def login(request: HttpRequest, body: Credentials) -> tokens.TokenPair:
    """Exchanges username and password for tokens. Attempts are limited by account and by address."""
    limit_caller(request, LOGIN, caller=body.username.casefold())
    return accounts.sign_in(username=body.username, password=body.password, now=timezone.now())


@accounts_router.post(
    "auth/refresh/",
    auth=Anybody(),
    operation_id="refreshTokens",
    summary="Get the next pair of tokens",
    **answers({200: Tokens}, *BODY, *ANYBODY, "token_invalid"),
)
def refresh(request: HttpRequest, body: RefreshRequest) -> tokens.TokenPair:
    """Exchanges a refresh token for a new pair; the old one is dead. Using it again ends the sign-in it belongs to."""
    return tokens.rotate_refresh_token(refresh=body.refresh, now=timezone.now())


@accounts_router.post(
    "auth/logout/",
    auth=FreshAccessToken(),
    operation_id="logout",
    summary="Sign out",
    **answers({204: None}, *BODY, *SIGNED_IN),
)
def logout(request: HttpRequest, body: RefreshRequest) -> Status[None]:
    """Ends the sign-in that the refresh token belongs to."""
    tokens.sign_out(refresh=body.refresh, user_id=caller(request).user_id, now=timezone.now())
    return Status(204, None)


@accounts_router.get(
    "wallet/",
    auth=AccessToken(),
    operation_id="getWallet",
    summary="Look at the wallet",
    **answers({200: WalletAnswer}, *SIGNED_IN, "not_found"),
)
def wallet(request: HttpRequest) -> Answer:
    """The caller's dollar wallet."""
    return {"balance": get_dollar_balance(principal=caller(request))}


@accounts_router.patch(
    "wallet/deposit/",
    auth=AccessToken(limit=WALLET),
    operation_id="deposit",
    summary="Deposit dollars",
    **answers({200: WalletAnswer}, *BODY, *SIGNED_IN, *MONEY, "not_allowed", "idempotency_key_reused"),
)
def deposit(request: HttpRequest, response: HttpResponse, body: CashRequest, idempotency: IdempotencyHeader) -> Answer:
    """Puts dollars into the wallet, where customers may do so by themselves: in a sandbox."""
    key = idempotency_key(key=idempotency, request={"amount": body.amount})
    moved = cash.deposit(principal=caller(request), amount=body.amount, key=key, now=timezone.now())
    mark_replayed(response, replayed=moved.replayed)
    return {"balance": moved.balance}


@accounts_router.patch(
    "wallet/withdraw/",
    auth=AccessToken(limit=WALLET),
    operation_id="withdraw",
    summary="Withdraw dollars",
    **answers({200: WalletAnswer}, *BODY, *SIGNED_IN, *MONEY, "insufficient_funds", "idempotency_key_reused"),
)
def withdraw(request: HttpRequest, response: HttpResponse, body: CashRequest, idempotency: IdempotencyHeader) -> Answer:
    """Takes dollars out of the wallet."""
    key = idempotency_key(key=idempotency, request={"amount": body.amount})
    moved = cash.withdraw(principal=caller(request), amount=body.amount, key=key, now=timezone.now())
    mark_replayed(response, replayed=moved.replayed)
    return {"balance": moved.balance}


@transactions_router.get(
    "",
    operation_id="listTransactions",
    summary="List movements",
    **answers({200: list[TransactionAnswer]}, *LIST, *SIGNED_IN),
)
def transactions(request: HttpRequest, response: HttpResponse, query: Query[TransactionQuery]) -> list[Answer]:
    """The movements of the caller's dollar wallet, newest first."""
    refuse_unknown_parameters(request, known=TransactionQuery)
    filters = TransactionFilters(
        direction=query.type,
        order_id=query.order_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = list_transactions(
        customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor
    )
    link_next(request, response, cursor=page.next_cursor)
    return [_transaction_answer(row) for row in page.rows]


@transactions_router.get(
    "{int:transaction_id}/",
    operation_id="getTransaction",
    summary="Look at a movement",
    **answers({200: TransactionAnswer}, *SIGNED_IN, "not_found"),
)
def one_transaction(request: HttpRequest, transaction_id: int) -> Answer:
    """One movement of the caller's dollar wallet."""
    return _transaction_answer(get_transaction(customer_id=caller(request).user_id, transaction_id=transaction_id))


def _transaction_answer(row: Transaction) -> Answer:
    return {
        "id": row.pk,
        "type": direction_of(kind=row.kind),
        "kind": row.kind,
        "amount": row.amount,
        "balance_after": row.balance_after,
        "order_id": row.order_id,
        "created_at": row.created_at,
    }
