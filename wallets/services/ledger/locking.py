"""Locks wallets. Code locks a wallet before it reads anything that a movement depends on.

All code locks in one order: a coin's inventory, then customers' wallets by primary key, then orders, or deposits and
then their returns. Code that holds a wallet's lock never waits for an order: it passes over locked ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from wallets.exceptions import AccountFrozen, DomainError, NotFound, TokenInvalid
from wallets.models import Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.runtime.clock import database_now
from wallets.runtime.log_context import add_to_log_context
from wallets.selectors.accounts import Principal, ensure_active


@dataclass(kw_only=True)
class LockedWallet:
    """A customer's dollar wallet, locked by the current database transaction.

    `now` is the moment by Postgres' clock at which the lock was obtained. Whatever moves the wallet's money is judged
    and dated by it, never by the clock of a host. Only a `frozen` wallet's customer may owe something.
    """

    id: int
    owner_id: int
    balance: Decimal
    now: datetime
    frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class CallersWallet:
    """A customer's locked dollar wallet, for one caller.

    `refusal`: why the caller must not move its dollars, if so; TokenInvalid or AccountFrozen.
    """

    wallet: LockedWallet
    refusal: DomainError | None


def lock_dollar_wallet(*, principal: Principal) -> LockedWallet:
    """Lock the caller's dollar wallet until the database transaction ends. One statement.

    Raises TokenInvalid (disabled account, revoked token or ended sign-in), AccountFrozen, NotFound (no wallet). What
    happened while the statement waited for the lock counts.
    """
    [found] = lock_dollar_wallets(principals=[principal])
    if found is None:
        refuse_without_wallet(principal=principal)
    add_to_log_context(customer_id=found.wallet.owner_id)
    if found.refusal:
        raise found.refusal
    return found.wallet


def lock_dollar_wallets(
    *, principals: Sequence[Principal], patience: timedelta | None = None
) -> Sequence[CallersWallet | None]:
    """Lock the dollar wallets of callers, in primary-key order, until the database transaction ends. One statement.

    Return the wallet of each caller, None for one without a wallet; callers of one customer share a wallet. What
    happened while the statement waited for locks counts.

    With `patience` the statement does not wait: None is also returned for a caller of whom somebody else has locked
    something. The rest of the transaction waits for each lock at most so long.
    """
    lock = _lock_many if len(principals) > 1 else _lock_one
    wallets: dict[int, LockedWallet] = {}
    found: list[CallersWallet | None] = [None] * len(principals)
    for row in lock(principals, **_waiting(patience)):
        number, wallet_id, owner_id, balance, frozen, is_active, token_version, is_signed_in, now = row
        wallet = LockedWallet(id=wallet_id, owner_id=owner_id, balance=balance, now=now)
        principal = principals[number]
        if patience is not None and principal.family_id is not None and is_signed_in is None:
            continue  # the sign-in is locked, or there is none
        is_valid = is_active and token_version == principal.token_version
        is_valid = is_valid and (principal.family_id is None or is_signed_in)
        refusal = AccountFrozen() if frozen else None
        found[number] = CallersWallet(
            wallet=wallets.setdefault(wallet_id, wallet), refusal=refusal if is_valid else TokenInvalid()
        )
    return found


def _waiting(patience: timedelta | None) -> dict[str, Any]:
    """Return the part of the statement that says whether it waits, and `patience` as Postgres reads it."""
    if patience is None:
        return {"part": "wallets.wait_for_locked", "patience": None}
    return {"part": "wallets.pass_over_locked", "patience": str(int(patience / timedelta(milliseconds=1)))}


def _lock_one(principals: Sequence[Principal], *, part: str, patience: str | None) -> list[sql.Row]:
    """Return what `_lock_many` returns, for half of Postgres' time."""
    [principal] = principals
    row = sql.fetch_one(f"wallets.lock_dollar_wallet+{part}", asset=USD, patience=patience, **_named_by(principal))
    return [] if row is None else [(0, *row)]


def _lock_many(principals: Sequence[Principal], *, part: str, patience: str | None) -> list[sql.Row]:
    asked = [{"number": number, **_named_by(principal)} for number, principal in enumerate(principals)]
    name = f"wallets.lock_dollar_wallets+{part}"
    return sql.fetch_all(name, asset=USD, asked=sql.records(asked), patience=patience)


def _named_by(principal: Principal) -> dict[str, Any]:
    return {"owner": principal.user_id, "subject": principal.subject, "family": principal.family_id}


def refuse_without_wallet(*, principal: Principal) -> NoReturn:
    """Raise what is wrong with a caller who has no wallet: TokenInvalid for a token without an account, or NotFound."""
    ensure_active(principal=principal)
    raise NotFound("This account has no wallet.")


def lock_customer_wallets(*, asset: str, customer_ids: Sequence[int]) -> list[int]:
    """Lock the wallets of many customers in primary-key order, so that two callers cannot deadlock.

    Return the customers whose wallets are frozen.
    """
    locked = Wallet.objects.select_for_update(no_key=True).filter(owner_id__in=customer_ids, asset=asset)
    rows = locked.order_by("id").values_list("owner_id", "frozen")
    return [owner_id for owner_id, frozen in rows if frozen and owner_id is not None]


def lock_wallets_to_credit(*, customer_ids: Iterable[int]) -> dict[int, LockedWallet]:
    """Lock dollar wallets for money that came in from outside, and return them by customer. Two statements.

    Frozen and disabled accounts get it too, because it is theirs. A user without a wallet is left out.
    """
    wallets = Wallet.objects.select_for_update(no_key=True).filter(owner_id__in=set(customer_ids), asset=USD)
    rows = list(wallets.order_by("id").values_list("id", "owner_id", "balance", "frozen"))
    now = database_now()
    return {
        owner_id: LockedWallet(id=wallet_id, owner_id=owner_id, balance=balance or Decimal(0), now=now, frozen=frozen)
        for wallet_id, owner_id, balance, frozen in rows
    }


def lock_wallet_of_coin(*, customer_id: int, asset: str) -> tuple[int, Decimal] | None:
    """Lock a customer's dollar wallet and their wallet of a coin. Return the latter's id and balance, if there is one.

    The caller holds the lock on the coin's inventory. No wallet of another coin is locked: settlement of that coin
    could hold it, and wait for the dollar wallet.
    """
    wallets = Wallet.objects.select_for_update(no_key=True).filter(owner_id=customer_id, asset__in=(USD, asset))
    rows = list(wallets.order_by("id").values_list("asset", "id", "balance"))
    return next(((wallet_id, balance or Decimal(0)) for found, wallet_id, balance in rows if found == asset), None)


def lock_inventory(*, asset: str) -> Decimal:
    """Lock a coin's inventory and return its balance. Claims and bookings of one coin wait here for each other."""
    inventory = Wallet.objects.select_for_update(no_key=True).get(role=WalletRole.INVENTORY, asset=asset, owner=None)
    return inventory.balance or Decimal(0)
