"""Moves dollars between one customer's locked wallet and the house."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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
    reference: str
    created_at: datetime
    order_id: int | None = None
    key: IdempotencyKey | None = None


def ensure_funds(*, wallet: LockedWallet, amount: Decimal) -> None:
    """Raise InsufficientFunds unless the locked wallet holds `amount`."""
    if wallet.balance < amount:
        raise InsufficientFunds(balance=wallet.balance, amount=amount)


def debit(*, wallet: LockedWallet, movement: Movement) -> None:
    """Move dollars from the locked wallet to the house. The caller has checked the funds with `ensure_funds`."""
    _move(wallet, movement, change=-movement.amount)


def credit(*, wallet: LockedWallet, movement: Movement) -> None:
    """Move dollars from the house to the locked wallet."""
    _move(wallet, movement, change=movement.amount)


def _move(wallet: LockedWallet, movement: Movement, *, change: Decimal) -> None:
    key = movement.key
    row = sql.fetch_one(
        "wallets.move",
        change=change,
        wallet=wallet.id,
        house=movement.house.value,
        asset=USD,
        kind=movement.kind.value,
        reference=movement.reference,
        order=movement.order_id,
        key=key.value if key else None,
        hash=key.request_hash if key else None,
        now=movement.created_at,
    )
    assert row is not None, "the customer's wallet is locked, and the house wallet exists"
    (wallet.balance,) = row
