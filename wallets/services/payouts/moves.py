"""The movements of payouts: from their customer to `payable`, on to the bank, or back."""

from collections.abc import Iterable
from datetime import datetime

from wallets.models import LEFT, Payout, TransactionKind, WalletRole
from wallets.runtime.idempotency import IdempotencyKey
from wallets.services.ledger.house_moves import book_payouts
from wallets.services.ledger.locking import LockedWallet
from wallets.services.ledger.moving import Movement, credit, debit


def take(*, payout: Payout, wallet: LockedWallet, key: IdempotencyKey | None = None) -> None:
    """Move a new payout's dollars out of the locked wallet, which holds them. `key` is kept on the movement."""
    debit(
        wallet=wallet,
        movement=Movement(
            amount=payout.amount,
            kind=TransactionKind.WITHDRAWAL,
            house=WalletRole.PAYABLE,
            reference=payout.reference,
            created_at=payout.created_at,
            key=key,
        ),
    )


def send(*, payouts: Iterable[Payout], now: datetime) -> None:
    """Move the dollars of payouts from `payable` to the world outside. One statement."""
    book_payouts(amounts={f"{payout.reference}:sent": payout.amount for payout in payouts}, now=now)


def give_back(*, payout: Payout, wallet: LockedWallet, now: datetime) -> None:
    """Move a payout's dollars back into the locked wallet. `payout.state` is the one before."""
    movement = Movement(
        amount=payout.amount,
        kind=TransactionKind.RETURN,
        house=WalletRole.FUNDING if payout.state in LEFT else WalletRole.PAYABLE,
        reference=f"{payout.reference}:back",
        created_at=now,
    )
    credit(wallet=wallet, movement=movement)
