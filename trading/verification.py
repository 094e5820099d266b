"""Checks rules 2, 3 and 9: orders and losses agree with the ledger. The caller opens the database snapshot."""

from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from trading.models import PAID_AND_OPEN, DayLoss, Order, OrderState
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.verification import Violation, sum_house_wallet

_DayAndAsset = tuple[date, str]
_NOTHING: Final = Decimal(0)
_MIDNIGHTS_OF_AN_UPGRADE: Final = 2


def verify_clearing() -> list[Violation]:
    """Check that clearing holds the charges of the open orders, to the cent."""
    open_orders = Order.objects.filter(state__in=PAID_AND_OPEN).aggregate(total=Sum("charge"))["total"]
    expected, found = open_orders or Decimal(0), sum_house_wallet(role=WalletRole.CLEARING)
    if expected == found:
        return []
    return [Violation(rule=2, subject="clearing USD", expected=str(expected), found=str(found))]


def verify_orders() -> list[Violation]:
    """Check that each order was charged once, and is either delivered once, refunded once, or still open.

    A completed order's customer got its rebate once, if it has one, and no other order's did.
    """
    return [
        Violation(
            rule=3,
            subject=f"order {order_id}: movements",
            expected=f"those of a {state} order",
            found=f"charged {charged}, refunded {refunded}, delivered {delivered}, rebate {rebated}",
        )
        for order_id, state, charged, refunded, delivered, rebated in sql.fetch_all("trading.verify_orders")
    ]


def sum_completed_charges() -> Decimal:
    """Return the sum of the charges of completed orders, in US dollars."""
    total = Order.objects.filter(state=OrderState.COMPLETED).aggregate(total=Sum("charge"))["total"]
    return total or Decimal(0)


def sum_rebates() -> Decimal:
    """Return the sum of what customers got back with completed orders, in US dollars."""
    total = Order.objects.filter(state=OrderState.COMPLETED).aggregate(total=Sum("rebate"))["total"]
    return total or Decimal(0)


def sum_completed_fees() -> Decimal:
    """Return the sum of the fees of completed orders, in US dollars."""
    total = Order.objects.filter(state=OrderState.COMPLETED).aggregate(total=Sum("fee"))["total"]
    return total or Decimal(0)


def sum_repurchased() -> Decimal:
    """Return what the trading result has paid for coins of customers who owe, in US dollars."""
    repurchases = Transaction.objects.filter(
        kind=TransactionKind.REPURCHASE,
        asset=USD,
        source__role=WalletRole.TRADING_RESULT,
        destination__role=WalletRole.RECEIVABLE,
    )
    return _sum(repurchases, of="amount")


def verify_losses() -> list[Violation]:
    """Check rule 9: each day's losses count the ledger's deliveries and revenue, and no more cost than was paid.

    The days of the upgrade are left out: a release that does not count may have booked too.
    """
    counted, booked = _counted_by_day(), _booked_by_day()
    later = {key for key in counted | booked if counted and key[0] > _last_day_of_upgrade(counted, booked)}
    wrong = [
        Violation(
            rule=9, subject=f"loss of {key[0]}: {key[1]}", expected=str(booked.get(key)), found=str(counted.get(key))
        )
        for key in sorted(later)
        if counted.get(key) != booked.get(key)
    ]
    paid = _sum(Transaction.objects.filter(kind=TransactionKind.FILL_COST), of="amount") + sum_repurchased()
    used = _sum(DayLoss.objects.all(), of="cost") + _sum(Wallet.objects.filter(owner=None), of="cost")
    if used > paid:
        wrong.append(Violation(rule=9, subject="cost of coins", expected=f"{paid} at most", found=str(used)))
    return wrong


def _last_day_of_upgrade(counted: dict[_DayAndAsset, Decimal], booked: dict[_DayAndAsset, Decimal]) -> date:
    """Return the last day on which a release that does not count has booked, or the first counted day.

    It may be a later one if the upgrade went on over 00:00 UTC: one of the next days, on which the ledger has more than
    was counted and nothing less, without a day between that agrees.
    """
    last = min(counted)[0]
    for _ in range(_MIDNIGHTS_OF_AN_UPGRADE):
        day = last + timedelta(days=1)
        uncounted = {key: booked.get(key, _NOTHING) - counted.get(key, _NOTHING) for key in counted | booked}
        of_day = {amount for key, amount in uncounted.items() if key[0] == day}
        if not any(of_day) or min(of_day) < 0:
            break
        last = day
    return last


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
