"""Settlement with a venue that loses, garbles or delays answers, fills orders partly and refuses some.

Each run prints its seed. LOSSY_SEED=SEED repeats a run with that seed. LOSSY_RUNS is the number of runs: a few in the
ordinary tests, a thousand with `task test:lossy`.
"""

import os
import random
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.verification import verify_everything
from tests.configure import configure
from tests.dialects import COMMISSION
from tests.settlement.conftest import end_pauses, new_venue, resume_parked_batches
from trading.exceptions import OrderNotCancellable
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.placing import place_order
from wallets.models import Wallet, WalletRole
from wallets.selectors.accounts import Principal

RUNS = int(os.environ.get("LOSSY_RUNS", "12"))
SEED = int(os.environ.get("LOSSY_SEED") or random.SystemRandom().randrange(10**6))
# The weight of each behaviour when the venue gets a new order.
PLACING = {
    "fine": 8,
    "accept_then_drop": 3,
    "accept_then_hang": 2,
    "accept_then_500": 2,
    "garbage": 2,
    "drop": 2,
    "late": 2,
    "partial": 4,
    "rate_limit": 1,
    "filter": 1,
    "refused": 1,
}
ASKING = {"fine": 6, "drop": 2, "not_found": 4, "garbage": 1, "accept_then_500": 1}
RULES = {
    "fine": {"action": "delay", "wait": 0.001},
    "late": {"action": "delay"},
    "accept_then_hang": {"action": "accept_then_hang", "wait": 0.3},
    "filter": {"action": "reject", "code": -1013, "msg": "Filter failure: LOT_SIZE"},
    "refused": {"action": "reject", "code": -1121, "msg": "Invalid symbol."},
}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(60 + 15 * RUNS),
    pytest.mark.dialects,
]


@pytest.fixture
def spread():
    """The simulator's own: bid and ask are not the set price."""
    return "0.0002"


@pytest.fixture
def impatient(settings, dialect):
    window = timedelta(milliseconds=250) if dialect.name == "binance" else dialect.window
    configure(settings, "VENUE", read_timeout_seconds=0.2, recv_window=window)
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(milliseconds=50), not_found_times=2, max_attempts=1000)
    configure(settings, "RISK", max_orders=10**6, max_cancels=10**6, max_value=Decimal(10**9))


def test_purchases_equal_delivered_coins_plus_the_houses_surplus(
    impatient, venue, simulator, coin, make_shopper, dialect
):
    play_runs(RUNS, venue, simulator, coin, make_shopper, dialect)


def play_runs(runs, venue, simulator, coin, make_shopper, dialect):
    """Play so many runs, and check after each that every purchase is accounted for."""
    sys.stdout.write(f"\n{runs} runs with a lossy venue: LOSSY_SEED={SEED}\n")
    chance = random.Random(SEED)
    customers = [make_shopper("100000.00") for _ in range(4)]
    simulator.set_account(balances={"USDT": "100000000"}, commission_rate=str(COMMISSION))
    seen = Counter()
    begun = time.monotonic()
    for run in range(1, runs + 1):
        _play(chance, venue, simulator, coin, customers, dialect)
        _assert_book_is_accounted_for(simulator, coin, dialect)
        if run % 50 == 0 or run == runs:
            assert verify_everything() == []
            sys.stdout.write(f"{run} runs, {time.monotonic() - begun:.0f} s\n")
    seen.update(Order.objects.values_list("state", flat=True))
    assert not seen.keys() - {"completed", "refunded", "cancelled"}
    lookups = Attempt.objects.filter(lookups__gt=0).count()
    sys.stdout.write(
        f"{dict(seen)}, {len(simulator.book('ABAN'))} purchases, {lookups} attempts asked for, "
        f"{Attempt.objects.filter(state=AttemptState.FILLED, not_found__gt=0).count()} found after they were given up\n"
    )


def _play(chance, venue, simulator, coin, customers, dialect):
    """Place some orders while the venue misbehaves, and take steps until all orders have ended."""
    simulator.fail(
        *_rules(chance, "place", PLACING, chance.randrange(6), dialect),
        *_rules(chance, "query", ASKING, chance.randrange(12), dialect),
    )
    placed = []
    for _ in range(chance.randrange(1, 7)):
        order_request = OrderRequest(coin_name="ABAN", amount=None, total=Decimal(chance.randrange(100, 4000)) / 100)
        placed.append(
            place_order(buyer=chance.choice(customers).principal, order_request=order_request, now=timezone.now()).order
        )
        if chance.random() < 0.3:
            _step(chance, venue, coin)
        if chance.random() < 0.1:
            _cancel(chance.choice(placed))
    deadline = time.monotonic() + 30 + 10 * dialect.window.total_seconds()
    while Order.objects.filter(state__in=["pending", "aggregated", "settling"]).exists():
        _step(chance, venue, coin, due_at=timezone.now() + timedelta(days=1))
        assert time.monotonic() < deadline, "still open"
    simulator.fail()
    given_up = Attempt.objects.filter(recheck_at__isnull=False)
    for attempt in given_up:
        recheck_attempt(attempt_id=attempt.pk, get_venue=lambda _: venue)
    given_up.update(recheck_at=None)  # their day of rechecks is over


def _rules(chance, occasion, odds, count, dialect):
    for name in chance.choices(list(odds), list(odds.values()), k=count):
        rule = {"on": occasion, "times": 1, "action": name, **RULES.get(name, {})}
        if name == "partial":
            rule["fraction"] = f"{chance.uniform(0.3, 0.95):.3f}"
        if name == "late":  # longer than our read timeout; sometimes longer than the request's window
            rule["wait"] = chance.uniform(0.21, 0.3)
            if dialect.name != "binance" and chance.random() < 0.4:  # whose window is much longer
                rule["wait"] = dialect.too_late_seconds
        yield rule


def _step(chance, venue, coin, due_at=None):
    """Take the step that a worker would take next; sometimes take it twice at once."""
    end_pauses()
    resume_parked_batches()
    claim_waiting_orders(coin_id=coin.pk, now=due_at or timezone.now())
    attempt = Attempt.objects.filter(state__in=IN_FLIGHT).first()
    if attempt is None:
        assert not Batch.objects.filter(state=BatchState.PARKED).exists()
        return
    if chance.random() < 0.15:
        other = threading.Thread(target=_take_step_elsewhere, args=[attempt.batch_id])
        other.start()
        take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: venue)
        other.join()
    else:
        take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: venue)


def _take_step_elsewhere(batch_id):
    try:
        take_next_step(batch_id=batch_id, get_venue=lambda _: new_venue())
    finally:
        connection.close()


def _cancel(order):
    owner = Principal(user_id=order.customer_id, token_version=0)
    try:
        cancel_order(customer=owner, order_id=order.pk, now=timezone.now())
    except OrderNotCancellable:
        assert Order.objects.exclude(state__in=["pending", "aggregated"]).filter(pk=order.pk).exists()


def _assert_book_is_accounted_for(simulator, coin, dialect):
    bought = sum((Decimal(order["executedQty"]) for order in simulator.book("ABAN")), Decimal(0))
    delivered = sum(Order.objects.filter(state="completed").values_list("amount", flat=True), Decimal(0))
    surplus = Wallet.objects.get(owner=None, role=WalletRole.INVENTORY, asset=coin.name).balance
    assert dialect.delivered(bought) == delivered + surplus
