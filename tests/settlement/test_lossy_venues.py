"""Settlement with two venues that lose, garble and delay answers, and of which one is down a third of the time.

Each run prints nothing but is made of LOSSY_SEED and its number, so that a single one can be repeated. LOSSY_RUNS is
the number of runs: 50 in the ordinary tests, a thousand with `task test:lossy-venues`, which goes on where it stopped:
LOSSY_PROGRESS names the file that remembers the seed and the runs that are done.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.verification import verify_everything
from tests.configure import configure
from tests.dialects import BINANCE
from tests.settlement.conftest import end_pauses, resume_parked_batches
from tests.settlement.test_lossy_venue import ASKING, PLACING, _rules
from tests.settlement.two_venues import open_venues, second_simulator
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.models import Wallet, WalletRole

RUNS = int(os.environ.get("LOSSY_RUNS", "50"))
PROGRESS = os.environ.get("LOSSY_PROGRESS")
COMMISSION = Decimal("0.001")
DOWN = {"action": "down"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120 + 8 * RUNS)]


@pytest.fixture
def spread():
    """The simulators' own: bid and ask are not the set price."""
    return "0.0002"


@pytest.fixture
def second(simulator, tmp_path, settings, transactional_db, spread):
    with second_simulator(tmp_path / "second", settings, spread=spread) as running:
        running.set_prices(ABAN="4.00")
        yield running


@pytest.fixture
def impatient(settings):
    configure(settings, "VENUE", read_timeout_seconds=0.2, recv_window=timedelta(milliseconds=250))
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(milliseconds=50), not_found_times=2, max_attempts=1000)
    configure(settings, "RISK", max_orders=10**6, max_cancels=10**6, max_value=Decimal(10**9))


def begin():
    """Return the seed, and the number of the first run that is not done."""
    if PROGRESS:
        with suppress(FileNotFoundError):
            kept = json.loads(Path(PROGRESS).read_text())
            return kept["seed"], kept["done"] + 1
    return int(os.environ.get("LOSSY_SEED") or random.SystemRandom().randrange(10**6)), 1


def remember(seed, run):
    if PROGRESS:
        Path(PROGRESS).parent.mkdir(parents=True, exist_ok=True)
        Path(PROGRESS).write_text(json.dumps({"seed": seed, "done": run}))


def test_purchases_at_both_venues_equal_delivered_coins_plus_the_houses_surplus(
    impatient, venue, simulator, second, coin, make_shopper
):
    seed, first = begin()
    sys.stdout.write(f"\n{RUNS} runs with two lossy venues, from run {first}: LOSSY_SEED={seed}\n")
    customers = [make_shopper("100000.00") for _ in range(4)]
    play = _Play(simulator, second, coin, customers)
    begun = time.monotonic()
    for run in range(first, RUNS + 1):
        play.run(random.Random(f"{seed} {run}"))
        play.assert_books_are_accounted_for()
        remember(seed, run)
        if run % 25 == 0 or run == RUNS:
            assert verify_everything() == []
            sys.stdout.write(f"{run} runs, {time.monotonic() - begun:.0f} s\n")
    seen = Counter(Order.objects.values_list("state", flat=True))
    assert not seen.keys() - {"completed", "refunded"}
    filled = Counter(Attempt.objects.filter(state=AttemptState.FILLED).values_list("venue", flat=True))
    sys.stdout.write(f"{dict(seen)}, bought at {dict(filled)}, {play.down} of {play.steps} steps with one venue down\n")
    if PROGRESS:
        Path(PROGRESS).unlink()  # the next time begins with the first run
    if first == 1:
        assert len(filled) == 2
        assert play.steps / 4 < play.down < play.steps / 2


class _Play:
    def __init__(self, simulator, second, coin, customers):
        self.venues, self.coin, self.customers = [simulator, second], coin, customers
        self.get_venue = open_venues()
        self.steps = self.down = 0
        for each in self.venues:
            each.set_account(balances={"USDT": "100000000"}, commission_rate=str(COMMISSION))

    def run(self, chance):
        """Place some orders while the venues misbehave, and take steps until all orders have ended."""
        self._misbehave(chance)
        for _ in range(chance.randrange(1, 7)):
            total = Decimal(chance.randrange(100, 4000)) / 100
            order_request = OrderRequest(coin_name="ABAN", amount=None, total=total)
            place_order(buyer=chance.choice(self.customers).principal, order_request=order_request, now=timezone.now())
            if chance.random() < 0.3:
                self._step(chance)
        deadline = time.monotonic() + 60
        while Order.objects.filter(state__in=["pending", "aggregated", "settling"]).exists():
            self._step(chance, due_at=timezone.now() + timedelta(days=1))
            assert time.monotonic() < deadline, "still open"
        for each in self.venues:
            each.fail()
        end_pauses()
        given_up = Attempt.objects.filter(recheck_at__isnull=False)
        for attempt in given_up:
            recheck_attempt(attempt_id=attempt.pk, get_venue=self.get_venue)
        given_up.update(recheck_at=None)  # their day of rechecks is over

    def assert_books_are_accounted_for(self):
        books = [order for each in self.venues for order in each.book("ABAN")]
        names = [order["clientOrderId"] for order in books if Decimal(order["executedQty"])]
        assert len(names) == len(set(names)), "an attempt was bought twice"
        bought = sum((Decimal(order["executedQty"]) for order in books), Decimal(0))
        delivered = sum(Order.objects.filter(state="completed").values_list("amount", flat=True), Decimal(0))
        surplus = Wallet.objects.get(owner=None, role=WalletRole.INVENTORY, asset="ABAN").balance
        assert bought * (1 - COMMISSION) == delivered + surplus

    def _misbehave(self, chance):
        """Change the venues' faults. A third of the time, one of them is down."""
        self.is_down = chance.random() < 1 / 3
        which = chance.randrange(2)
        for number, each in enumerate(self.venues):
            if self.is_down and number == which:
                each.fail(DOWN)
            else:
                placing = _rules(chance, "place", PLACING, chance.randrange(4), BINANCE)
                asking = _rules(chance, "query", ASKING, chance.randrange(4), BINANCE)
                each.fail(*placing, *asking)

    def _step(self, chance, due_at=None):
        """Take the steps that a worker would take next."""
        if chance.random() < 0.3:
            self._misbehave(chance)
        self.steps += 1
        self.down += self.is_down
        end_pauses()
        resume_parked_batches()
        claim_waiting_orders(coin_id=self.coin.pk, now=due_at or timezone.now())
        in_flight = list(Attempt.objects.filter(state__in=IN_FLIGHT))
        assert len({attempt.venue for attempt in in_flight}) == len(in_flight)
        assert in_flight or not Batch.objects.filter(state=BatchState.PARKED).exists()
        for attempt in in_flight:
            take_next_step(batch_id=attempt.batch_id, get_venue=self.get_venue)
