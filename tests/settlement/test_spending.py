"""No order makes the system spend more than its fence allows; what cannot be bought within it is refunded."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from model_bakery import baker

from settlement.models import Attempt, AttemptState, BatchState, Pause
from settlement.services.stepping import take_next_step
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt.markets import markets
from tests.configure import configure
from tests.settlement.conftest import attempts, batches, end_pauses, new_venue, states
from trading.models import Coin, Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]

FORCED = [{"minimum": "100"}, {"notional": "500000"}, {"step": "1000"}]


def step_again():
    """Take the batch's next step, as if the pause had ended."""
    end_pauses()
    markets.forget()
    take_next_step(batch_id=batches()[0].pk, get_venue=lambda _: new_venue())


@pytest.fixture
def grow_old(settings):
    """Let every attempt have waited for SETTLING_LIMIT."""
    return lambda: configure(settings, "TO_DO", settling_limit=timedelta(0))


def spent(simulator):
    return sum(Decimal(order["cummulativeQuoteQty"]) for order in simulator.book())


class TestFiltersThatForceMore:
    @pytest.mark.parametrize("filters", FORCED, ids=str)
    def test_spend_nothing_and_refund_an_order_after_a_while(self, place, settle, simulator, now, filters, grow_old):
        simulator.set_filters("ABAN", **filters)
        place("12.00")
        settle()
        assert (states(), simulator.book(), Pause.objects.count()) == (["settling"], [], 0)
        assert [concern.kind for concern in list_to_do(now=now)] == [ConcernKind.WAITING]
        grow_old()
        step_again()
        assert (states(), simulator.book()) == (["refunded"], [])
        assert batches()[0].state == BatchState.REFUNDED

    @pytest.mark.parametrize("filters", FORCED, ids=str)
    def test_refund_a_pool_at_once(self, place, settle, claim, venue, simulator, now, filters):
        Coin.objects.update(pool_policy="buy")
        simulator.set_filters("ABAN", **filters)
        place("0.30")
        batch = claim(now + timedelta(days=1))
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        order = Order.objects.get()
        assert (order.state, order.reason, simulator.book()) == ("refunded", "pool_timed_out", [])

    def test_within_the_top_up_lower_the_limit_and_buy(self, place, settle, simulator):
        simulator.set_filters("ABAN", minimum="4.2")
        place("12.00")
        assert (settle().state, states()) == (BatchState.SETTLED, ["completed"])
        [attempt] = attempts()
        assert Decimal("4.00") <= attempt.limit_price < Decimal("4.20")
        assert attempt.quantity * attempt.limit_price <= attempt.budget < 18


class TestAnImplausibleAsk:
    @pytest.mark.parametrize("price", ["0.0004", "1000000000000", "2.00", "8.00"])
    def test_is_waited_out(self, place, settle, simulator, now, price):
        simulator.set_prices(ABAN=price)
        place("12.00")
        batch = settle()
        assert (batch.state, states(), simulator.book()) == (BatchState.OPEN, ["settling"], [])
        [concern] = list_to_do(now=now)
        assert concern.kind == ConcernKind.PAUSE
        assert "is not believed" in Pause.objects.get().reason
        simulator.set_prices(ABAN="4.00")
        step_again()
        assert states() == ["completed"]
        assert spent(simulator) < 18

    def test_refunds_when_it_stays(self, place, settle, simulator, grow_old):
        simulator.set_prices(ABAN="0.0004")
        place("12.00")
        settle()
        grow_old()
        step_again()
        order = Order.objects.get()
        assert (order.state, order.reason, simulator.book()) == ("refunded", "price_moved", [])

    def test_parks_when_an_earlier_purchase_is_in_doubt(self, place, settle, simulator, now, grow_old):
        simulator.set_prices(ABAN="0.0004")
        place("12.00")
        batch = settle()
        [waiting] = attempts()
        baker.make(
            Attempt,
            batch=batch,
            coin=batch.coin,
            number=0,
            state=AttemptState.NOT_PLACED,
            ended_at=now,
            signed_at=now,
            recheck_at=now,
        )
        grow_old()
        step_again()
        batch.refresh_from_db()
        waiting.refresh_from_db()
        assert (batch.state, waiting.state, states()) == (BatchState.PARKED, AttemptState.PARKED, ["settling"])

    def test_is_what_a_market_has_that_does_not_trade(self, place, settle, simulator, grow_old):
        simulator.set_status(ABAN="BREAK")
        place("12.00")
        settle()
        assert "is closed" in Pause.objects.get().reason
        grow_old()
        step_again()
        order = Order.objects.get()
        assert (order.state, order.reason, simulator.book()) == ("refunded", "refused_by_the_exchange", [])


class TestAnAskBeyondTheBound:
    def test_waits_and_is_refunded_because_the_price_moved(self, place, settle, simulator, grow_old):
        simulator.set_prices(ABAN="4.30")
        place("12.00")
        assert (settle().state, Pause.objects.count()) == (BatchState.OPEN, 0)
        grow_old()
        step_again()
        order = Order.objects.get()
        assert (order.state, order.reason, simulator.book()) == ("refunded", "price_moved", [])


class TestTheDatabase:
    def test_refuses_an_attempt_beyond_its_budget(self, place, claim):
        place("12.00")
        claim()
        with pytest.raises(IntegrityError, match="attempts_stay_within_their_budget"), transaction.atomic():
            Attempt.objects.update(quantity=3, limit_price=5, budget=Decimal("14.99"))
        Attempt.objects.update(quantity=3, limit_price=5, budget=15)
