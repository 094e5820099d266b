"""Takes deposits back that a bank took back: from the wallet first, and what it does not hold is owed.

All in one database transaction, in this order: payouts that are not sent and waiting orders are given back, the balance
is taken, the account is frozen, and the customer owes the rest. The wallet is locked first, then the deposit.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction

from wallets.exceptions import Busy, NotFound, ReturnDiffers, ReturnRefused
from wallets.models import Deposit, DepositState, Return, ReturnState, TransactionKind, User, WalletRole
from wallets.runtime import failpoints
from wallets.runtime.clock import database_now
from wallets.selectors.payers import is_paid_by_another
from wallets.services.accounts import freeze_within_transaction
from wallets.services.ledger.debts import owe
from wallets.services.ledger.house_moves import book_return_of_nobody
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.ledger.moving import Movement, debit
from wallets.services.returns.giving_back import give_everything_back

_LONGEST_NOTE: Final = 200
NOT_FROZEN: Final = "somebody else had paid it in, and the wallet held it, so the account is not frozen"


@dataclass(frozen=True, kw_only=True)
class ReturnedMoney:
    """US dollars that a bank took back: our account that they left, and their name there.

    `named` holds the bank's own references to the deposit, divided by ` | `, if it is not known. `line_id` is the line
    of a statement that tells the return.
    """

    amount: Decimal
    source: str
    reference: str
    received_at: datetime
    note: str = ""
    named: str = ""
    line_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Deciders:
    """Who asked for a return, and who approved it; nobody if a bank's statement or server told it."""

    by: User | None = None
    approved_by: User | None = None


NOBODY: Final = Deciders()


@dataclass(frozen=True, kw_only=True)
class LockedDeposit:
    """A deposit, locked by the running database transaction, and its customer's locked wallet if it has a customer."""

    deposit: Deposit
    wallet: LockedWallet | None
    now: datetime


@transaction.atomic
def take_return(
    *, money: ReturnedMoney, deposit_id: int, deciders: Deciders = NOBODY, waiting_id: int | None = None
) -> Return:
    """Take a deposit back, in part or in whole. The same return has one effect, also from two sides at once.

    `waiting_id` is the return that has waited for this deposit, if there is one. If a bank tells the return of what
    somebody else had paid in, and the wallet holds it, only its dollars are taken: otherwise anybody could freeze a
    customer with a cent.

    Raises NotFound, ReturnDiffers, and ReturnRefused: the deposit is not that large any more, is back with its sender,
    or staff have booked a return of this amount that no line of a statement has told.
    """
    locked = lock_deposit(deposit_id=deposit_id)
    earlier = _find_earlier(money, deposit_id=deposit_id)
    if earlier is not None:
        if earlier.state != ReturnState.WAITING:
            return earlier
        waiting_id = earlier.pk
    ensure_returnable(deposit=locked.deposit, amount=money.amount)
    if deciders is NOBODY:
        _ensure_not_booked(money, deposit_id=deposit_id)
    wallet = locked.wallet
    if wallet is None:  # of nobody
        return _take_from_nobody(money, locked, deciders, waiting_id)
    if deciders is NOBODY and wallet.balance >= money.amount and is_paid_by_another(deposit=locked.deposit):
        return _take_only(replace(money, note=NOT_FROZEN), locked, wallet, waiting_id)
    give_everything_back(wallet=wallet)
    failpoints.reach("return.given_back")
    taken = min(wallet.balance, money.amount)
    row = _write(money, locked, deciders, waiting_id, taken=taken)
    if taken:
        debit(wallet=wallet, movement=_movement(row, locked.now))
    if not wallet.frozen:
        freeze_within_transaction(owner_id=wallet.owner_id)
    if row.owed:
        reference = f"{name_of(row)}:owed"
        owe(customer_id=wallet.owner_id, amount=row.owed, reference=reference, now=locked.now)
    failpoints.reach("return.taken")
    return row


def _take_only(money: ReturnedMoney, locked: LockedDeposit, wallet: LockedWallet, waiting_id: int | None) -> Return:
    """Take the dollars of a return, which the wallet holds, and nothing else."""
    row = _write(money, locked, NOBODY, waiting_id, taken=money.amount)
    debit(wallet=wallet, movement=_movement(row, locked.now))
    return row


