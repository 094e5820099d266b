"""Moves dollars between one customer's locked wallet and the house."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from wallets.exceptions import InsufficientFunds, NotFound
from wallets.models import TransactionKind, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.runtime.idempotency import IdempotencyKey
from wallets.selectors.accounts import is_closed
from wallets.services.ledger.debts import collect_debts
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
    """What movements are for, if their own statement inserts it: an order, or several.

    `name` names the part of the statement that inserts them, and that defines `subject`: see the statement.
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


def debit_for_many(*, house: WalletRole, kind: TransactionKind, created_at: datetime, subject: NewSubject) -> list[int]:
    """Insert orders and debit locked wallets for them, in one statement. Return the orders' primary keys, in order.

    The caller has checked the funds of each wallet for all of its orders. The database refuses a negative balance.
    """
    rows = sql.fetch_all(
        f"wallets.debit_many+{subject.name}",
        asset=USD,
        house=house.value,
        kind=kind.value,
        now=created_at,
        **subject.values,
    )
    return sorted(order_id for (order_id,) in rows)


def credit(*, wallet: LockedWallet, movement: Movement) -> None:
    """Move dollars from the house to the locked wallet, and from there at once what its customer owes, if anything.

    Raises NotFound if the account is closed.
    """
    _ensure_open(wallet)
    _move(wallet, movement, change=movement.amount)
    _pay_debt(wallet, now=movement.created_at)


def reverse(*, wallet: LockedWallet, movement_id: int, change: Decimal, house: WalletRole) -> None:
    """Change the locked wallet by what reverses a movement: a correction with the house wallet `house`.

    The caller has checked the funds with `ensure_funds`. What comes in pays what the customer owes first. Raises
    NotFound if the account is closed.
    """
    if change > 0:
        _ensure_open(wallet)
    row = sql.fetch_one(
        "wallets.correct",
        change=change,
        wallet=wallet.id,
        house=house.value,
        asset=USD,
        reverses=movement_id,
        now=wallet.now,
    )
    assert row is not None, "the customer's wallet is locked, and the house wallet exists"
    (wallet.balance,) = row
    if change > 0:
        _pay_debt(wallet, now=wallet.now)


def take_coins(*, wallet_id: int, asset: str, amount: Decimal, reference: str, now: datetime) -> None:
    """Move coins from a customer's locked wallet, which holds them, to the house.

    The caller holds the lock on the coin's inventory, and adds the coins to it.
    """
    sql.fetch_one(
        "wallets.move+wallets.given_subject",
        change=-amount,
        wallet=wallet_id,
        house=WalletRole.INVENTORY.value,
        asset=asset,
        kind=TransactionKind.REPURCHASE.value,
        key=None,
        hash=None,
        now=now,
        order=None,
        reference=reference,
    )


def _ensure_open(wallet: LockedWallet) -> None:
    """Raise NotFound if nobody could reach dollars in the wallet any more."""
    if wallet.frozen and is_closed(customer_id=wallet.owner_id):  # a closed account is frozen
        raise NotFound("The account is closed. Import the bank's statement: the dollars are a deposit of nobody there.")


def _pay_debt(wallet: LockedWallet, *, now: datetime) -> None:
    if wallet.frozen:  # a customer who owes is frozen
        paid = collect_debts(customer_ids=[wallet.owner_id], now=now)
        wallet.balance -= paid.get(wallet.owner_id, Decimal(0))


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
