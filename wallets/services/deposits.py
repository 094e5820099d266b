"""Receives deposits: all dollars that come in from outside pass through `receive_deposit`."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from wallets.exceptions import DepositDiffers
from wallets.models import Deposit, DepositState, TransactionKind, WalletRole
from wallets.runtime import sql
from wallets.runtime.idempotency import IdempotencyKey
from wallets.services.ledger.locking import LockedWallet
from wallets.services.ledger.moving import Movement, credit

SANDBOX: Final = "sandbox"
OPENING: Final = "opening"


@dataclass(frozen=True, kw_only=True)
class IncomingMoney:
    """US dollars that came in: the name of our account that received them, and their reference there.

    `note` says why they belong to nobody yet, if so.
    """

    amount: Decimal
    source: str
    reference: str
    received_at: datetime
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReceivedDeposit:
    """A deposit, and whether it was received just now or before."""

    deposit_id: int
    is_new: bool


def receive_deposit(
    *, money: IncomingMoney, wallet: LockedWallet, now: datetime, key: IdempotencyKey | None = None
) -> ReceivedDeposit:
    """Credit the locked wallet with money that came in, in the caller's database transaction.

    The same money is credited once: the second time nothing happens. Raises DepositDiffers if the account has received another amount under this reference.
    """
    deposit_id = _insert(money, customer_id=wallet.owner_id, now=now)
    if deposit_id is None:
        return _find(money)
    movement = Movement(
        amount=money.amount,
        kind=TransactionKind.DEPOSIT,
        house=WalletRole.FUNDING,
        reference=f"deposit:{deposit_id}",
        created_at=now,
        key=key,
    )
    credit(wallet=wallet, movement=movement)
    return ReceivedDeposit(deposit_id=deposit_id, is_new=True)


def _insert(money: IncomingMoney, *, customer_id: int | None, now: datetime) -> int | None:
    """Add the deposit, and return its id, or None if the account has received it before."""
    row = sql.fetch_one(
        "wallets.insert_deposit",
        customer=customer_id,
        state=(DepositState.UNASSIGNED if customer_id is None else DepositState.CREDITED).value,
        now=now,
        **vars(money),
    )
    return row[0] if row else None


def _find(money: IncomingMoney) -> ReceivedDeposit:
    earlier = Deposit.objects.get(source=money.source, reference=money.reference)
    if earlier.amount != money.amount:
        raise DepositDiffers(reference=money.reference, earlier=earlier.amount, amount=money.amount)
    return ReceivedDeposit(deposit_id=earlier.pk, is_new=False)
