"""Over a hundred runs with a lossy venue the house's result equals the ledger to the unit.

RESULT_SEED=SEED repeats a run with that seed. The venue fills partly, loses answers, refuses, and takes its commission in
the coin; prices move between placing and purchase, and the runs are spread over ten days.
"""

import os
import random
import sys
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal

import pytest

from settlement.figures import round_cost
from settlement.models import IN_FLIGHT, Attempt, Batch, BatchState, Excess
from settlement.selectors.results import read_result
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.venues.protocol import Executed, MarketRules, OrderNotFound, Refused, Unknown
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.settlement.conftest import end_pauses, resume_parked_batches
from tests.settlement.ledger_by_coin import as_ledger, read_ledger
from tests.trading.test_price_rules import add_rule
from trading.loss_rules import day_of
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.coins import save_coin
from trading.services.placing import place_order
from wallets.models import Wallet
from wallets.runtime import clock

SEED = int(os.environ.get("RESULT_SEED") or 20)
RUNS = 100
DAYS = 10
MOST_STEPS = 40
COINS = ("ABAN", "BTC", "SOL")
COMMISSION = Decimal("0.001")
RULES = MarketRules(
    quantity_step=Decimal("0.001"),
    quantity_minimum=Decimal("0.001"),
    quantity_maximum=Decimal(100_000),
    price_tick=Decimal("0.0001"),
    notional_minimum=Decimal(5),
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture
def lossy(settings, simulator):
    """Ask once for what was not found, and take every order."""
    configure(settings, "VENUE", recv_window=timedelta(milliseconds=1))
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0), not_found_times=1, max_attempts=1000)
    configure(settings, "RISK", max_orders=10**6, max_cancels=10**6, max_value=Decimal(10**9))
    configure(settings, "LOSSES", per_day=None, per_day_and_coin=None)
    configure(settings, "PRICES", max_age=timedelta(hours=1))  # a busy machine takes longer than a price is valid


class LossyVenue:
    """A venue in this process: it keeps its book, and loses answers, fills partly, refuses and does not find."""

    name = "binance"
    requests_expire = True

    def __init__(self, chance):
        self._chance, self._book, self._asks = chance, {}, {}

    def move_prices(self):
        self._asks = {coin: Decimal(self._chance.randrange(38500, 40300)) / 10_000 for coin in COINS}

    def read_rules(self, *, coin):
        return RULES

    def read_ask(self, *, coin):
        return self._asks[coin]

    def read_time(self):
        return clock.database_now()

    def buy(self, *, purchase):
        happens = self._chance.choices(("fine", "partial", "lost", "dropped", "refused"), (10, 4, 3, 3, 1))[0]
        if happens == "dropped":
            return Unknown(reason="cut off before it was accepted")
        if happens == "refused":
            return Refused(reason="refused for good")
        share = Decimal(self._chance.randrange(20, 95)) / 100 if happens == "partial" else Decimal(1)
        quantity = (purchase.quantity * share).quantize(RULES.quantity_step, rounding=ROUND_DOWN)
        if self._asks[purchase.coin] > purchase.limit_price:
            quantity = Decimal(0)
        self._book[purchase.client_order_id] = self._executed(purchase, quantity)
        return Unknown(reason="the answer is lost") if happens == "lost" else self._book[purchase.client_order_id]

    def _executed(self, purchase, quantity):
        return Executed(
            venue_order_id=str(len(self._book) + 1),
            status="closed" if quantity == purchase.quantity else "expired",
            final=True,
            quantity=quantity,
            cost=round_cost(quantity * self._asks[purchase.coin]),
            commission=round_cost(quantity * COMMISSION),
            asked=purchase.quantity,
            limit_price=purchase.limit_price,
        )

    def look_up(self, *, coin, client_order_id):
        if self._chance.random() < 0.3:
            return OrderNotFound() if self._chance.random() < 0.5 else Unknown(reason="no answer")
        return self._book.get(client_order_id, OrderNotFound())

    def find_in_lists(self, *, coin, client_order_id, since):
        if self._chance.random() < 0.3:
            return OrderNotFound()  # a list that lags
        return self._book.get(client_order_id, OrderNotFound())


