"""Receives deposits, all dollars that come in from outside, and decides about those that belong to nobody yet."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from wallets.exceptions import DepositDecided, DepositDiffers, NotFound
from wallets.models import ClosedAccount, Deposit, DepositState, Transaction, TransactionKind, User, WalletRole
from wallets.models.keys import hash_plainly, hash_text
from wallets.runtime import sql
from wallets.runtime.clock import database_now
from wallets.runtime.encryption import encrypt
from wallets.runtime.idempotency import IdempotencyKey
from wallets.services.ledger.house_moves import book_sent_back, book_unassigned
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.ledger.moving import Movement, credit
from wallets.services.sealing import seal_lines_of

SANDBOX: Final = "sandbox"
OPENING: Final = "opening"
_LONGEST_NOTE: Final = 200
_OF_OURS: Final = frozenset({SANDBOX, OPENING})
"""Sources whose references we make ourselves, so that they name nobody's account."""


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
    *, money: IncomingMoney, wallet: LockedWallet | None, now: datetime, key: IdempotencyKey | None = None
) -> ReceivedDeposit:
    """Credit the locked wallet with money that came in, in the caller's database transaction.

    Without a wallet the money belongs to nobody until staff decide. The same money is received once: the second time
    nothing happens. Raises DepositDiffers if the account has received another amount under this reference.
    """
    deposit_id = _insert(money, customer_id=wallet.owner_id if wallet else None, now=now)
    if deposit_id is None:
        return _find(money)
    reference = name_of(deposit_id)
    if wallet is None:
        book_unassigned(amount=money.amount, reference=reference, now=now)
    else:
        _credit(wallet, house=WalletRole.FUNDING, amount=money.amount, reference=reference, created_at=now, key=key)
    return ReceivedDeposit(deposit_id=deposit_id, is_new=True)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What staff have decided about a deposit: who asked, who approved (None: one person sufficed), and why."""

    by: User
    approved_by: User | None
    note: str


@transaction.atomic
def book_deposit(*, money: IncomingMoney, customer_id: int, decision: Decision) -> int:
    """Credit a customer with money that staff have seen on our account, and return the deposit's id.

    Raises NotFound without a wallet; DepositDecided and DepositDiffers if the account has received it before.
    """
    wallet = _lock_wallet(customer_id)
    received = receive_deposit(money=money, wallet=wallet, now=wallet.now)
    deposit = Deposit.objects.get(pk=received.deposit_id)
    if not received.is_new:
        raise DepositDecided(state=deposit.get_state_display())
    _decide(deposit, DepositState.CREDITED, decision, at=wallet.now, customer_id=customer_id)
    return deposit.pk


@transaction.atomic
def assign_deposit(*, deposit_id: int, customer_id: int, decision: Decision) -> None:
    """Credit a customer with a deposit that belongs to nobody yet, as staff have decided: with what its bank has left.

    Raises NotFound (no such deposit, or no wallet), DepositDecided.
    """
    wallet = _lock_wallet(customer_id)
    deposit = _lock_waiting(deposit_id)
    _decide(deposit, DepositState.CREDITED, decision, at=wallet.now, customer_id=customer_id)
    seal_lines_of(deposit_id=deposit_id, customer_id=customer_id)
    reference = _next_name(f"{name_of(deposit_id)}:assigned")
    _credit(wallet, house=WalletRole.UNASSIGNED, amount=deposit.kept, reference=reference, created_at=wallet.now)


@transaction.atomic
def send_deposit_back(*, deposit_id: int, decision: Decision) -> None:
    """Book that a deposit which belongs to nobody goes back to its sender. Staff order the transfer at the bank.

    Raises NotFound, DepositDecided.
    """
    deposit = _lock_waiting(deposit_id)
    now = database_now()
    _decide(deposit, DepositState.SENT_BACK, decision, at=now)
    book_sent_back(amount=deposit.kept, reference=f"{name_of(deposit_id)}:sent_back", now=now)


def name_of(deposit_id: int) -> str:
    """Return how the references of a deposit's movements begin."""
    return f"deposit:{deposit_id}"


def _next_name(name: str) -> str:
    """Return the first of the references `name`, `name:2`, … that is free: a corrected deposit is assigned again."""
    count = Transaction.objects.filter(reference__startswith=name).count()
    return f"{name}:{count + 1}" if count else name


def _insert(money: IncomingMoney, *, customer_id: int | None, now: datetime) -> int | None:
    """Add the deposit, and return its id, or None if the account has received it before."""
    row = sql.fetch_one(
        "wallets.insert_deposit",
        customer=customer_id,
        state=(DepositState.UNASSIGNED if customer_id is None else DepositState.CREDITED).value,
        now=now,
        amount=money.amount,
        source=money.source,
        reference=encrypt(money.reference),
        reference_hash=(hash_plainly if money.source in _OF_OURS else hash_text)(money.reference),
        received_at=money.received_at,
        note=encrypt(money.note),
    )
    return row[0] if row else None


def _find(money: IncomingMoney) -> ReceivedDeposit:
    earlier = Deposit.objects.get(source=money.source, reference=money.reference)
    if earlier.amount != money.amount:
        raise DepositDiffers(earlier=earlier.amount, amount=money.amount)
    return ReceivedDeposit(deposit_id=earlier.pk, is_new=False)


def _credit(wallet: LockedWallet, *, house: WalletRole, **movement: Any) -> None:
    credit(wallet=wallet, movement=Movement(kind=TransactionKind.DEPOSIT, house=house, **movement))


def _lock_waiting(deposit_id: int) -> Deposit:
    """Lock a deposit that belongs to nobody. Raises NotFound, DepositDecided."""
    deposit = Deposit.objects.select_for_update(no_key=True).filter(pk=deposit_id).first()
    if deposit is None:
        raise NotFound
    if deposit.state != DepositState.UNASSIGNED:
        raise DepositDecided(state=deposit.get_state_display())
    if not deposit.kept:
        raise DepositDecided(state="taken back by its bank")
    return deposit


def _lock_wallet(customer_id: int) -> LockedWallet:
    wallet = lock_wallets_to_credit(customer_ids=[customer_id]).get(customer_id)
    if wallet is None or ClosedAccount.objects.filter(pk=customer_id).exists():
        raise NotFound("This user has no dollar wallet, or their account is closed.")
    return wallet


def _decide(
    deposit: Deposit, state: DepositState, decision: Decision, *, at: datetime, customer_id: int | None = None
) -> None:
    deposit.state, deposit.customer_id = state, customer_id
    deposit.decided_by, deposit.approved_by = decision.by, decision.approved_by
    deposit.decided_at, deposit.note = at, decision.note[:_LONGEST_NOTE]
    deposit.save(update_fields=["state", "customer", "decided_by", "approved_by", "decided_at", "note"])
