"""The movements of payouts: from their customer to `payable`, on to the bank, or back, and out again."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from wallets.models import LEFT, Payout, Transaction, TransactionKind, WalletRole
from wallets.runtime.idempotency import IdempotencyKey
from wallets.services.accounts import freeze_within_transaction
from wallets.services.ledger.debts import owe
from wallets.services.ledger.house_moves import book_payouts
from wallets.services.ledger.locking import LockedWallet
from wallets.services.ledger.moving import Movement, credit, debit
from wallets.services.returns.giving_back import give_everything_back


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
        reference=_next_name(f"{payout.reference}:back"),
        created_at=now,
    )
    credit(wallet=wallet, movement=movement)


def take_again(*, payout: Payout, wallet: LockedWallet) -> Decimal:
    """Take a payout's dollars, which have left, out of the locked wallet, to which they came back. Return the debt.

    What the wallet does not hold is owed, and then the account is frozen. Before that, waiting orders and payouts that
    are not sent are given back.
    """
    if wallet.balance < payout.amount:
        give_everything_back(wallet=wallet)
    taken = min(wallet.balance, payout.amount)
    if taken:
        movement = Movement(
            amount=taken,
            kind=TransactionKind.WITHDRAWAL,
            house=WalletRole.FUNDING,
            reference=_next_name(f"{payout.reference}:again"),
            created_at=wallet.now,
        )
        debit(wallet=wallet, movement=movement)
    if owed := payout.amount - taken:
        if not wallet.frozen:
            freeze_within_transaction(owner_id=wallet.owner_id)
        reference = _next_name(f"{payout.reference}:owed")
        owe(customer_id=wallet.owner_id, amount=owed, reference=reference, now=wallet.now)
    return owed


def _next_name(name: str) -> str:
    """Return the first of the references `name`, `name:2`, … that is free: a payout may come back several times."""
    count = Transaction.objects.filter(reference__startswith=name).count()
    return f"{name}:{count + 1}" if count else name
