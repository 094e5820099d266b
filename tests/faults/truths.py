"""Truths that must hold after any fault, when all work has ended."""

import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal

from django.db import connection

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState, Finding, FindingKind
from settlement.verification import verify_everything
from tests.dialects import COMMISSION
from trading.models import Coin, Order, OrderState
from wallets.models import Transaction, Wallet, WalletRole

FINAL = {OrderState.COMPLETED, OrderState.REFUNDED, OrderState.CANCELLED}
_BOUGHT = """
SELECT venue_order.client_id, venue_order.symbol, venue_order.executed, venue_order.quote,
       group_concat(iif(trade.commission_asset = 'USDT', '0', trade.commission), ' ') AS coins,
       group_concat(iif(trade.commission_asset = 'USDT', trade.commission, '0'), ' ') AS dollars
  FROM venue_order JOIN trade ON trade.order_id = venue_order.id
 GROUP BY venue_order.id ORDER BY venue_order.id
"""


def assert_all_truths(world, *, seconds=40):
    """Wait until all orders have ended; then compare our records with the venue's book and the customers' answers."""
    connection.close()  # a fault may have cut it
    trades, world.unchecked = world.unchecked, []
    for trade in trades:
        trade.join()
    world.wait_for(lambda: all(is_quiet(trade) for trade in trades), seconds=seconds)
    assert verify_everything() == []
    assert_the_venues_book_is_ours(world, coins={trade.coin.name for trade in trades})
    for trade in trades:
        assert_promises_are_kept(trade)
        assert_nothing_was_bought_twice(trade)


def assert_nothing_has_changed_since(world):
    """Check after all faults that no process which was cut off or frozen has changed anything afterwards."""
    coins = set(Coin.objects.values_list("name", flat=True))
    assert verify_everything() == []
    assert_the_venues_book_is_ours(world, coins=coins)


def is_quiet(trade):
    """Say whether all orders of the trade have ended, and every late fill that it expects is booked."""
    if not has_ended(trade):
        return False
    return not trade.late_fills or (has_late_fills(trade) and not unbooked_purchases(trade))


def batches_in_doubt(trade):
    """Return the ids of the batches whose purchase is recorded and not answered."""
    return list(Attempt.objects.filter(coin=trade.coin, state=AttemptState.SENT).values_list("batch_id", flat=True))


def await_the_end_of(batches, world):
    """Wait until the batches have ended, so that no further fault of a trade strikes one of them again.

    A batch with two purchases that the venue denies is parked for staff, by design.
    """
    world.wait_for(lambda: not Batch.objects.filter(pk__in=batches, state=BatchState.OPEN).exists())


def unbooked_purchases(trade):
    sold = {row["client_id"] for row in read_book(trade.world) if row["coin"] == trade.coin.name}
    filled = Attempt.objects.filter(coin=trade.coin, state=AttemptState.FILLED)
    return sold - set(filled.values_list("client_order_id", flat=True))


def was_bought_again(trade):
    """Say whether the venue has sold us the coin of a trade twice, as it does after it has denied a purchase."""
    return sum(row["coin"] == trade.coin.name for row in read_book(trade.world)) > 1


def has_ended(trade):
    """Say whether the coin has neither an open order nor an attempt in flight."""
    parked = Batch.objects.filter(coin=trade.coin, state=BatchState.PARKED).first()
    assert parked is None, f"{parked} is parked: {parked.reason}"
    open_orders = Order.objects.filter(coin=trade.coin).exclude(state__in=FINAL)
    in_flight = Attempt.objects.filter(coin=trade.coin, state__in=IN_FLIGHT)
    return not open_orders.exists() and not in_flight.exists()


def has_late_fills(trade):
    return Finding.objects.filter(kind=FindingKind.LATE_FILL, coin=trade.coin).exists()


def read_book(world):
    """Read the venue's sales to us from the simulator's file. A commission in dollars is a part of the cost."""
    with closing(sqlite3.connect(world.book_file, timeout=5)) as book:
        return [
            {
                "client_id": client_id,
                "coin": symbol.removesuffix("USDT"),
                "executed": Decimal(executed),
                "cost": Decimal(quote) + sum(map(Decimal, dollars.split())),
                "commission": sum(map(Decimal, coins.split())),
            }
            for client_id, symbol, executed, quote, coins, dollars in book.execute(_BOUGHT)
        ]


def assert_the_venues_book_is_ours(world, *, coins):
    """Check that we booked every purchase in the venue's book exactly once, with its figures, and no other purchase."""
    book = [row for row in read_book(world) if row["coin"] in coins]
    sold = Counter((row["client_id"], row["executed"], row["cost"], row["commission"]) for row in book)
    filled = Attempt.objects.filter(state=AttemptState.FILLED, coin__name__in=coins)
    booked = Counter(filled.values_list("client_order_id", "executed", "cost", "commission"))
    assert sold == booked
    received = Counter()
    for row in book:
        received[row["coin"]] += row["executed"] - row["commission"]
    held = Counter()
    for asset, balance in Wallet.objects.filter(asset__in=coins).values_list("asset", "balance"):
        held[asset] += balance or 0
    assert received == +held


def assert_promises_are_kept(trade):
    """Check that each key has exactly one order, and that each customer has the coins or the money of every order."""
    orders = {order.pk: order for order in Order.objects.filter(coin=trade.coin)}
    by_key = {(placed.shopper.user.pk, placed.key): placed.answer["id"] for placed in trade.placed}
    assert {placed.answer["id"] for placed in trade.placed} == set(by_key.values())
    assert orders.keys() == set(by_key.values()), "exactly one order for each key"
    for placed in trade.placed:
        order = orders[placed.answer["id"]]
        assert (f"{order.amount:f}", f"{order.charge:f}") == (
            placed.answer["amount"],
            placed.answer["total_price"],
        )
    for shopper in trade.shoppers:
        own = [order for order in orders.values() if order.customer_id == shopper.user.pk]
        bought = [order for order in own if order.state == OrderState.COMPLETED]
        assert shopper.wallet.balance == trade.opening - sum(order.charge for order in bought)
        assert shopper.holding(trade.coin.name) == sum(order.amount for order in bought)


def assert_nothing_was_bought_twice(trade):
    """Check that late fills are findings, and that the rest of the surplus comes from rounding."""
    late = Transaction.objects.filter(
        kind="fill", reference__in=[f"attempt:{name}:fill" for name in _late_purchases(trade)]
    )
    assert bool(late) == has_late_fills(trade) == trade.late_fills
    surplus = Wallet.objects.get(role=WalletRole.INVENTORY, asset=trade.coin.name).balance
    # A purchase costs at least 5.10 dollars (the venue's minimum and some slack): at 4.00, it has at least 1.28 coins.
    assert surplus - sum(row.amount for row in late) < Decimal("1.29") + _unused_for_commission(trade)


def _unused_for_commission(trade):
    """Return the coins that a purchase may have bought for a commission in coins, which was then paid in dollars."""
    quantities = [row["executed"] for row in read_book(trade.world) if row["coin"] == trade.coin.name]
    return Decimal(0) if trade.world.dialect.takes_coins else COMMISSION * max(quantities, default=0)


def _late_purchases(trade):
    findings = Finding.objects.filter(kind=FindingKind.LATE_FILL, coin=trade.coin)
    return findings.values_list("attempt__client_order_id", flat=True)
