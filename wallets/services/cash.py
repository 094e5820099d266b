"""Deposits to a customer's dollar wallet and withdrawals from it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from wallets.exceptions import DepositsClosed
from wallets.models import Transaction, TransactionKind, User
from wallets.runtime import clock
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.idempotency import IdempotencyKey
from wallets.selectors.accounts import Principal, ensure_active, get_account
from wallets.services.deposits import OPENING, SANDBOX, IncomingMoney, receive_deposit
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet
from wallets.services.payouts.requesting import PayoutRequest, pay_at_once, request_with_lock
from wallets.services.second_factors import ensure_otp


@dataclass(frozen=True, kw_only=True)
class CashMovement:
    """The wallet's balance after a movement, and whether an earlier request with the same key made the movement."""

    balance: Decimal
    replayed: bool


def deposit(
    *, principal: Principal, amount: Decimal, key: IdempotencyKey | None, now: datetime | None = None
) -> CashMovement:
    """Credit `amount` US dollars without proof of payment, if the configuration allows self-service deposits.

    The movement is dated by Postgres' clock; tests give a moment as `now`.
    Raises DepositsClosed, AccountFrozen, IdempotencyKeyReused.
    """
    if not settings.DEPOSITS.self_service:
        raise DepositsClosed
    return _move_cash(principal=principal, amount=amount, kind=TransactionKind.DEPOSIT, key=key, now=now)


def withdraw(
    *,
    principal: Principal,
    amount: Decimal,
    key: IdempotencyKey | None,
    otp: str | None = None,
    now: datetime | None = None,
) -> CashMovement:
    """Pay `amount` US dollars out: to the default payee, or to nobody in a sandbox, where it is dated as a deposit is.

    A repeated key needs no second code. Raises InsufficientFunds, AccountFrozen, IdempotencyKeyReused; NoPayee,
    PayeeOnHold, CredentialHold and FundsOnHold but in a sandbox; the refusals of `ensure_otp`.
    """
    user = get_account(principal=ensure_active(principal=principal))
    if key is None or _find_by_key(owner_id=user.pk, kind=TransactionKind.WITHDRAWAL, key=key) is None:
        ensure_otp(customer=user, code=otp, now=now or clock.now())
    return _move_cash(principal=principal, amount=amount, kind=TransactionKind.WITHDRAWAL, key=key, now=now)


@transaction.atomic(durable=True)
def book_opening_deposit(*, owner_id: int, amount: Decimal, now: datetime) -> None:
    """Credit the new wallet of a seeded customer. A second call changes nothing."""
    user = User.objects.get(pk=owner_id)
    principal = Principal(user_id=owner_id, token_version=user.token_version)
    wallet = lock_dollar_wallet(principal=principal)
    name = f"opening:{owner_id}"
    # Earlier releases gave the movement this name, and wrote no deposit.
    if not Transaction.objects.filter(reference=name).exists():
        money = IncomingMoney(amount=amount, source=OPENING, reference=name, received_at=now)
        receive_deposit(money=money, wallet=wallet, now=now)


@retried_on_conflict
@transaction.atomic(durable=True)
def _move_cash(
    *,
    principal: Principal,
    amount: Decimal,
    kind: TransactionKind,
    key: IdempotencyKey | None,
    now: datetime | None,
) -> CashMovement:
    wallet = lock_dollar_wallet(principal=principal)
    if key and (earlier := _find_by_key(owner_id=wallet.owner_id, kind=kind, key=key)):
        return CashMovement(balance=earlier.balance_after or Decimal(0), replayed=True)
    now = now or wallet.now
    if kind is TransactionKind.DEPOSIT:
        money = IncomingMoney(amount=amount, source=SANDBOX, reference=str(uuid.uuid4()), received_at=now)
        receive_deposit(money=money, wallet=wallet, now=now, key=key)
    else:
        _take_out(wallet=wallet, amount=amount, key=key, now=now)
    return CashMovement(balance=wallet.balance, replayed=False)


def _take_out(*, wallet: LockedWallet, amount: Decimal, key: IdempotencyKey | None, now: datetime) -> None:
    if settings.PAYOUTS.self_service:
        pay_at_once(wallet=wallet, amount=amount, key=key, now=now)
    else:
        request_with_lock(wallet=wallet, payout_request=PayoutRequest(amount=amount), movement_key=key)


def _find_by_key(*, owner_id: int, kind: TransactionKind, key: IdempotencyKey) -> Transaction | None:
    earlier = Transaction.objects.filter(customer_id=owner_id, kind=kind, idempotency_key=key.value).first()
    if earlier:
        key.ensure_same_request(earlier_hash=earlier.request_hash or "")
    return earlier
