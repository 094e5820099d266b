"""Credits many customers at once, each for one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from wallets.models import TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.debts import collect_debts
from wallets.services.ledger.house_moves import take_from_inventory
from wallets.services.ledger.locking import lock_customer_wallets


@dataclass(frozen=True, kw_only=True)
class OrderCredit:
    """A customer's credit for one order: its coins or its rebate on completion, or its charge with a refund."""

    order_id: int
    customer_id: int
    amount: Decimal


def deliver_coins(*, asset: str, credits_: Sequence[OrderCredit], now: datetime) -> Decimal:
    """Move coins from inventory to many customers, and return what the coins cost the house (US dollars).

    The caller holds the lock on the coin's inventory.
    """
    _open_customer_wallets(asset=asset, customer_ids=[credit_.customer_id for credit_ in credits_])
    _credit_many(
        asset=asset,
        source=WalletRole.INVENTORY,
        kind=TransactionKind.DELIVERY,
        credits_=credits_,
        now=now,
    )
    return take_from_inventory(asset=asset, quantity=sum((credit_.amount for credit_ in credits_), Decimal(0)))


def refund_customers(*, credits_: Sequence[OrderCredit], now: datetime) -> None:
    """Move the charges of many customers from clearing back to their dollar wallets."""
    _credit_many(
        asset=USD,
        source=WalletRole.CLEARING,
        kind=TransactionKind.REFUND,
        credits_=credits_,
        now=now,
    )


def improve_prices(*, credits_: Sequence[OrderCredit], now: datetime) -> None:
    """Move what purchases saved from clearing back to many customers' dollar wallets, with their orders' completion."""
    _credit_many(
        asset=USD,
        source=WalletRole.CLEARING,
        kind=TransactionKind.PRICE_IMPROVEMENT,
        credits_=credits_,
        now=now,
    )


def outcome_reference(*, order_id: int) -> str:
    """Return the reference that an order's delivery and refund share, so that only one of the two can be booked."""
    return f"order:{order_id}:outcome"


def _credit_many(
    *,
    asset: str,
    source: WalletRole,
    kind: TransactionKind,
    credits_: Sequence[OrderCredit],
    now: datetime,
) -> None:
    """Lock the customers' wallets, then change the balances and book the movements in one statement.

    A second one moves dollars on that reach customers who owe, if there are frozen ones among them.
    """
    customer_ids = [credit_.customer_id for credit_ in credits_]
    frozen = lock_customer_wallets(asset=asset, customer_ids=customer_ids)
    booked = sql.execute(
        "wallets.credit_many",
        orders=[credit_.order_id for credit_ in credits_],
        customers=customer_ids,
        amounts=[credit_.amount for credit_ in credits_],
        asset=asset,
        kind=kind.value,
        part="rebate" if kind == TransactionKind.PRICE_IMPROVEMENT else "outcome",
        source=source.value,
        now=now,
    )
    assert booked == len(credits_), "the customer of every order has a wallet"
    if frozen and asset == USD:
        collect_debts(customer_ids=frozen, now=now)


def _open_customer_wallets(*, asset: str, customer_ids: Sequence[int]) -> None:
    Wallet.objects.bulk_create(
        [
            Wallet(owner_id=owner_id, asset=asset, role=WalletRole.CUSTOMER, balance=0)
            for owner_id in sorted(set(customer_ids))
        ],
        ignore_conflicts=True,
    )
