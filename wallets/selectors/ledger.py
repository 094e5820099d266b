"""Reads wallets and movements. Nothing here changes or locks a row."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings

from wallets.exceptions import NotFound, TokenInvalid
from wallets.models import TransactionKind, Wallet
from wallets.money import USD
from wallets.payment_references import payment_reference
from wallets.runtime import sql
from wallets.runtime.log_context import add_to_log_context
from wallets.runtime.paging import LARGEST_ID, Page, read_records
from wallets.runtime.sql import Record
from wallets.selectors.accounts import Principal
from wallets.selectors.holds import NO_BANK

_statements_in_orders: Final[list[str]] = []


def register_statement_in_orders(name: str) -> None:
    """Let the statement `name` sum up the US dollars that the open orders of `customer.id` have been charged.

    The money side knows no orders. The statement becomes part of another one (wallets.runtime.sql), and each process
    registers one.
    """
    _statements_in_orders.append(name)


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
    """Return the caller's dollar wallet. One query, which also checks that the account is active.

    Raises TokenInvalid, and NotFound for a user without a wallet.
    """
    [statement] = _statements_in_orders
    row = sql.fetch_one(
        f"wallets.dollar_balance+{statement}",
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
    balance, customer_id, subject, held, in_payouts, in_orders = row
    add_to_log_context(customer_id=customer_id)
    if balance is None:
        raise NotFound
    on_hold = min(balance, held)
    return DollarWallet(
        balance=balance,
        available=balance - on_hold,
        on_hold=on_hold,
        in_orders=in_orders,
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


_CONDITIONS: Final = {"direction": "seen.type = %(direction)s", "order_id": "record.order_id = %(order_id)s"}
_KINDS: Final = {
    "incoming": [
        TransactionKind.DEPOSIT,
        TransactionKind.REFUND,
        TransactionKind.PRICE_IMPROVEMENT,
        TransactionKind.GOODWILL,
    ],
    "outgoing": [TransactionKind.WITHDRAWAL, TransactionKind.PURCHASE],
    "either": [TransactionKind.RETURN, TransactionKind.CORRECTION],
}
"""The kinds that customers see, by the direction of their movements."""


def list_transactions(*, customer_id: int, filters: TransactionFilters, limit: int, cursor: str | None) -> Page[Record]:
    """Return the customer's dollar movements by the API's names, newest first. Raises InvalidCursor."""
    return read_records(
        "wallets.list_movements",
        customer_id=customer_id,
        filters=vars(filters),
        conditions=_CONDITIONS,
        limit=limit,
        cursor=cursor,
        **_KINDS,
    )


def get_transaction(*, customer_id: int, transaction_id: int) -> Record:
    """Return one of the customer's dollar movements. Raises NotFound, also for a movement of another customer."""
    if transaction_id > LARGEST_ID:
        raise NotFound
    part = "AND record.id = %(id)s"
    rows = sql.fetch_records("wallets.list_movements", part=part, customer=customer_id, id=transaction_id, **_KINDS)
    if not rows:
        raise NotFound
    return rows[0]
