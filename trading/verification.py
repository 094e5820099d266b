"""Checks rules 2, 3 and 9: orders and losses agree with the ledger. The caller opens the database snapshot."""

from datetime import UTC, date
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from trading.models import PAID_AND_OPEN, DayLoss, Order, OrderState
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.verification import Violation, sum_house_wallet

_DayAndAsset = tuple[date, str]


def verify_clearing() -> list[Violation]:
    """Check that clearing holds the charges of the open orders, to the cent."""
    open_orders = Order.objects.filter(state__in=PAID_AND_OPEN).aggregate(total=Sum("charge"))["total"]
    expected, found = open_orders or Decimal(0), sum_house_wallet(role=WalletRole.CLEARING)
    if expected == found:
        return []
    return [Violation(rule=2, subject="clearing USD", expected=str(expected), found=str(found))]


def verify_orders() -> list[Violation]:
    """Check that each order was charged once, and is either delivered once, refunded once, or still open."""
    return [
        Violation(
            rule=3,
            subject=f"order {order_id}: movements",
            expected=f"those of a {state} order",
            found=f"charged {charged}, refunded {refunded}, delivered {delivered}",
        )
        for order_id, state, charged, refunded, delivered in sql.fetch_all("trading.verify_orders")
    ]


def sum_completed_charges() -> Decimal:
    """Return the sum of the charges of completed orders, in US dollars."""
    total = Order.objects.filter(state=OrderState.COMPLETED).aggregate(total=Sum("charge"))["total"]
    return total or Decimal(0)


def verify_losses() -> list[Violation]:
    """Check rule 9: each day's losses count the ledger's deliveries and revenue, and no more cost than was paid."""
    counted, booked = _counted_by_day(), _booked_by_day()
    # On the first counted day, a release that does not count may have booked too.
    later = {key for key in counted | booked if counted and key[0] > min(counted)[0]}
    wrong = [
        Violation(
            rule=9, subject=f"loss of {key[0]}: {key[1]}", expected=str(booked.get(key)), found=str(counted.get(key))
        )
        for key in sorted(later)
        if counted.get(key) != booked.get(key)
    ]
    paid = _sum(Transaction.objects.filter(kind=TransactionKind.FILL_COST), of="amount")
    used = _sum(DayLoss.objects.all(), of="cost") + _sum(Wallet.objects.filter(owner=None), of="cost")
    if used > paid:
        wrong.append(Violation(rule=9, subject="cost of coins", expected=f"{paid} at most", found=str(used)))
    return wrong


def _counted_by_day() -> dict[_DayAndAsset, Decimal]:
    """Return the coins that were counted on each day by asset, and in `USD` what their orders paid."""
    counted: dict[_DayAndAsset, Decimal] = {}
    for day, coin, coins, charge in DayLoss.objects.values_list("day", "coin__name", "coins", "charge"):
        counted[day, coin] = coins
        counted[day, USD] = counted.get((day, USD), Decimal(0)) + charge
    return counted


def _booked_by_day() -> dict[_DayAndAsset, Decimal]:
    """Return the ledger's deliveries (coins) and revenue (`USD`), by UTC day and asset."""
    rows = Transaction.objects.filter(kind__in=[TransactionKind.DELIVERY, TransactionKind.REVENUE])
    by_day = rows.annotate(day=TruncDate("created_at", tzinfo=UTC)).values_list("day", "asset")
    return {(day, asset): total for day, asset, total in by_day.annotate(total=Sum("amount"))}


def _sum(rows: QuerySet[Any], *, of: str) -> Decimal:
    total = rows.aggregate(total=Sum(of))["total"]
    return total or Decimal(0)
