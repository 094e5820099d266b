"""Reads what moved through the house's wallets."""

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Sum

from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.runtime import sql

HouseMoves = dict[tuple[date, WalletRole, str], Decimal]
"""By UTC day, role and asset: what came in less what left, in the asset's own unit."""


def sum_house_movements(*, roles: Collection[WalletRole], begin: datetime, end: datetime) -> HouseMoves:
    """Sum up the movements of house wallets that were booked from `begin` to before `end`. One statement."""
    rows = sql.fetch_all("wallets.house_movements", roles=[role.value for role in roles], begin=begin, end=end)
    return {(day, WalletRole(role), asset): change for day, role, asset, change in rows}


def sum_paid_to_venue(*, since: datetime) -> Decimal:
    """Sum up what purchases have cost that were booked since then, in US dollars. One statement."""
    paid = Transaction.objects.filter(created_at__gte=since, kind=TransactionKind.FILL_COST)
    return paid.aggregate(amount=Sum("amount"))["amount"] or Decimal(0)


def sum_repurchases(*, begin: datetime, end: datetime | None) -> dict[tuple[date, str], tuple[Decimal, Decimal]]:
    """Sum up what came from customers who owe, from `begin` to before `end`: coins, and what they cost (US dollars).

    By UTC day and asset. One statement.
    """
    rows = sql.fetch_all("wallets.sum_repurchases", begin=begin, end=end)
    return {(day, asset): (coins, cost) for day, asset, coins, cost in rows}


def read_inventories() -> dict[str, tuple[Decimal, Decimal]]:
    """Return the coins in inventory, and what they cost (US dollars), by the coin's name."""
    found = Wallet.objects.filter(role=WalletRole.INVENTORY, owner=None).values_list("asset", "balance", "cost")
    return {asset: (balance or Decimal(0), cost or Decimal(0)) for asset, balance, cost in found}
