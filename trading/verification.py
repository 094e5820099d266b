"""Checks rules 2, 3 and 6: orders and losses agree with the ledger. The caller opens the database snapshot."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from trading.models import PAID_AND_OPEN, DayLoss, Order, OrderState
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.runtime import sql
from wallets.verification import Violation, sum_house_wallet


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
    """Check rule 6: the losses of each day count the ledger's deliveries and revenue, and no more cost than was paid."""
    wrong = [
        Violation(rule=6, subject=f"loss of {day}: {asset}", expected=str(booked), found=str(counted))
        for day, asset, counted, booked in sql.fetch_all("trading.verify_losses")
    ]
    paid = _sum(Transaction.objects.filter(kind=TransactionKind.FILL_COST), of="amount")
    used = _sum(DayLoss.objects.all(), of="cost") + _sum(Wallet.objects.filter(owner=None), of="cost")
    if used > paid:
        wrong.append(Violation(rule=6, subject="cost of coins", expected=f"{paid} at most", found=str(used)))
    return wrong


def _sum(rows: QuerySet[Any], *, of: str) -> Decimal:
    total = rows.aggregate(total=Sum(of))["total"]
    return total or Decimal(0)
