"""Reads wallets and movements. Nothing here changes or locks a row."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Q, QuerySet

from wallets.exceptions import NotFound, TokenInvalid
from wallets.models import Transaction, TransactionKind, Wallet
from wallets.money import USD
from wallets.payment_references import payment_reference
from wallets.runtime import sql
from wallets.runtime.log_context import add_to_log_context
from wallets.runtime.paging import Page, read_page
from wallets.selectors.accounts import Principal
from wallets.selectors.bound import sum_bound
from wallets.selectors.holds import NO_BANK


@dataclass(frozen=True, kw_only=True)
class DollarWallet:
    """A customer's dollar wallet as its customer sees it, in US dollars, and the reference of bank transfers to it.

    The balance is what is `available` for payouts and what is `on_hold`; all of it buys coins. Dollars `in_orders` and
    `in_payouts` have left it, and come back if an order or a payout ends without success.
    """

    balance: Decimal
    available: Decimal
    on_hold: Decimal
    in_orders: Decimal
    in_payouts: Decimal
    reference: str


def get_dollar_wallet(*, principal: Principal) -> DollarWallet:
    """Return the caller's dollar wallet. Two queries; the first one also checks that the account is active.

    Raises TokenInvalid, and NotFound for a user without a wallet.
    """
    row = sql.fetch_one(
        "wallets.dollar_balance",
        asset=USD,
        customer=principal.user_id,
        subject=principal.subject,
        token_version=principal.token_version,
        family=principal.family_id,
        hold=settings.PAYOUTS.deposit_hold,
        no_bank=list(NO_BANK),
    )
    if row is None:
        raise TokenInvalid
    balance, customer_id, subject, held, in_payouts = row
    add_to_log_context(customer_id=customer_id)
    if balance is None:
        raise NotFound
    on_hold = min(balance, held)
    return DollarWallet(
        balance=balance,
        available=balance - on_hold,
        on_hold=on_hold,
        in_orders=sum_bound(customer_id=customer_id),
        in_payouts=in_payouts,
        reference=payment_reference(subject=subject),
    )


def read_dollar_balance(*, customer_id: int) -> Decimal:
    """Return the balance of a customer's dollar wallet, 0 without one. One query. Does not check the account."""
    found = Wallet.objects.filter(owner_id=customer_id, asset=USD).values_list("balance", flat=True).first()
    return found or Decimal(0)


def list_coin_balances(*, owner_id: int) -> dict[str, Decimal]:
    """Return the coins that the customer holds, by name; empty wallets are left out."""
    rows = Wallet.objects.filter(owner_id=owner_id, balance__gt=0).exclude(asset=USD)
    return {row.asset: row.balance for row in rows if row.balance is not None}


@dataclass(frozen=True, kw_only=True)
class TransactionFilters:
    """Filters for the movements of a customer's dollar wallet; `direction` is deposit or withdrawal."""

    direction: str | None = None
    order_id: int | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


_INCOMING = (
    TransactionKind.DEPOSIT,
    TransactionKind.REFUND,
    TransactionKind.PRICE_IMPROVEMENT,
    TransactionKind.GOODWILL,
)
_OUTGOING = (TransactionKind.WITHDRAWAL, TransactionKind.PURCHASE)
_EITHER = (TransactionKind.RETURN, TransactionKind.CORRECTION)


def direction_of(*, movement: Transaction) -> str:
    """Return the direction of a movement as seen from the customer's dollar wallet."""
    if movement.kind in _EITHER:
        is_incoming = movement.destination.owner_id == movement.customer_id
    else:
        is_incoming = movement.kind in _INCOMING
    return "deposit" if is_incoming else "withdrawal"


def list_transactions(
    *, customer_id: int, filters: TransactionFilters, limit: int, cursor: str | None
) -> Page[Transaction]:
    """Return the customer's dollar movements, newest first. Raises InvalidCursor."""
    rows = _statement(customer_id)
    if filters.direction:
        rows = rows.filter(_goes(filters.direction, customer_id))
    if filters.order_id is not None:
        rows = rows.filter(order_id=filters.order_id)
    if filters.created_after:
        rows = rows.filter(created_at__gt=filters.created_after)
    if filters.created_before:
        rows = rows.filter(created_at__lt=filters.created_before)
    return read_page(queryset=rows, filters={"of": customer_id, **vars(filters)}, limit=limit, cursor=cursor)


def get_transaction(*, customer_id: int, transaction_id: int) -> Transaction:
    """Return one of the customer's dollar movements. Raises NotFound, also for a movement of another customer."""
    row = _statement(customer_id).filter(id=transaction_id).first()
    if row is None:
        raise NotFound
    return row


def _statement(customer_id: int) -> QuerySet[Transaction]:
    kinds = [*_INCOMING, *_OUTGOING, *_EITHER]
    return Transaction.objects.filter(kind__in=kinds, customer_id=customer_id, asset=USD).select_related("destination")


def _goes(direction: str, customer_id: int) -> Q:
    is_theirs = Q(destination__owner_id=customer_id)
    if direction == "deposit":
        return Q(kind__in=_INCOMING) | Q(is_theirs, kind__in=_EITHER)
    return Q(kind__in=_OUTGOING) | Q(~is_theirs, kind__in=_EITHER)
