"""Check that orders, coins and purchases agree with the ledger, in one snapshot, while the system runs."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from trading.models import Coin
from trading.verification import (
    sum_completed_charges,
    sum_completed_fees,
    sum_rebates,
    sum_repurchased,
    verify_clearing,
    verify_losses,
    verify_orders,
)
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.runtime import sql
from wallets.verification import (
    Violation,
    sum_house_wallet,
    verify_balances,
    verify_corrections,
    verify_deposits,
    verify_payouts,
)


def verify_everything() -> list[Violation]:
    """Check rules 1 to 5, 9 and 10 of docs/architecture.md. Return the violations."""
    with transaction.atomic(durable=True):
        sql.execute("settlement.take_snapshot")
        return [
            *verify_balances(),
            *verify_clearing(),
            *verify_orders(),
            *verify_coins(),
            *verify_fills(),
            *verify_venues(),
            *verify_result(),
            *verify_losses(),
            *verify_deposits(),
            *verify_payouts(),
            *verify_corrections(),
        ]


def verify_coins() -> list[Violation]:
    """Check rule 4: for each coin, customers and inventory together hold the coins that the fills brought in."""
    bought = _sum_by_asset(Transaction.objects.filter(kind=TransactionKind.FILL), of="amount")
    held = _sum_by_asset(Wallet.objects.all(), of="balance")
    return [
        Violation(
            rule=4,
            subject=f"{coin}: customers and inventory",
            expected=str(bought[coin]),
            found=str(held[coin]),
        )
        for coin in Coin.objects.order_by("name").values_list("name", flat=True)
        if bought[coin] != held[coin]
    ]


def verify_fills() -> list[Violation]:
    """Check rule 4: each filled attempt is booked once, at its cost and at its quantity minus commission."""
    return [
        Violation(
            rule=4,
            subject=f"attempt {name} ({state}): fill",
            expected=f"{executed} for {cost}",
            found=f"{booked} for {paid}",
        )
        for name, state, executed, cost, booked, paid in sql.fetch_all("settlement.verify_fills")
    ]


def verify_venues() -> list[Violation]:
    """Check rule 4: each purchase is booked to the wallets of the venue at which it was made."""
    return [
        Violation(rule=4, subject=f"{reference}: venue", expected=expected, found=found)
        for reference, expected, found in sql.fetch_all("settlement.verify_venues")
    ]


def verify_result() -> list[Violation]:
    """Check rule 5: what completed orders paid equals the venue, fees and trading result wallets together.

    They paid their charges less their rebates. The fees wallet alone holds their fees. What the trading result has paid
    for coins of customers who owe is added to it.
    """
    paid = sum_completed_charges() - sum_rebates()
    went = sum(sum_house_wallet(role=role) for role in (WalletRole.VENUE, WalletRole.FEES, WalletRole.TRADING_RESULT))
    went += sum_repurchased()
    wrong = []
    if paid != went:
        wrong.append(
            Violation(rule=5, subject="paid for completed orders, less rebates", expected=str(paid), found=str(went))
        )
    fees, booked = sum_completed_fees(), sum_house_wallet(role=WalletRole.FEES)
    if fees != booked:
        wrong.append(Violation(rule=5, subject="fees of completed orders", expected=str(fees), found=str(booked)))
    return wrong


def _sum_by_asset(rows: QuerySet[Any], *, of: str) -> defaultdict[str, Decimal]:
    sums = rows.values_list("asset").annotate(total=Coalesce(Sum(of), Decimal(0)))
    return defaultdict(Decimal, sums)
