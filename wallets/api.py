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
from wallets.schemas import (
    CashRequest,
    Credentials,
    RefreshRequest,
    Registration,
    Tokens,
    TransactionAnswer,
    TransactionQuery,
    WalletAnswer,
    problems,
)
from wallets.selectors import (
    TransactionFilters,
    direction_of,
    get_dollar_wallet,
    get_transaction,
    list_transactions,
)
from wallets.services import accounts, cash, tokens

accounts_router = Router(tags=["accounts"])
transactions_router = Router(tags=["transactions"], auth=FreshAccessToken())

_BODY = (400, 413, 415, 422, 429, 503)


@accounts_router.post("auth/register/", auth=Anybody(REGISTER), response={201: Tokens, **problems(409, *_BODY)})
def register(request: HttpRequest, body: Registration) -> Status[tokens.TokenPair]:
    """Open an account with an empty dollar wallet."""
    pair = accounts.register(username=body.username, password=body.password, email=body.email, now=timezone.now())
    return Status(201, pair)


@accounts_router.post("auth/login/", auth=Anybody(LOGIN_ADDRESS), response={200: Tokens, **problems(401, *_BODY)})
def login(request: HttpRequest, body: Credentials) -> tokens.TokenPair:
    """Sign in with username and password."""
    limit_caller(request, limit=LOGIN, caller=body.username.casefold())
    return accounts.sign_in(username=body.username, password=body.password, now=timezone.now())


@accounts_router.post("auth/refresh/", auth=Anybody(), response={200: Tokens, **problems(401, *_BODY)})
def refresh(request: HttpRequest, body: RefreshRequest) -> tokens.TokenPair:
    """Exchange a refresh token for a new pair. Using one twice ends the sign-in it belongs to."""
    return tokens.rotate_refresh_token(refresh=body.refresh, now=timezone.now())


@accounts_router.post("auth/logout/", auth=FreshAccessToken(), response={204: None, **problems(401, *_BODY)})
def logout(request: HttpRequest, body: RefreshRequest) -> Status[None]:
    """End the sign-in that the refresh token belongs to."""
    tokens.sign_out(refresh=body.refresh, user_id=caller(request).id, now=timezone.now())
    return Status(204, None)


@accounts_router.get("wallet/", auth=FreshAccessToken(), response={200: WalletAnswer, **problems(401, 404, 429, 503)})
def wallet(request: HttpRequest) -> Answer:
    """The caller's dollar wallet."""
    found = get_dollar_wallet(owner_id=caller(request).id)
    return {"balance": found.balance}


@accounts_router.patch(
    "wallet/deposit/",
    auth=AccessToken(limit=WALLET),
    response={200: WalletAnswer, **problems(401, 403, 404, 409, *_BODY)},
)
def deposit(request: HttpRequest, response: HttpResponse, body: CashRequest, idempotency: IdempotencyHeader) -> Answer:
    """Put dollars into the wallet (where customers may do so by themselves)."""
    key = idempotency_key(key=idempotency, request={"amount": body.amount})
    moved = cash.deposit(principal=caller(request), amount=body.amount, key=key, now=timezone.now())
    mark_replayed(response, replayed=moved.replayed)
    return {"balance": moved.balance}


@accounts_router.patch(
    "wallet/withdraw/",
    auth=AccessToken(limit=WALLET),
    response={200: WalletAnswer, **problems(401, 403, 404, 409, *_BODY)},
)
def withdraw(request: HttpRequest, response: HttpResponse, body: CashRequest, idempotency: IdempotencyHeader) -> Answer:
    """Take dollars out of the wallet."""
    key = idempotency_key(key=idempotency, request={"amount": body.amount})
    moved = cash.withdraw(principal=caller(request), amount=body.amount, key=key, now=timezone.now())
    mark_replayed(response, replayed=moved.replayed)
    return {"balance": moved.balance}


@transactions_router.get("", response={200: list[TransactionAnswer], **problems(400, 401, 422, 429, 503)})
def transactions(request: HttpRequest, response: HttpResponse, query: Query[TransactionQuery]) -> list[Answer]:
    """The movements of the caller's dollar wallet, newest first."""
    refuse_unknown_parameters(request, known=TransactionQuery)
    filters = TransactionFilters(
        direction=query.type,
        order_id=query.order_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = list_transactions(customer_id=caller(request).id, filters=filters, limit=query.limit, cursor=query.cursor)
    link_next(request, response, cursor=page.next_cursor)
    return [_transaction_answer(row) for row in page.rows]


@transactions_router.get("{int:transaction_id}/", response={200: TransactionAnswer, **problems(401, 404, 429, 503)})
def one_transaction(request: HttpRequest, transaction_id: int) -> Answer:
    """One movement of the caller's dollar wallet."""
    return _transaction_answer(get_transaction(customer_id=caller(request).id, transaction_id=transaction_id))


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
