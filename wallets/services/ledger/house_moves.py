"""Movements between house wallets: purchases, revenue, dollars of nobody, payouts, and what customers owe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from wallets.models import TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql


@dataclass(frozen=True, kw_only=True)
class _HouseMovement:
    asset: str
    amount: Decimal
    source: WalletRole
    destination: WalletRole
    kind: TransactionKind
    reference: str


class _Route(NamedTuple):
    """Where US dollars of a kind move from and to."""

    source: WalletRole
    destination: WalletRole
    kind: TransactionKind

    def movement(self, amount: Decimal, reference: str) -> _HouseMovement:
        """Return the movement of so many US dollars."""
        return _HouseMovement(asset=USD, amount=amount, reference=reference, **self._asdict())


_COST: Final = _Route(WalletRole.TRADING_RESULT, WalletRole.VENUE, TransactionKind.FILL_COST)
_REVENUE: Final = _Route(WalletRole.CLEARING, WalletRole.TRADING_RESULT, TransactionKind.REVENUE)
_FEES: Final = _Route(WalletRole.CLEARING, WalletRole.FEES, TransactionKind.FEE)
_CAME_IN: Final = _Route(WalletRole.FUNDING, WalletRole.UNASSIGNED, TransactionKind.UNASSIGNED)
_SENT_BACK: Final = _Route(WalletRole.UNASSIGNED, WalletRole.FUNDING, TransactionKind.SENT_BACK)
_PAID_OUT: Final = _Route(WalletRole.PAYABLE, WalletRole.FUNDING, TransactionKind.PAYOUT)
_TAKEN_BACK: Final = _Route(WalletRole.UNASSIGNED, WalletRole.FUNDING, TransactionKind.RETURN)
_WON_BACK: Final = _Route(WalletRole.FUNDING, WalletRole.UNASSIGNED, TransactionKind.RETURN)
_OWED: Final = _Route(WalletRole.RECEIVABLE, WalletRole.FUNDING, TransactionKind.RETURN)
_WRITTEN_OFF: Final = _Route(WalletRole.WRITTEN_OFF, WalletRole.RECEIVABLE, TransactionKind.WRITE_OFF)
_REPURCHASED: Final = _Route(WalletRole.TRADING_RESULT, WalletRole.RECEIVABLE, TransactionKind.REPURCHASE)


def book_fill(*, venue: str, asset: str, cost: Decimal, quantity: Decimal, reference: str, now: datetime) -> None:
    """Book a purchase at a venue: its cost (US dollars), and the coins it brought after commission.

    `venue` is the name of its wallets, which is empty for the first venue.

    The venue's wallets are opened if they are missing. The caller holds the lock on the coin's inventory. A cost or
    quantity of zero is not booked. A cost without coins makes the coins in inventory, or those that come next, dearer.
    """
    paid = _COST.movement(cost, f"{reference}:cost")
    received = _HouseMovement(
        asset=asset,
        amount=quantity,
        source=WalletRole.VENUE,
        destination=WalletRole.INVENTORY,
        kind=TransactionKind.FILL,
        reference=f"{reference}:fill",
    )
    _book([movement for movement in (paid, received) if movement.amount], now=now, venue=venue)
    if cost or quantity:
        _inventory_of(asset).update(balance=F("balance") + quantity, cost=Coalesce(F("cost"), Decimal(0)) + cost)


def book_revenue(*, subtotal: Decimal, fee: Decimal, reference: str, now: datetime) -> None:
    """Move what completed orders paid (US dollars) out of clearing: subtotals to the trading result, fees to the fees.

    No fees are no movement.
    """
    revenue = _REVENUE.movement(subtotal, f"{reference}:revenue")
    fees = _FEES.movement(fee, f"{reference}:fees")
    _book([movement for movement in (revenue, fees) if movement.amount], now=now)


def book_unassigned(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book dollars that came in and belong to nobody yet."""
    _book([_CAME_IN.movement(amount, reference)], now=now)


def book_sent_back(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that dollars which belong to nobody go back to their sender."""
    _book([_SENT_BACK.movement(amount, reference)], now=now)


def book_payouts(*, amounts: Mapping[str, Decimal], now: datetime) -> None:
    """Book that dollars leave which customers asked to be paid out; `amounts` by the movements' references."""
    _book([_PAID_OUT.movement(amount, reference) for reference, amount in amounts.items()], now=now)


def book_return_of_nobody(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that a bank took dollars back which belong to nobody."""
    _book([_TAKEN_BACK.movement(amount, reference)], now=now)


def book_won_for_nobody(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that dollars of nobody, which a bank took back, are here again."""
    _book([_WON_BACK.movement(amount, reference)], now=now)


def book_owed(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book dollars that a bank took back and that a customer owes. The caller adds them to the customer's debt."""
    _book([_OWED.movement(amount, reference)], now=now)


def book_write_off(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that a debt will not be paid. The caller takes it from the customer's debt."""
    _book([_WRITTEN_OFF.movement(amount, reference)], now=now)


def book_repurchase(*, asset: str, quantity: Decimal, paid: Decimal, reference: str, now: datetime) -> None:
    """Add coins to inventory that a customer has given for `paid` US dollars of a debt, which become their cost.

    The caller holds the lock on the coin's inventory, moves the coins, and takes the dollars from the customer's debt.
    """
    _book([_REPURCHASED.movement(paid, reference)], now=now)
    _inventory_of(asset).update(balance=F("balance") + quantity, cost=Coalesce(F("cost"), Decimal(0)) + paid)


def take_from_inventory(*, asset: str, quantity: Decimal) -> Decimal:
    """Take coins from a coin's inventory, and return what they cost (US dollars): their share of the cost of all.

    The share is rounded to 8 places; the last coins take the rest. The caller locks the inventory, and books the
    movement.
    """
    row = sql.fetch_one("wallets.take_from_inventory", asset=asset, quantity=quantity)
    assert row is not None, "every coin has an inventory"
    return Decimal(row[0])


def _inventory_of(asset: str) -> QuerySet[Wallet]:
    return Wallet.objects.filter(role=WalletRole.INVENTORY, asset=asset, owner=None)


def _book(movements: Sequence[_HouseMovement], *, now: datetime, venue: str | None = None) -> None:
    if not movements:
        return
    booked = sql.execute(
        "wallets.move_between_house_wallets" if venue is None else "wallets.book_fill",
        **({} if venue is None else {"venue": venue}),
        assets=[movement.asset for movement in movements],
        amounts=[movement.amount for movement in movements],
        sources=[movement.source for movement in movements],
        destinations=[movement.destination for movement in movements],
        kinds=[movement.kind for movement in movements],
        references=[movement.reference for movement in movements],
        now=now,
    )
    if booked != len(movements):
        raise RuntimeError(f"the house lacks a wallet for {[movement.reference for movement in movements]}")
