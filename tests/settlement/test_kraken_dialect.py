"""Settlement at a venue that speaks Kraken's dialect: a small part of what `task test:dialects` runs.

The venue's answer to a new order is its id alone, its refusals come with HTTP status 200, its commission is in dollars,
and its nonces have to grow over all workers.
"""

from collections import Counter
from decimal import Decimal

import pytest

from settlement.models import Attempt, AttemptState, BatchState, Pause
from settlement.services.stepping import take_next_step
from settlement.verification import verify_everything
from tests.conftest import make_coin
from tests.dialects import KRAKEN
from tests.processes import wait_for
from tests.settlement.conftest import attempts, end_pauses, states
from tests.settlement.test_lossy_venue import impatient, play_runs, spread  # noqa: F401  fixtures
from trading.models import Order, OrderState
from wallets.models import Wallet, WalletRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]

COINS = 8
ORDERS = 200


@pytest.fixture
def dialect():
    return KRAKEN


def surplus_of(coin):
    return Wallet.objects.get(owner=None, role=WalletRole.INVENTORY, asset=coin).balance


def dollars_of(simulator):
    return Decimal(simulator.account()["balances"]["USDT"])


class TestAnOrder:
    def test_is_bought_and_its_commission_paid_in_dollars(self, place, settle, shopper, simulator):
        order, before = place("60.00"), dollars_of(simulator)
        assert settle(steps=3).state == BatchState.SETTLED
        order.refresh_from_db()
        assert (order.state, shopper.holding("ABAN")) == (OrderState.COMPLETED, order.amount)
        [bought] = simulator.book("ABAN")
        [attempt] = attempts()
        assert bought["clientOrderId"] == attempt.client_order_id
        assert surplus_of("ABAN") == Decimal(bought["executedQty"]) - 15
        assert attempt.cost == before - dollars_of(simulator) > Decimal(bought["cummulativeQuoteQty"])
        assert attempt.commission == 0

    def test_that_is_refused_is_refunded(self, place, settle, shopper, simulator):
        place("60.00")
        simulator.fail({"on": "place", "action": "reject"})
        assert settle().state == BatchState.REFUNDED
        assert (states(), shopper.wallet.balance, simulator.book("ABAN")) == (["refunded"], 100, [])

    def test_waits_for_an_empty_account_and_is_bought_when_it_is_filled(self, place, settle, venue, shopper, simulator):
        simulator.set_account(balances={"USDT": "0"})
        place("60.00")
        batch = settle()
        assert (states(), simulator.book("ABAN")) == (["settling"], [])
        assert Pause.objects.exists()
        assert [attempt.state for attempt in attempts()] == [AttemptState.NOT_PLACED, AttemptState.NEW]
        simulator.set_account(balances={"USDT": "1000"})
        end_pauses()
        for _ in range(4):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]
        assert shopper.holding("ABAN") == 15

    @pytest.mark.parametrize("action", ["accept_then_drop", "accept_then_500", "garbage"])
    def test_whose_answer_is_lost_is_found_and_bought_once(self, place, settle, shopper, simulator, action):
        place("60.00")
        simulator.fail({"on": "place", "action": action, "times": 1})
        assert settle(steps=3).state == BatchState.SETTLED
        assert (states(), len(simulator.book("ABAN")), len(attempts())) == (["completed"], 1, 1)

    def test_that_was_accepted_is_not_bought_again_however_often_the_venue_denies_it(
        self, place, settle, venue, shopper, simulator
    ):
        """The answer to a purchase is its id alone, and each question about it is denied."""
        place("60.00")
        simulator.fail(*({"on": occasion, "action": "not_found"} for occasion in ("query", "list", "trades")))
        batch = settle()
        for _ in range(5):
            Attempt.objects.update(valid_until="2000-01-01T00:00Z", next_step_at="2000-01-01T00:00Z")
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        [attempt] = attempts()
        assert (attempt.state, attempt.not_found, states()) == (AttemptState.SENT, 0, ["settling"])
        assert attempt.reason == f"not found, but accepted as {attempt.venue_order_id}"
        simulator.fail()
        Attempt.objects.update(next_step_at="2000-01-01T00:00Z")
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), shopper.holding("ABAN"), len(simulator.book("ABAN"))) == (["completed"], 15, 1)


@pytest.mark.timeout(400)
def test_purchases_at_a_lossy_venue_equal_delivered_coins_and_the_surplus(
    impatient,  # noqa: F811
    venue,
    simulator,
    coin,
    make_shopper,
    dialect,
):
    play_runs(3, venue, simulator, coin, make_shopper, dialect)


@pytest.mark.timeout(300)
def test_four_workers_buy_for_two_hundred_small_orders_exactly_what_they_need(
    place, simulator, make_shopper, make_worker
):
    coins = [make_coin(f"K{number}", "4.00").name for number in range(COINS)]
    simulator.set_prices(**dict.fromkeys(coins, "4.00"))
    for _ in range(4):
        make_worker(EXCHANGE_URL=simulator.url, **KRAKEN.variables(), POOL_MAX_AGE_SECONDS="5", PAUSE_MAX_SECONDS="1")
    customers = [make_shopper("1000.00") for _ in range(5)]
    for number in range(ORDERS):
        place("4.00", of=customers[number % 5], crypto=coins[number % COINS])
    ended = {OrderState.COMPLETED, OrderState.REFUNDED}
    wait_for(lambda: not Order.objects.exclude(state__in=ended).exists(), seconds=150)
    assert Counter(states()) == {"completed": ORDERS}
    for coin in coins:
        bought = sum(Decimal(order["executedQty"]) for order in simulator.book(coin))
        assert bought == 25 + surplus_of(coin)
        assert surplus_of(coin) < Decimal("1.29"), "a purchase costs at least 5.10 dollars"
    assert set(Attempt.objects.values_list("state", flat=True)) <= {AttemptState.FILLED, AttemptState.NOT_PLACED}
    assert verify_everything() == []
