"""Crediting many customers at once, each for one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from wallets.models import TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.house_moves import change_inventory
from wallets.services.ledger.locking import lock_customer_wallets


@dataclass(frozen=True, kw_only=True)
class OrderCredit:
    """The coins that a completed order brings its customer, or the charge that a refunded one gives back."""

    order_id: int
    customer_id: int
    amount: Decimal


def deliver_coins(*, asset: str, credits_: Sequence[OrderCredit], now: datetime) -> None:
    """Hand coins from inventory to many customers. The caller holds the lock on the inventory."""
    _open_customer_wallets(asset=asset, customer_ids=[credit_.customer_id for credit_ in credits_])
    _credit_many(
        asset=asset,
        source=WalletRole.INVENTORY,
        kind=TransactionKind.DELIVERY,
        credits_=credits_,
        now=now,
    )
    change_inventory(asset=asset, change=-sum((credit_.amount for credit_ in credits_), Decimal(0)))


def refund_customers(*, credits_: Sequence[OrderCredit], now: datetime) -> None:
    """Give many customers their charges back, from clearing to their dollar wallets."""
    _credit_many(
        asset=USD,
        source=WalletRole.CLEARING,
        kind=TransactionKind.REFUND,
        credits_=credits_,
        now=now,
    )


def outcome_reference(*, order_id: int) -> str:
    """Return the one reference of an order's delivery and of its refund: the first to be booked is the only one."""
    return f"order:{order_id}:outcome"


def _credit_many(
    *,
    asset: str,
    source: WalletRole,
    kind: TransactionKind,
    credits_: Sequence[OrderCredit],
    now: datetime,
) -> None:
    """Credit any number of customers: lock their wallets, then change the balances and book in one statement."""
    customer_ids = [credit_.customer_id for credit_ in credits_]
    lock_customer_wallets(asset=asset, customer_ids=customer_ids)
    booked = sql.execute(
        "wallets.credit_many",
        orders=[credit_.order_id for credit_ in credits_],
        customers=customer_ids,
        amounts=[credit_.amount for credit_ in credits_],
        asset=asset,
        kind=kind.value,
        source=source.value,
        now=now,
    )
    assert booked == len(credits_), "every credited order has a wallet to be credited to"


def _open_customer_wallets(*, asset: str, customer_ids: Sequence[int]) -> None:
    Wallet.objects.bulk_create(
        [
            Wallet(owner_id=owner_id, asset=asset, role=WalletRole.CUSTOMER, balance=0)
            for owner_id in sorted(set(customer_ids))
        ],
        ignore_conflicts=True,
    )
