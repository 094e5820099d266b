"""Moving money: the only code that writes wallets' balances and transactions.

Lock order everywhere: a coin's inventory, then customers' wallets by primary key, then orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from django.db import connection
from django.db.models import F

from wallets.exceptions import AccountFrozen, InsufficientFunds, NotFound, TokenInvalid
from wallets.idempotency import IdempotencyKey
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.selectors import Principal


@dataclass(kw_only=True)
class LockedWallet:
    """A customer's dollar wallet under our lock."""

    id: int
    owner_id: int
    balance: Decimal


def lock_dollar_wallet(*, principal: Principal) -> LockedWallet:
    """Lock the caller's dollar wallet until the end of the transaction, if its owner may act.

    One statement. NO KEY UPDATE, because FOR UPDATE would block the inserts that refer to the wallet.
    Raises TokenInvalid, AccountFrozen, NotFound (no wallet).
    """
    with connection.cursor() as cursor:
        cursor.execute(_lock_statement(), [USD, principal.user_id])
        found = cursor.fetchone()
    if found is None:
        raise NotFound("This account has no wallet.")
    wallet_id, balance, frozen, is_active, token_version = found
    if not is_active or token_version != principal.token_version:
        raise TokenInvalid
    if frozen:
        raise AccountFrozen
    return LockedWallet(id=wallet_id, owner_id=principal.user_id, balance=balance)


@cache
def _lock_statement() -> str:
    """The ORM's lock on the wallet of one owner, put into words once a process.

    Doing that for every order took a sixth of the processor time of placing it.
    """
    locked = Wallet.objects.select_for_update(no_key=True, of=("self",)).filter(asset=USD).filter(owner_id=0)
    found = locked.values_list("id", "balance", "frozen", "owner__is_active", "owner__token_version")
    statement, values = found.query.sql_with_params()
    assert values == (USD, 0), "lock_dollar_wallet gives them in this order"
    return statement


def debit(
    *,
    wallet: LockedWallet,
    amount: Decimal,
    kind: TransactionKind,
    to: WalletRole,
    now: datetime,
    reference: str,
    order_id: int | None = None,
    key: IdempotencyKey | None = None,
) -> None:
    """Move whole cents from the locked wallet to the house's wallet `to`. Raises InsufficientFunds."""
    ensure_funds(wallet=wallet, amount=amount)
    _move(wallet=wallet, change=-amount, kind=kind, house=to, now=now, reference=reference, order_id=order_id, key=key)


def credit(
    *,
    wallet: LockedWallet,
    amount: Decimal,
    kind: TransactionKind,
    source: WalletRole,
    now: datetime,
    reference: str,
    order_id: int | None = None,
    key: IdempotencyKey | None = None,
) -> None:
    """Move whole cents from the house's wallet `source` to the locked wallet."""
    _move(
        wallet=wallet,
        change=amount,
        kind=kind,
        house=source,
        now=now,
        reference=reference,
        order_id=order_id,
        key=key,
    )


def ensure_funds(*, wallet: LockedWallet, amount: Decimal) -> None:
    """Raise InsufficientFunds unless the locked wallet holds `amount`."""
    if wallet.balance < amount:
        raise InsufficientFunds(balance=wallet.balance, amount=amount)


_MOVE = """
WITH changed AS (
    UPDATE wallets_wallet SET balance = balance + %(change)s WHERE id = %(wallet)s
    RETURNING id, owner_id, balance
), house AS (
    SELECT id FROM wallets_wallet WHERE owner_id IS NULL AND role = %(house)s AND asset = %(asset)s
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id, balance_after,
        idempotency_key, request_hash, created_at)
SELECT %(asset)s, abs(%(change)s),
       CASE WHEN %(change)s < 0 THEN changed.id ELSE house.id END,
       CASE WHEN %(change)s < 0 THEN house.id ELSE changed.id END,
       %(kind)s, %(reference)s, %(order)s, changed.owner_id, changed.balance, %(key)s, %(hash)s, %(now)s
  FROM changed, house
RETURNING balance_after
"""


def _move(
    *,
    wallet: LockedWallet,
    change: Decimal,
    kind: TransactionKind,
    house: WalletRole,
    now: datetime,
    reference: str,
    order_id: int | None,
    key: IdempotencyKey | None,
) -> None:
    """Change the balance and book why. One statement: on the order path each costs as much as all of its rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "change": change,
                "wallet": wallet.id,
                "house": house.value,
                "asset": USD,
                "kind": kind.value,
                "reference": reference,
                "order": order_id,
                "key": key.key if key else None,
                "hash": key.request_hash if key else None,
                "now": now,
            },
        )
        (wallet.balance,) = cursor.fetchone()


def lock_inventory(*, asset: str) -> Decimal:
    """Lock the house's stock of a coin and return its balance. Claims and bookings of a coin queue here."""
    return Wallet.objects.select_for_update(no_key=True).get(
        role=WalletRole.INVENTORY, asset=asset, owner=None
    ).balance or Decimal(0)