def lock_deposit(*, deposit_id: int) -> LockedDeposit:
    """Lock the wallet of a deposit's customer, if it has one, and then the deposit.

    Raises NotFound, and Busy if the deposit has come to another customer meanwhile.
    """
    found = Deposit.objects.filter(pk=deposit_id).values_list("customer_id", flat=True)
    if not found:
        raise NotFound
    customer_id = found[0]
    wallet = lock_wallets_to_credit(customer_ids=[customer_id])[customer_id] if customer_id else None
    deposit = Deposit.objects.select_for_update(no_key=True).get(pk=deposit_id)
    if deposit.customer_id != customer_id:
        raise Busy
    return LockedDeposit(deposit=deposit, wallet=wallet, now=wallet.now if wallet else database_now())


def ensure_returnable(*, deposit: Deposit, amount: Decimal) -> None:
    """Raise ReturnRefused if the bank cannot take so much of the deposit back."""
    if deposit.state == DepositState.SENT_BACK:
        raise ReturnRefused("This deposit is back with its sender already.")
    if amount > deposit.kept:
        raise ReturnRefused(f"Only {deposit.kept:.2f} USD of this deposit are left to be taken back.")


def _ensure_not_booked(money: ReturnedMoney, *, deposit_id: int) -> None:
    """Raise ReturnRefused if staff have booked a return of this deposit and amount that no line has told yet."""
    booked = Return.objects.filter(deposit_id=deposit_id, amount=money.amount, line=None, decided_by__isnull=False)
    if row := booked.exclude(reference=money.reference).order_by("id").first():
        raise ReturnRefused(f"Staff have booked {row} of the same deposit. Compare whether this is the same one.")


def name_of(row: Return) -> str:
    """Return how the references of a return's movements begin."""
    return f"return:{row.pk}"


def _find_earlier(money: ReturnedMoney, *, deposit_id: int) -> Return | None:
    """Return the return of this name. Raises ReturnDiffers if it has another amount or deposit."""
    row = Return.objects.filter(source=money.source, reference=money.reference).first()
    if row is not None and (row.amount != money.amount or row.deposit_id not in (None, deposit_id)):
        raise ReturnDiffers
    return row


def _take_from_nobody(
    money: ReturnedMoney, locked: LockedDeposit, deciders: Deciders, waiting_id: int | None
) -> Return:
    row = _write(money, locked, deciders, waiting_id, taken=money.amount)
    book_return_of_nobody(amount=money.amount, reference=name_of(row), now=locked.now)
    return row


def _write(
    money: ReturnedMoney, locked: LockedDeposit, deciders: Deciders, waiting_id: int | None, *, taken: Decimal
) -> Return:
    """Write the row, or complete the one that waits. Raises ReturnDiffers if another one has its name by now."""
    values: dict[str, Any] = {
        "deposit_id": locked.deposit.pk,
        "customer_id": locked.deposit.customer_id,
        "state": ReturnState.TAKEN,
        "taken": taken,
        "owed": money.amount - taken,
        "decided_by": deciders.by,
        "approved_by": deciders.approved_by,
        "note": money.note[:_LONGEST_NOTE],
    }
    if waiting_id is not None:
        waiting = Return.objects.filter(pk=waiting_id, state=ReturnState.WAITING)
        if not waiting.update(**values, seen_at=None, seen_by=None):  # it may have been put aside
            raise ReturnDiffers
        return Return.objects.get(pk=waiting_id)
    told = {name: getattr(money, name) for name in ("amount", "source", "reference", "received_at", "line_id")}
    try:
        with transaction.atomic():
            return Return.objects.create(**values, **told)
    except IntegrityError as error:
        raise ReturnDiffers from error


def _movement(row: Return, now: datetime) -> Movement:
    return Movement(
        amount=row.taken,
        kind=TransactionKind.RETURN,
        house=WalletRole.FUNDING,
        reference=name_of(row),
        created_at=now,
    )
