"""Pauses of buying, by trouble at the venue or by staff: orders wait and are not refunded, and the pause ends."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import AttemptState, BatchState, Pause
from settlement.selectors.pauses import find_pause
from settlement.services.pausing import ask_to_buy, lift_pause, pause_buying, pause_for_trouble
from settlement.services.price_feed import refresh_prices
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from tests.configure import configure
from tests.conftest import make_coin
from tests.settlement.conftest import attempts, end_pauses, states
from trading.jobs import CLAIM_TASK
from trading.models import CoinPrice
from trading.services.coins import open_or_close_shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]


class TestTrouble:
    @pytest.mark.parametrize(
        ("trouble", "mend", "of_coin"),
        [
            (
                lambda venue: venue.set_account(balances={"USDT": "1"}),
                lambda venue: venue.set_account(balances={"USDT": "100000"}),
                True,
            ),
            (
                lambda venue: venue.fail(
                    {"on": "place", "action": "reject", "code": -2015, "msg": "Invalid API-key, IP, or permissions."}
                ),
                lambda venue: venue.fail(),
                False,
            ),
            (
                lambda venue: venue.fail(
                    {"on": "place", "action": "reject", "code": -2010, "msg": "Market is closed."}
                ),
                lambda venue: venue.fail(),
                True,
            ),
            (lambda venue: venue.fail({"on": "ticker", "action": "down"}), lambda venue: venue.fail(), True),
        ],
        ids=["account empty", "key refused", "market closed", "no prices"],
    )
    def test_pauses_buying_refunds_nobody_and_ends(
        self, place, settle, simulator, venue, settings, trouble, mend, of_coin, caplog
    ):
        configure(settings, "SETTLEMENT", max_attempts=2)
        place("60.00")
        trouble(simulator)
        batch = settle()
        for _ in range(4):
            [pause] = Pause.objects.all()
            assert (pause.coin_id == batch.coin_id, pause.set_by) == (of_coin, None)
            assert ("ABAN" if of_coin else "the venue") in caplog.text
            end_pauses()
            take_next_step(batch_id=batch.pk, venue=venue)
        assert states() == ["settling"]
        mend(simulator)
        end_pauses()
        take_next_step(batch_id=batch.pk, venue=venue)
        batch.refresh_from_db()
        assert (batch.state, states(), Pause.objects.count()) == (BatchState.SETTLED, ["completed"], 0)

    def test_pauses_for_a_growing_time_or_as_long_as_the_venue_asks(self, coin, now, settings):
        configure(settings, "SETTLEMENT", pause_max_seconds=5)

        def wait(least=0):
            until = pause_for_trouble(coin=coin, reason="trouble", at_least_seconds=least, now=now)
            return (until - now).total_seconds()

        assert [wait() for _ in range(5)] == [1, 2, 4, 5, 5]
        assert wait(90) == 90

    def test_with_a_coin_does_not_pause_other_coins(self, coin, now):
        other = make_coin("BETA", "1.00")
        pause_for_trouble(coin=coin, reason="trouble", at_least_seconds=9, now=now)
        assert find_pause(coin_id=other.pk, now=now) is None
        pause_for_trouble(coin=None, reason="trouble", at_least_seconds=5, now=now)
        assert find_pause(coin_id=other.pk, now=now).coin is None
        assert find_pause(coin_id=coin.pk, now=now).coin == coin
        assert find_pause(coin_id=coin.pk, now=now + timedelta(seconds=9)) is None

    def test_keeps_orders_waiting_and_one_claim_job_for_the_end_of_the_pause(self, place, claim, coin, now):
        pause_for_trouble(coin=coin, reason="trouble", at_least_seconds=30, now=now)
        for _ in range(3):
            place("12.00")
            assert claim() is None
        assert states() == ["pending"] * 3
        [job] = ProcrastinateJob.objects.filter(task_name=CLAIM_TASK)
        assert timedelta(seconds=25) < job.scheduled_at - timezone.now() <= timedelta(seconds=31)
        sweep(now=now + timedelta(seconds=29))
        assert ProcrastinateJob.objects.filter(task_name=CLAIM_TASK).count() == 1
        assert claim(at=now + timedelta(seconds=30)).orders_count == 3


class TestTooManyCalls:
    """The venue bans a client that keeps calling, so all calls stop for a time, also those for prices."""

    def test_when_placing_orders_stops_price_reads_too(self, place, settle, simulator, venue, coin, now):
        simulator.fail({"on": "place", "action": "rate_limit", "times": 1})
        place("60.00")
        settle()
        pause = Pause.objects.get()
        assert (pause.coin, pause.stops_all_calls) == (None, True)
        coin.fixed_price = None
        coin.save()
        simulator.fail({"action": "down"})
        refresh_prices(venue=venue, source="binance", now=now)
        assert Pause.objects.get().times == 1, "no call was made"

    def test_when_reading_prices_stops_all_calls(self, coin, simulator, venue, now):
        coin.fixed_price = None
        coin.save()
        simulator.fail({"on": "ticker", "action": "rate_limit", "times": 1})
        refresh_prices(venue=venue, source="binance", now=now)
        assert find_pause(coin_id=coin.pk, now=now).stops_all_calls

    def test_when_looking_up_an_order_delays_the_next_lookup(self, place, settle, simulator, venue):
        simulator.fail(
            {"on": "place", "action": "accept_then_drop", "times": 1}, {"on": "query", "action": "rate_limit"}
        )
        place("60.00")
        batch = settle(steps=2)
        assert Pause.objects.get().stops_all_calls
        asked = attempts()[0].lookups
        take_next_step(batch_id=batch.pk, venue=venue)
        assert attempts()[0].lookups == asked
        simulator.fail()
        end_pauses()
        take_next_step(batch_id=batch.pk, venue=venue)
        assert states() == ["completed"]


class TestStaff:
    def test_pause_a_coin_or_all_coins_and_lift_the_pause(self, place, claim, coin, admin_user, now, venue, simulator):
        place("60.00")
        batch = claim()
        for paused in (coin, None):
            pause_buying(coin=paused, reason="looking into it", set_by=admin_user, now=now)
            pause_for_trouble(coin=paused, reason="trouble", at_least_seconds=1, now=now)
            place("12.00")
            assert claim(at=now + timedelta(days=1)) is None
            take_next_step(batch_id=batch.pk, venue=venue)
            assert attempts()[0].state == AttemptState.NEW
            ProcrastinateJob.objects.all()._raw_delete("default")
            lift_pause(pause=Pause.objects.get())
            assert {job.task_name for job in ProcrastinateJob.objects.all()} == {CLAIM_TASK, "settlement.settle_batch"}
        take_next_step(batch_id=batch.pk, venue=venue)
        assert states() == ["completed", "pending", "pending"]

    @pytest.mark.parametrize("was_stored_before", [False, True])
    def test_pause_buying_during_a_ban_without_stopping_other_calls(
        self, place, settle, venue, simulator, coin, admin_user, now, was_stored_before
    ):
        simulator.fail(
            {"on": "place", "action": "accept_then_drop", "times": 1}, {"on": "query", "action": "rate_limit"}
        )
        place("60.00")
        batch = settle(steps=2)
        assert Pause.objects.get().stops_all_calls
        simulator.fail()
        pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=now)
        assert not Pause.objects.get().stops_all_calls
        if was_stored_before:
            Pause.objects.update(stops_all_calls=True)
        take_next_step(batch_id=batch.pk, venue=venue)
        assert states() == ["completed"], "the attempt that was sent is looked up"
        assert ask_to_buy(coin_id=coin.pk, now=now).wait_until, "and nothing is bought"
        coin.fixed_price = None
        coin.save()
        simulator.set_prices(ABAN="4.10")
        refresh_prices(venue=venue, source="binance", now=now)
        assert CoinPrice.objects.get().value == Decimal("4.10")

    def test_close_and_open_the_shop_with_immediate_effect(self, api, shopper, coin):
        for is_open in (False, True, False):
            open_or_close_shop(is_open=is_open, reason="maintenance")
            answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
            expected = (201, None) if is_open else (503, "price_unavailable")
            assert (answer.status_code, answer.json().get("code")) == expected
            assert api("GET", "exchanges/crypto-currencies/ABAN/").status_code == 200