@pytest.mark.usefixtures("lossy")
def test_the_result_equals_the_ledger_to_the_unit(make_shopper):
    sys.stdout.write(f"\n{RUNS} runs: RESULT_SEED={SEED}\n")
    chance = random.Random(SEED)
    venue = LossyVenue(chance)
    coins = [_put_on_sale(name) for name in COINS]
    add_rule(spread="0.02", fee_rate=Decimal("0.003"), fee_minimum=Decimal("0.05"))
    shopper = make_shopper("1000000.00")
    for number in range(RUNS):
        if number % (RUNS // DAYS) == 0:
            _end_the_day()
        _play(chance, venue, coin=chance.choice(coins), shopper=shopper)
    _assert_equal_to_the_ledger()


def _put_on_sale(name):
    """Put a coin on sale at a market price, or, the first one, at a fixed price."""
    coin = make_coin(name, "4.00")
    if name != COINS[0]:
        coin.fixed_price = None
        save_coin(coin=coin)
    return coin


def _play(chance, venue, *, coin, shopper):
    venue.move_prices()
    for _ in range(chance.randrange(1, 3)):
        order_request = OrderRequest(
            coin_name=coin.name, amount=None, total=Decimal(chance.randrange(1000, 9000)) / 100
        )
        place_order(buyer=shopper.principal, order_request=order_request, now=clock.database_now())
    later = clock.database_now() + timedelta(hours=2)
    for _ in range(MOST_STEPS):
        attempt = _next_attempt(coin, now=later)
        if attempt is None:
            break
        take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: venue)
    for attempt in Attempt.objects.filter(recheck_at__isnull=False):
        recheck_attempt(attempt_id=attempt.pk, get_venue=lambda _: venue)


def _next_attempt(coin, *, now):
    """Return the attempt in flight, if need be after orders were claimed and staff have decided; None at the end."""
    in_flight = Attempt.objects.filter(state__in=IN_FLIGHT)
    if not in_flight.exists():
        end_pauses()
        resume_parked_batches()
        claim_waiting_orders(coin_id=coin.pk, now=now)
    return in_flight.first()


def _end_the_day():
    """Move all that was booked a day into the past."""
    for table, names in (
        ("wallets_transaction", ["created_at"]),
        ("trading_order", ["created_at", "completed_at", "settling_at", "refunded_at", "price_at"]),
        ("settlement_attempt", ["ended_at", "created_at"]),
        ("trading_pricereading", ["read_at"]),
    ):
        moved = ", ".join(f"{name} = {name} - interval '1 day'" for name in names)
        run_as_owner(f"UPDATE {table} SET {moved}")
    run_as_owner("UPDATE trading_dayloss SET day = day - 100000")
    run_as_owner("UPDATE trading_dayloss SET day = day + 99999")


def _assert_equal_to_the_ledger():
    today = day_of(clock.database_now())
    result = read_result(first=today - timedelta(days=DAYS + 1), last=today)
    assert result.differences == ()
    assert as_ledger(result) == read_ledger()
    assert verify_everything() == []
    total = result.total
    assert len({row.day for row in result.rows}) >= DAYS
    assert Order.objects.filter(state="completed").count() == total.orders > RUNS
    assert min(total.fees, total.rebates, total.refunded, total.commission, total.rounding) > 0
    assert Attempt.objects.filter(state="filled").count() + Excess.objects.count() == total.purchases
    assert Attempt.objects.filter(lookups__gt=0).count() > 5
    assert not Batch.objects.filter(state=BatchState.OPEN, reserved__gt=0).exists()
    # What the house earned is what its wallets gained, with the coins that are left at their cost.
    assert total.result == total.subtotals + total.fees - total.rebates - total.cost + result.stock.cost
    assert result.stock.cost == sum(Wallet.objects.filter(role="inventory").values_list("cost", flat=True))
