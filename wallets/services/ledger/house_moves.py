"""Movements between house wallets: purchases, revenue, dollars of nobody, payouts, and what customers owe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from wallets.models import TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql


def book_fill(*, venue: str, asset: str, cost: Decimal, quantity: Decimal, reference: str, now: datetime) -> None:
    """Book a purchase at a venue: its cost (US dollars), and the coins it brought after commission.

    `venue` is the name of its wallets, which is empty for the first venue.

    The venue's wallets are opened if they are missing. The caller holds the lock on the coin's inventory. A cost or
    quantity of zero is not booked. A cost without coins makes the coins in inventory, or those that come next, dearer.
    """
    paid = _HouseMovement(
        asset=USD,
        amount=cost,
        source=WalletRole.TRADING_RESULT,
        destination=WalletRole.VENUE,
        kind=TransactionKind.FILL_COST,
        reference=f"{reference}:cost",
    )
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
    revenue = _HouseMovement(
        asset=USD,
        amount=subtotal,
        source=WalletRole.CLEARING,
        destination=WalletRole.TRADING_RESULT,
        kind=TransactionKind.REVENUE,
        reference=f"{reference}:revenue",
    )
    fees = _HouseMovement(
        asset=USD,
        amount=fee,
        source=WalletRole.CLEARING,
        destination=WalletRole.FEES,
        kind=TransactionKind.FEE,
        reference=f"{reference}:fees",
    )
    _book([movement for movement in (revenue, fees) if movement.amount], now=now)


def book_unassigned(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book dollars that came in and belong to nobody yet."""
    came_in = _HouseMovement(
        asset=USD,
        amount=amount,
        source=WalletRole.FUNDING,
        destination=WalletRole.UNASSIGNED,
        kind=TransactionKind.UNASSIGNED,
        reference=reference,
    )
    _book([came_in], now=now)


def book_sent_back(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that dollars which belong to nobody go back to their sender."""
    went_back = _HouseMovement(
        asset=USD,
        amount=amount,
        source=WalletRole.UNASSIGNED,
        destination=WalletRole.FUNDING,
        kind=TransactionKind.SENT_BACK,
        reference=reference,
    )
    _book([went_back], now=now)


def book_payouts(*, amounts: Mapping[str, Decimal], now: datetime) -> None:
    """Book that dollars leave which customers asked to be paid out; `amounts` by the movements' references."""
    _book(
        [
            _HouseMovement(
                asset=USD,
                amount=amount,
                source=WalletRole.PAYABLE,
                destination=WalletRole.FUNDING,
                kind=TransactionKind.PAYOUT,
                reference=reference,
            )
            for reference, amount in amounts.items()
        ],
        now=now,
    )


def book_return_of_nobody(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that a bank took dollars back which belong to nobody."""
    _book_return(amount, WalletRole.UNASSIGNED, WalletRole.FUNDING, reference, now)


def book_won_for_nobody(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that dollars of nobody, which a bank took back, are here again."""
    _book_return(amount, WalletRole.FUNDING, WalletRole.UNASSIGNED, reference, now)


def book_owed(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book dollars that a bank took back and that a customer owes. The caller adds them to the customer's debt."""
    _book_return(amount, WalletRole.RECEIVABLE, WalletRole.FUNDING, reference, now)


def _book_return(amount: Decimal, source: WalletRole, destination: WalletRole, reference: str, now: datetime) -> None:
    returned = _HouseMovement(
        asset=USD,
        amount=amount,
        source=source,
        destination=destination,
        kind=TransactionKind.RETURN,
        reference=reference,
    )
    _book([returned], now=now)


def book_write_off(*, amount: Decimal, reference: str, now: datetime) -> None:
    """Book that a debt will not be paid. The caller takes it from the customer's debt."""
    written_off = _HouseMovement(
        asset=USD,
        amount=amount,
        source=WalletRole.WRITTEN_OFF,
        destination=WalletRole.RECEIVABLE,
        kind=TransactionKind.WRITE_OFF,
        reference=reference,
    )
    _book([written_off], now=now)


def book_repurchase(*, asset: str, quantity: Decimal, paid: Decimal, reference: str, now: datetime) -> None:
    """Add coins to inventory that a customer has given for `paid` US dollars of a debt, which become their cost.

    The caller holds the lock on the coin's inventory, moves the coins, and takes the dollars from the customer's debt.
    """
    dollars = _HouseMovement(
        asset=USD,
        amount=paid,
        source=WalletRole.TRADING_RESULT,
        destination=WalletRole.RECEIVABLE,
        kind=TransactionKind.REPURCHASE,
        reference=reference,
    )
    _book([dollars], now=now)
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


@dataclass(frozen=True, kw_only=True)
class _HouseMovement:
    asset: str
    amount: Decimal
    source: WalletRole
    destination: WalletRole
    kind: TransactionKind
    reference: str


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
