"""Moves dollars between one customer's locked wallet and the house."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from wallets.exceptions import InsufficientFunds
from wallets.models import TransactionKind, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.runtime.idempotency import IdempotencyKey
from wallets.services.ledger.locking import LockedWallet


@dataclass(frozen=True, kw_only=True)
class Movement:
    """A movement of whole cents between a customer's dollar wallet and the house wallet `house`."""

    amount: Decimal
    kind: TransactionKind
    house: WalletRole
    created_at: datetime
    reference: str = ""
    order_id: int | None = None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, kw_only=True)
class NewSubject:
    """What a movement is for, if the movement's own statement inserts it: an order.

    `name` names the part of the statement that inserts it, and that defines `subject (order_id, reference)`.
    """

    name: str
    values: Mapping[str, Any]


def ensure_funds(*, wallet: LockedWallet, amount: Decimal) -> None:
    """Raise InsufficientFunds unless the locked wallet holds `amount`."""
    if wallet.balance < amount:
        raise InsufficientFunds(balance=wallet.balance, amount=amount)


def debit(*, wallet: LockedWallet, movement: Movement) -> None:
    """Move dollars from the locked wallet to the house. The caller has checked the funds with `ensure_funds`."""
    _move(wallet, movement, change=-movement.amount)


def debit_for(*, wallet: LockedWallet, movement: Movement, subject: NewSubject) -> int:
    """Insert an order and debit the locked wallet for it, in one statement. Return the order's primary key."""
    order_id = _move(wallet, movement, change=-movement.amount, subject=subject)
    assert order_id is not None, "the new subject is an order"
    return order_id


def credit(*, wallet: LockedWallet, movement: Movement) -> None:
    """Move dollars from the house to the locked wallet."""
    _move(wallet, movement, change=movement.amount)


def _move(
    wallet: LockedWallet, movement: Movement, *, change: Decimal, subject: NewSubject | None = None
) -> int | None:
    key = movement.key
    subject = subject or NewSubject(
        name="wallets.given_subject", values={"order": movement.order_id, "reference": movement.reference}
    )
    row = sql.fetch_one(
        f"wallets.move+{subject.name}",
        change=change,
        wallet=wallet.id,
        house=movement.house.value,
        asset=USD,
        kind=movement.kind.value,
        key=key.value if key else None,
        hash=key.request_hash if key else None,
        now=movement.created_at,
        **subject.values,
    )
    assert row is not None, "the customer's wallet is locked, and the house wallet exists"
    order_id: int | None
    wallet.balance, order_id = row
    return order_id
