"""Dollars in and out of a customer's wallet."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from wallets.conflicts import retried_on_conflict
from wallets.exceptions import DepositsClosed
from wallets.idempotency import IdempotencyKey
from wallets.models import Transaction, TransactionKind, User, WalletRole
from wallets.selectors import Principal
from wallets.services.ledger import credit, debit, lock_dollar_wallet


@dataclass(frozen=True, kw_only=True)
class CashMovement:
    """The wallet's balance after the movement, and whether the movement had been made before."""

    balance: Decimal
    replayed: bool


def deposit(*, principal: Principal, amount: Decimal, key: IdempotencyKey | None, now: datetime) -> CashMovement:
    """Credit `amount` US dollars on the customer's own word, where the operator allows that.

    Raises DepositsClosed, AccountFrozen, IdempotencyKeyReused.
    """
    if not settings.SELF_SERVICE_DEPOSITS:
        raise DepositsClosed
    return _move_cash(principal=principal, amount=amount, kind=TransactionKind.DEPOSIT, key=key, now=now)


def withdraw(*, principal: Principal, amount: Decimal, key: IdempotencyKey | None, now: datetime) -> CashMovement:
    """Pay `amount` US dollars out. Raises InsufficientFunds, AccountFrozen, IdempotencyKeyReused."""
    return _move_cash(principal=principal, amount=amount, kind=TransactionKind.WITHDRAWAL, key=key, now=now)


@transaction.atomic(durable=True)
def book_opening_deposit(*, owner_id: int, amount: Decimal, now: datetime) -> None:
    """Credit a new wallet, once: for seeding. A second call changes nothing."""
    user = User.objects.get(pk=owner_id)
    principal = Principal(user_id=owner_id, token_version=user.token_version)
    wallet = lock_dollar_wallet(principal=principal)
    reference = f"opening:{owner_id}"
    if not Transaction.objects.filter(reference=reference).exists():
        credit(
            wallet=wallet,
            amount=amount,
            kind=TransactionKind.DEPOSIT,
            source=WalletRole.FUNDING,
            now=now,
            reference=reference,
        )


@retried_on_conflict
@transaction.atomic(durable=True)
def _move_cash(
    *,
    principal: Principal,
    amount: Decimal,
    kind: TransactionKind,
    key: IdempotencyKey | None,
    now: datetime,
) -> CashMovement:
    wallet = lock_dollar_wallet(principal=principal)
    if key and (earlier := _find_by_key(owner_id=wallet.owner_id, kind=kind, key=key)):
        return CashMovement(balance=earlier.balance_after or Decimal(0), replayed=True)
    reference = f"{kind}:{uuid.uuid4()}"
    if kind is TransactionKind.DEPOSIT:
        credit(
            wallet=wallet, amount=amount, kind=kind, source=WalletRole.FUNDING, now=now, reference=reference, key=key
        )
    else:
        debit(wallet=wallet, amount=amount, kind=kind, to=WalletRole.FUNDING, now=now, reference=reference, key=key)
    return CashMovement(balance=wallet.balance, replayed=False)


def _find_by_key(*, owner_id: int, kind: TransactionKind, key: IdempotencyKey) -> Transaction | None:
    earlier = Transaction.objects.filter(customer_id=owner_id, kind=kind, idempotency_key=key.key).first()
    if earlier:
        key.ensure_same_request(earlier_hash=earlier.request_hash or "")
    return earlier
