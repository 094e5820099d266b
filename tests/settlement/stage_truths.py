"""What must be true after any lie of a venue: one function, which every case calls."""

import sqlite3
from contextlib import closing
from decimal import Decimal

from django.conf import settings

from settlement.models import Attempt, AttemptState, Finding
from settlement.verification import verify_everything
from tests.patience import stretched
from tests.processes import wait_for
from tests.settlement.stage import OPENING
from trading.models import Order, OrderState
from wallets.models import Wallet, WalletRole

WITNESS_WAITS = 20  # seconds
_BOUGHT = """
SELECT venue_order.client_id, venue_order.quantity, venue_order.executed, venue_order.quote, venue_order.price,
       trade.commission, trade.commission_asset
  FROM venue_order LEFT JOIN trade ON trade.order_id = venue_order.id
 WHERE symbol = ? ORDER BY venue_order.id
"""


def assert_all_truths(stage, told, *, leeway=Decimal(0)):
    """Compare our books with the simulator's: every coin that was bought is delivered, in inventory, or named.

    `leeway` is what the venue's answers say more or less than its book, in coins.
    """
    book = read_book(stage, told)
    assert_each_purchase_is_known(told, book)
    assert_every_coin_is_accounted_for(told, book, leeway)
    assert_the_fence_has_held(told, book)
    assert_the_customer_has_coins_or_money(told)
    assert_others_were_settled_meanwhile(told)
    assert verify_everything() == []


def read_book(stage, told):
    """Read the purchases of the case's coin from the simulator's file."""
    with closing(sqlite3.connect(stage.book_file, timeout=5)) as book:
        return [
            {
                "id": client_id,
                "asked": Decimal(asked),
                "executed": Decimal(executed),
                "cost": Decimal(cost),
                "limit": Decimal(limit),
                "received": Decimal(executed) - (Decimal(commission or 0) if asset == told.coin else 0),
            }
            for client_id, asked, executed, cost, limit, commission, asset in book.execute(_BOUGHT, [told.symbol])
        ]


def assert_each_purchase_is_known(told, book):
    """Check that the venue got every attempt at most once, and no order that is not an attempt's."""
    ids = [row["id"] for row in book]
    assert len(ids) == len(set(ids)), "an attempt was sent twice"
    assert set(ids) <= {attempt.client_order_id for attempt in told.attempts()}
    for attempt in told.attempts():
        if attempt.state in {AttemptState.NEW, AttemptState.REFUSED}:
            assert attempt.client_order_id not in ids


def assert_every_coin_is_accounted_for(told, book, leeway):
    """Check: bought = delivered + inventory + what findings and purchases in doubt name. So no coin is delivered twice."""
    filled = {one.client_order_id for one in told.attempts() if one.state == AttemptState.FILLED}
    booked = sum((row["received"] for row in book if row["id"] in filled), Decimal(0))
    orders = Order.objects.filter(coin__name=told.coin, state=OrderState.COMPLETED)
    delivered = sum(orders.values_list("amount", flat=True), Decimal(0))
    inventory = Wallet.objects.filter(role=WalletRole.INVENTORY, asset=told.coin).first()
    held = delivered + (inventory.balance if inventory else 0)
    assert held >= delivered, "coins were delivered that nobody bought"
    assert abs(booked - held) <= leeway, f"bought and booked {booked}, delivered and in inventory {held}"
    for row in book:
        if row["executed"] and row["id"] not in filled:
            assert_is_named(told, row)


def assert_is_named(told, row):
    """Check that coins which are not booked belong to a purchase in doubt, or to one with an open finding."""
    attempt = Attempt.objects.get(client_order_id=row["id"])
    named = Finding.objects.filter(attempt=attempt, closed_at=None).exists()
    assert attempt.state == AttemptState.SENT or attempt.recheck_at or named, f"{row} is named nowhere"
    assert attempt.state != AttemptState.PARKED or (named and told.is_parked())


def assert_the_fence_has_held(told, book):
    """Check what was asked for against the charges. What a venue does beyond a request, no fence can hold."""
    charges = sum(Order.objects.filter(coin__name=told.coin).values_list("charge", flat=True))
    rules = settings.SETTLEMENT
    most = charges * (1 + rules.max_loss) / (1 - settings.VENUE.taker_rate) + rules.max_top_up
    asked = [row["cost"] * min(1, row["asked"] / row["executed"]) for row in book if row["executed"]]
    assert sum(asked) <= most, f"spent {sum(asked)} for charges of {charges}"
    for row in book:
        assert row["asked"] * row["limit"] <= most


def assert_the_customer_has_coins_or_money(told):
    order = Order.objects.get(pk=told.order)
    paid = Decimal(0) if order.state == OrderState.REFUNDED else order.charge
    assert told.shopper.wallet.balance == OPENING - paid
    assert told.shopper.holding(told.coin) == (order.amount if order.state == OrderState.COMPLETED else 0)


def assert_others_were_settled_meanwhile(told):
    completed = Order.objects.filter(pk=told.witness, state=OrderState.COMPLETED)
    wait_for(completed.exists, seconds=WITNESS_WAITS)
    witness = completed.get()
    waited = (witness.completed_at - witness.created_at).total_seconds()
    assert waited < stretched(WITNESS_WAITS), "another coin's order had to wait"