def book_fill(*, asset: str, cost: Decimal, quantity: Decimal, reference: str, now: datetime) -> None:
    """Book what a purchase at the venue took (US dollars) and brought in (coins, after commission).

    The caller holds the lock on the coin's inventory. A part that is zero is not booked.
    """
    if cost:
        _book_between_houses(
            asset=USD,
            amount=cost,
            source=WalletRole.TRADING_RESULT,
            destination=WalletRole.VENUE,
            kind=TransactionKind.FILL_COST,
            reference=f"{reference}:cost",
            now=now,
        )
    if quantity:
        _book_between_houses(
            asset=asset,
            amount=quantity,
            source=WalletRole.VENUE,
            destination=WalletRole.INVENTORY,
            kind=TransactionKind.FILL,
            reference=f"{reference}:fill",
            now=now,
        )
        _change_inventory(asset=asset, change=quantity)


def book_revenue(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Move what completed orders had paid (US dollars) out of clearing."""
    _book_between_houses(
        asset=USD,
        amount=amount,
        source=WalletRole.CLEARING,
        destination=WalletRole.TRADING_RESULT,
        kind=TransactionKind.REVENUE,
        reference=f"{reference}:revenue",
        now=now,
    )


@dataclass(frozen=True, kw_only=True)
class OrderCredit:
    """What one order brings its customer: coins when it is completed, its charge when it is refunded."""

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
    _change_inventory(asset=asset, change=-sum((credit_.amount for credit_ in credits_), Decimal(0)))


def refund_customers(*, credits_: Sequence[OrderCredit], now: datetime) -> None:
    """Give many customers their charges back, from clearing to their dollar wallets."""
    _credit_many(
        asset=USD,
        source=WalletRole.CLEARING,
        kind=TransactionKind.REFUND,
        credits_=credits_,
        now=now,
    )


def lock_customer_wallets(*, asset: str, customer_ids: Sequence[int]) -> None:
    """Lock the wallets of many customers in primary-key order, so that no two such locks can meet crosswise."""
    list(
        Wallet.objects.select_for_update(no_key=True)
        .filter(owner_id__in=customer_ids, asset=asset)
        .order_by("id")
        .values_list("id")
    )


def outcome_reference(*, order_id: int) -> str:
    """The one reference that an order's delivery or its refund takes: whichever comes first is the only one."""
    return f"order:{order_id}:outcome"


_CREDIT_MANY = """
WITH credit AS (
    SELECT *
      FROM unnest(%(orders)s::bigint[], %(customers)s::bigint[], %(amounts)s::numeric[])
           AS c (order_id, customer_id, amount)
), credited AS (
    UPDATE wallets_wallet w
       SET balance = w.balance + total.amount
      FROM (SELECT customer_id, sum(amount) AS amount FROM credit GROUP BY customer_id) total
     WHERE w.owner_id = total.customer_id AND w.asset = %(asset)s
    RETURNING w.id, w.owner_id, w.balance - total.amount AS balance_before
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id, balance_after, created_at)
SELECT %(asset)s, credit.amount, source.id, credited.id, %(kind)s,
       'order:' || credit.order_id || ':outcome', credit.order_id, credit.customer_id,
       credited.balance_before + sum(credit.amount) OVER (PARTITION BY credit.customer_id ORDER BY credit.order_id),
       %(now)s
  FROM credit
  JOIN credited ON credited.owner_id = credit.customer_id
  JOIN wallets_wallet source ON source.role = %(source)s AND source.asset = %(asset)s AND source.owner_id IS NULL
 ORDER BY credit.order_id
"""


def _credit_many(
    *,
    asset: str,
    source: WalletRole,
    kind: TransactionKind,
    credits_: Sequence[OrderCredit],
    now: datetime,
) -> None:
    """Three statements for any number of credits: lock, then change the balances and book in one."""
    customer_ids = [credit_.customer_id for credit_ in credits_]
    lock_customer_wallets(asset=asset, customer_ids=customer_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            _CREDIT_MANY,
            {
                "orders": [credit_.order_id for credit_ in credits_],
                "customers": customer_ids,
                "amounts": [credit_.amount for credit_ in credits_],
                "asset": asset,
                "kind": kind.value,
                "source": source.value,
                "now": now,
            },
        )
        assert cursor.rowcount == len(credits_), "every credited order has a wallet to be credited to"


def _open_customer_wallets(*, asset: str, customer_ids: Sequence[int]) -> None:
    Wallet.objects.bulk_create(
        [
            Wallet(owner_id=owner_id, asset=asset, role=WalletRole.CUSTOMER, balance=0)
            for owner_id in sorted(set(customer_ids))
        ],
        ignore_conflicts=True,
    )


def _change_inventory(*, asset: str, change: Decimal) -> None:
    Wallet.objects.filter(role=WalletRole.INVENTORY, asset=asset, owner=None).update(balance=F("balance") + change)


def _book_between_houses(
    *,
    asset: str,
    amount: Decimal,
    source: WalletRole,
    destination: WalletRole,
    kind: TransactionKind,
    reference: str,
    now: datetime,
) -> None:
    ids = dict(Wallet.objects.filter(owner=None, asset=asset, role__in=[source, destination]).values_list("role", "id"))
    Transaction.objects.create(
        asset=asset,
        amount=amount,
        source_id=ids[source],
        destination_id=ids[destination],
        kind=kind,
        reference=reference,
        created_at=now,
    )
