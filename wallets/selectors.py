"""Reading users, wallets and transactions; nothing here changes or locks anything."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Q, QuerySet

from wallets.exceptions import NotFound, TokenInvalid
from wallets.models import Transaction, TransactionKind, Wallet
from wallets.money import USD
from wallets.paging import Page, read_page


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who a valid access token says is calling. Whether they may is still to be looked up."""

    user_id: int
    token_version: int


_ACTIVE = "SELECT true FROM wallets_user WHERE id = %s AND token_version = %s AND is_active"


def ensure_active(*, principal: Principal) -> None:
    """Raise TokenInvalid for a disabled account and for an outdated token. Asked before every list: see below."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, [principal.user_id, principal.token_version])
        if cursor.fetchone() is None:
            raise TokenInvalid


_DOLLAR_BALANCE = """
SELECT wallet.balance
  FROM wallets_user customer LEFT JOIN wallets_wallet wallet ON wallet.owner_id = customer.id AND wallet.asset = %s
 WHERE customer.id = %s AND customer.token_version = %s AND customer.is_active
"""


def get_dollar_balance(*, principal: Principal) -> Decimal:
    """What the caller's dollar wallet holds; one query, which also says whether the account is active.

    What is asked for most, so not by the ORM, for which three quarters of its time would go.
    Raises TokenInvalid, and NotFound for a user without a wallet.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DOLLAR_BALANCE, [USD, principal.user_id, principal.token_version])
        row = cursor.fetchone()
    if row is None:
        raise TokenInvalid
    if row[0] is None:
        raise NotFound
    balance: Decimal = row[0]
    return balance


def list_coin_balances(*, owner_id: int) -> dict[str, Decimal]:
    """What the customer holds, by coin; empty wallets left out."""
    rows = Wallet.objects.filter(owner_id=owner_id, balance__gt=0).exclude(asset=USD)
    return {row.asset: row.balance for row in rows if row.balance is not None}


@dataclass(frozen=True, kw_only=True)
class TransactionFilters:
    """Which transactions of a customer's dollar wallet to list; `direction` is deposit or withdrawal."""

    direction: str | None = None
    order_id: int | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


_INCOMING = (TransactionKind.DEPOSIT, TransactionKind.REFUND)
_OUTGOING = (TransactionKind.WITHDRAWAL, TransactionKind.PURCHASE)


def direction_of(*, kind: str) -> str:
    """The direction of a movement as seen from the customer's dollar wallet."""
    return "deposit" if kind in _INCOMING else "withdrawal"


def list_transactions(
    *, customer_id: int, filters: TransactionFilters, limit: int, cursor: str | None
) -> Page[Transaction]:
    """The customer's dollar movements, newest first. Raises InvalidCursor."""
    rows = _statement(customer_id)
    if filters.direction:
        rows = rows.filter(kind__in=_INCOMING if filters.direction == "deposit" else _OUTGOING)
    if filters.order_id is not None:
        rows = rows.filter(order_id=filters.order_id)
    if filters.created_after:
        rows = rows.filter(created_at__gt=filters.created_after)
    if filters.created_before:
        rows = rows.filter(created_at__lt=filters.created_before)
    return read_page(queryset=rows, filters={"of": customer_id, **vars(filters)}, limit=limit, cursor=cursor)


def get_transaction(*, customer_id: int, transaction_id: int) -> Transaction:
    """One of the customer's dollar movements. Raises NotFound, also for another customer's."""
    row = _statement(customer_id).filter(id=transaction_id).first()
    if row is None:
        raise NotFound
    return row


def _statement(customer_id: int) -> QuerySet[Transaction]:
    return Transaction.objects.filter(Q(kind__in=[*_INCOMING, *_OUTGOING]), customer_id=customer_id, asset=USD)
