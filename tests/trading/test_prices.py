from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
import redis
from django.conf import settings
from django.utils import timezone
from prometheus_client import REGISTRY

from settlement.to_do.readers import list_to_do
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import owner_parameters
from trading.models import Coin, CoinPrice, PriceChange, PriceRule, Suspension
from trading.offer_list import list_offers
from trading.offers import LIST_KEY, load_offer
from trading.readings import Reading
from trading.rounding import price_for
from trading.selectors.prices import list_coins_to_confirm, list_suspended_coins
from trading.services.asked_orders import OrderRequest
from trading.services.coins import put_on_sale, save_coin
from trading.services.placing import place_order
from trading.services.prices import accept_price, confirm_price, prune_prices, record_price, record_reading
from trading.services.suspending import SecondReading, follow_previous_release, list_unfollowed, mark_seen
from wallets.runtime.redis_store import breaker, with_redis

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ticker_coin(coin):
    coin.fixed_price = None
    save_coin(coin=coin)
    return Coin.objects.get(pk=coin.pk)


def add_rule(*, spread, coin=None):
    PriceRule.objects.create(coin=coin, spread_rate=Decimal(spread), reason="a test")


def read(coin, value, now):
    record_price(coin=coin, value=Decimal(value), source="test", now=now)
    return CoinPrice.objects.get(coin=coin)


def follow(now):
    for coin_id in list_unfollowed():
        follow_previous_release(coin_id=coin_id, now=now)


def sold_at(market_price):
    """Return the price of a coin whose purchase costs so much, by the rule of a new installation."""
    return price_for(
        market_price=Decimal(market_price), spread_rate=Decimal("0.005"), taker_rate=settings.VENUE.taker_rate
    )


class TestRecordPrice:
    def test_keeps_the_last_value_and_the_history_of_changes(self, ticker_coin, now):
        for value in ("4.10", "4.10", "4.20"):
            read(ticker_coin, value, now)
        assert CoinPrice.objects.get().value == Decimal("4.20")
        assert [row.value for row in PriceChange.objects.order_by("id")] == [
            4,
            Decimal("4.10"),
            Decimal("4.20"),
        ]

    @pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
    def test_ignores_a_value_that_is_not_a_price(self, ticker_coin, now, value):
        assert read(ticker_coin, value, now).value == 4

    def test_suspends_a_coin_whose_price_jumps(self, ticker_coin, now):
        assert read(ticker_coin, "8", now).suspended_at
        assert load_offer(coin_name="ABAN").suspended
        assert not load_offer(coin_name="ABAN").is_available(now=now)

    def test_believes_no_jump_by_readings_alone(self, ticker_coin, now):
        for value in ("4.40", "4.41", "4.40", "4.40"):
            price = read(ticker_coin, value, now)
        assert (price.value, price.candidate_readings) == (4, 4)
        assert price.suspended_at

    def test_starts_counting_again_after_a_reading_that_disagrees(self, ticker_coin, now):
        for value in ("4.40", "4.41", "4.60", "4.40"):
            price = read(ticker_coin, value, now)
        assert price.candidate_readings == 1

    def test_allows_a_larger_jump_the_longer_the_last_reading_is_ago(self, ticker_coin, now):
        assert read(ticker_coin, "4.36", now).suspended_at
        for _ in range(3):
            read(ticker_coin, "4.00", now)
        assert read(ticker_coin, "4.36", now + timedelta(minutes=10)).value == Decimal("4.36")

    def test_counts_no_suspension_of_a_coin_that_is_off_sale_or_has_a_fixed_price(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        assert list_suspended_coins() == ["ABAN"]
        Coin.objects.update(is_sold=False)
        assert list_suspended_coins() == []
        Coin.objects.update(is_sold=True, fixed_price=4)
        assert list_suspended_coins() == []

    def test_waits_for_more_than_time_once_a_coin_is_suspended(self, ticker_coin, now):
        read(ticker_coin, "4.36", now)
        assert read(ticker_coin, "4.36", now + timedelta(hours=1)).suspended_at

    def test_ends_the_suspension_when_three_readings_say_that_the_old_price_is_back(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        assert read(ticker_coin, "4.01", now).suspended_at
        assert read(ticker_coin, "4.01", now).suspended_at
        price = read(ticker_coin, "4.02", now)
        assert (price.suspended_at, price.candidate, price.value) == (None, None, Decimal("4.02"))

    @pytest.mark.parametrize("back", [("4.01", "4.01", "8"), ("4.01", "8", "4.01"), ("4.01", "4.10", "4.01")])
    def test_ends_no_suspension_after_readings_that_contradict_each_other(self, ticker_coin, now, back):
        for value in ("8", *back):
            price = read(ticker_coin, value, now)
        assert (price.value, Suspension.objects.get().ended_at) == (4, None)

    def test_lets_staff_accept_the_suspect_price(self, ticker_coin, now):
        for _ in range(3):
            read(ticker_coin, "8", now)
        assert not accept_price(coin=ticker_coin, expected=Decimal(9), now=now), "staff have seen a different price"
        assert accept_price(coin=ticker_coin, expected=Decimal(8), now=now)
        assert load_offer(coin_name="ABAN").price == sold_at(8) == Decimal("8.04804805")

    def test_lets_staff_accept_it_although_readings_go_on(self, ticker_coin, now, admin_user):
        for value in ("8", "8.008", "8.016", "8.024"):
            read(ticker_coin, value, now)
        given = {"now": now, "accepted_by": admin_user}
        assert accept_price(coin=ticker_coin, expected=Decimal("7.94"), **given) is None, "more than 1 % away"
        assert accept_price(coin=ticker_coin, expected=Decimal("8.11"), **given) is None
        assert accept_price(coin=ticker_coin, expected=Decimal("8.016"), **given) == Decimal("8.024")
        assert CoinPrice.objects.get().value == Suspension.objects.get().ended_price == Decimal("8.024")

    def test_keeps_a_suspension_with_its_readings_until_staff_have_seen_it(self, ticker_coin, now, admin_user):
        for value in ("8", "8.1", "4.01", "4.01", "4.01"):
            read(ticker_coin, value, now)
        suspension = Suspension.objects.get()
        assert [entry["ask"] for entry in suspension.readings] == ["8", "8.1", "4.01", "4.01", "4.01"]
        assert (suspension.price, suspension.outcome, suspension.ended_price) == (4, "returned", Decimal("4.01"))
        assert [row.kind.value for row in list_to_do(now=now)] == ["jump"]
        assert mark_seen(suspension=suspension, seen_by=admin_user, now=now)
        assert not mark_seen(suspension=suspension, seen_by=admin_user, now=now)
        assert list_to_do(now=now) == []

    def test_keeps_as_many_readings_as_say_how_it_began_and_went_on(self, ticker_coin, now):
        for number in range(50):
            read(ticker_coin, f"8.{number:02}", now)
        kept = [entry["ask"] for entry in Suspension.objects.get().readings]
        assert kept == [f"8.{number:02}" for number in (*range(20), *range(30, 50))]

    def test_puts_no_suspension_on_the_page_whose_price_staff_accept(self, ticker_coin, now, admin_user):
        for _ in range(3):
            read(ticker_coin, "8", now)
        accept_price(coin=ticker_coin, expected=Decimal(8), now=now, accepted_by=admin_user)
        suspension = Suspension.objects.get()
        assert (suspension.outcome, suspension.seen_by) == ("accepted", admin_user)
        assert list_to_do(now=now) == []

    def test_needs_three_readings_that_agree_even_if_staff_accept(self, ticker_coin, now, admin_user):
        for value in ("8", "8.5", "8.5"):
            read(ticker_coin, value, now)
        assert not accept_price(coin=ticker_coin, expected=Decimal("8.5"), now=now, accepted_by=admin_user)
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert Suspension.objects.get().ended_at is None

    def test_counts_each_suspension_and_how_it_ended(self, ticker_coin, now):
        begun = ("exchange_price_suspensions_total", {"coin": "ABAN"})
        ended = ("exchange_price_suspensions_ended_total", {"coin": "ABAN", "outcome": "returned"})
        before = [REGISTRY.get_sample_value(*each) or 0 for each in (begun, ended)]
        for value in ("8", "4", "4", "4"):
            read(ticker_coin, value, now)
        assert [REGISTRY.get_sample_value(*each) for each in (begun, ended)] == [count + 1 for count in before]

    def test_writes_price_changes_that_are_pruned_later(self, ticker_coin, now):
        assert prune_prices(before=now - timedelta(days=1)) == 0
        assert prune_prices(before=now + timedelta(days=1)) == 1


class TestConfirmPrice:
    @pytest.fixture
    def jumped(self, ticker_coin, now):
        for value in ("4.40", "4.41", "4.40"):
            read(ticker_coin, value, now)
        return ticker_coin

    def confirm(self, coin, now, value="4.42", age=0):
        second = SecondReading(value=Decimal(value), at=now - timedelta(seconds=age), source="okx")
        return confirm_price(coin=coin, second=second, now=now)

    def test_ends_the_suspension_when_a_second_source_agrees(self, jumped, now):
        assert self.confirm(jumped, now)
        assert load_offer(coin_name="ABAN").ensure_price(now=now) == sold_at("4.40")
        suspension = Suspension.objects.get()
        assert (suspension.outcome, suspension.second["value"]) == ("confirmed", "4.42")

    @pytest.mark.parametrize(("value", "age"), [("4.50", 0), ("4.00", 0), ("4.40", 60), ("4.40", -60)])
    def test_does_not_when_the_second_source_disagrees_or_is_old(self, jumped, now, value, age):
        assert not self.confirm(jumped, now, value, age)
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert Suspension.objects.get().second["value"] == value, "what it said is kept"

    def test_does_not_before_three_readings_agree(self, ticker_coin, now):
        read(ticker_coin, "4.40", now)
        read(ticker_coin, "4.40", now)
        assert not self.confirm(ticker_coin, now, "4.40")
        assert not load_offer(coin_name="ABAN").is_available(now=now)

    def test_leaves_what_is_beyond_the_hard_limit_to_staff(self, ticker_coin, now):
        for _ in range(5):
            read(ticker_coin, "0.40", now)
        assert list_coins_to_confirm() == []
        assert not self.confirm(ticker_coin, now, "0.40")
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert accept_price(coin=ticker_coin, expected=Decimal("0.40"), now=now)
        assert load_offer(coin_name="ABAN").ensure_price(now=now) == sold_at("0.40")

    def test_does_nothing_to_a_coin_that_is_not_suspended(self, ticker_coin, now):
        assert not self.confirm(ticker_coin, now, "4.00")
        assert not Suspension.objects.exists()


class TestReadings:
    def record(self, coin, now, bid, ask, **fields):
        reading = Reading(bid=Decimal(bid), ask=Decimal(ask), **fields)
        return record_reading(coin=coin, reading=reading, source="test", now=now)

    def test_are_sold_at_their_ask(self, ticker_coin, now):
        assert self.record(ticker_coin, now, "3.98", "4.01", last=Decimal("3.90")) is None
        price = CoinPrice.objects.get()
        assert (price.bid, price.value, price.last) == (Decimal("3.98"), Decimal("4.01"), Decimal("3.90"))
        assert load_offer(coin_name="ABAN").price == sold_at("4.01")

    @pytest.mark.parametrize(
        ("bid", "ask"), [("0", "4"), ("-1", "4"), ("4", "NaN"), ("4", "Infinity"), ("4.01", "4"), ("1e-15", "4")]
    )
    def test_are_none_when_a_price_is_none_or_the_book_is_crossed(self, ticker_coin, now, bid, ask):
        before = CoinPrice.objects.get()
        assert self.record(ticker_coin, now, bid, ask)
        price = CoinPrice.objects.get()
        assert (price.value, price.read_at, price.suspended_at) == (before.value, before.read_at, None)

    @pytest.mark.parametrize("age", [61, 3600, -6])
    def test_are_none_when_the_quote_is_old_or_from_the_future(self, ticker_coin, now, age):
        assert self.record(ticker_coin, now, "4", "4.01", quoted_at=now - timedelta(seconds=age))
        assert CoinPrice.objects.get().value == 4

    def test_age_by_the_quotes_own_time(self, ticker_coin, now):
        self.record(ticker_coin, now, "4", "4.01", quoted_at=now - timedelta(seconds=50))
        offer = load_offer(coin_name="ABAN")
        assert offer.price_at == now - timedelta(seconds=50)
        assert offer.is_available(now=now)
        assert not offer.is_available(now=now + timedelta(seconds=11))

    def test_that_come_late_do_not_replace_newer_ones(self, ticker_coin, now):
        self.record(ticker_coin, now, "4", "4.02", quoted_at=now)
        assert self.record(ticker_coin, now, "4", "4.01", quoted_at=now - timedelta(seconds=20))
        assert CoinPrice.objects.get().value == Decimal("4.02")

    def test_with_the_time_of_the_one_before_do_not_make_three(self, ticker_coin, now):
        for _ in range(3):
            self.record(ticker_coin, now, "4.39", "4.40", quoted_at=now, venue_time=now)
        assert CoinPrice.objects.get().candidate_readings == 1

    def test_are_sold_at_the_worst_ask_while_the_ask_moves_fast(self, ticker_coin, now):
        at = [now + timedelta(seconds=seconds) for seconds in (20, 30, 36, 60)]
        self.record(ticker_coin, at[0], "4.09", "4.10")
        self.record(ticker_coin, at[1], "3.99", "4.00")
        assert load_offer(coin_name="ABAN").price == sold_at("4.10"), "2.5 % within a quarter of a minute"
        self.record(ticker_coin, at[2], "4.00", "4.01")
        assert load_offer(coin_name="ABAN").price == sold_at("4.10"), "it was in force 15 seconds ago"
        self.record(ticker_coin, at[3], "4.00", "4.01")
        assert load_offer(coin_name="ABAN").price == sold_at("4.01")

    def test_are_sold_at_their_ask_while_it_moves_less_than_the_spread(self, ticker_coin, now):
        add_rule(spread="0.005")
        self.record(ticker_coin, now + timedelta(seconds=10), "4.00", "4.015")
        self.record(ticker_coin, now + timedelta(seconds=20), "4.00", "4.001")
        assert load_offer(coin_name="ABAN").price == sold_at("4.001")

    @pytest.mark.parametrize(
        ("of_all", "of_coin", "price"),
        [("0.02", None, "4.03"), ("0.02", "0.005", "4.10"), ("0.005", "0.02", "4.03"), ("0.005", None, "4.10")],
    )
    def test_move_fast_by_the_spread_of_the_coins_own_rule(self, ticker_coin, now, of_all, of_coin, price):
        add_rule(spread=of_all)
        if of_coin:
            add_rule(spread=of_coin, coin=ticker_coin)
        self.record(ticker_coin, now + timedelta(seconds=10), "4.00", "4.10")
        self.record(ticker_coin, now + timedelta(seconds=25), "4.00", "4.03")
        assert load_offer(coin_name="ABAN").market_price == Decimal(price)

    def test_decide_what_an_order_pays(self, ticker_coin, now, shopper):
        self.record(ticker_coin, now, "4.00", "4.10", quoted_at=now - timedelta(seconds=2))
        self.record(ticker_coin, now + timedelta(seconds=1), "4.00", "4.05", quoted_at=now - timedelta(seconds=1))
        request = OrderRequest(coin_name="ABAN", amount=Decimal(1), total=None)
        order = place_order(buyer=shopper.principal, order_request=request, now=now + timedelta(seconds=2)).order
        assert (order.market_price, order.price, order.charge) == (
            Decimal("4.10"),
            Decimal("4.12462463"),
            Decimal("4.13"),
        )
        assert order.price_at == now - timedelta(seconds=1)


class TestAStair:
    """A price that moves in steps, each of which is small."""

    @pytest.mark.parametrize("factor", ["0.951", "1.049"])
    def test_is_a_jump_when_the_steps_of_a_minute_are_one_together(self, ticker_coin, now, factor):
        value, price = Decimal(4), None
        for step in range(1, 7):
            value *= Decimal(factor)
            price = read(ticker_coin, f"{value:.8f}", now + timedelta(seconds=10 * step))
        assert price.value == Decimal(f"{4 * Decimal(factor):.8f}"), "one step, and no more"
        assert price.suspended_at == now + timedelta(seconds=20)

    def test_is_a_jump_when_the_steps_of_ten_minutes_are_one_together(self, ticker_coin, now):
        value, price = Decimal(4), None
        for step in range(1, 9):
            value *= Decimal("0.97")
            price = read(ticker_coin, f"{value:.8f}", now + timedelta(seconds=61 * step))
        assert price.value == Decimal("3.65069200"), "three steps of 3 %, and no more"

    def test_of_many_minutes_is_none(self, ticker_coin, now):
        for step in range(1, 20):
            price = read(ticker_coin, f"{4 - Decimal('0.02') * step:.2f}", now + timedelta(minutes=2 * step))
        assert (price.value, price.suspended_at) == (Decimal("3.62"), None)

    def test_does_not_go_on_because_its_last_step_stays(self, ticker_coin, now):
        read(ticker_coin, "3.82", now + timedelta(seconds=10))
        for step in range(2, 9):
            price = read(ticker_coin, "3.65", now + timedelta(seconds=10 * step))
        assert (price.value, price.candidate) == (Decimal("3.82"), Decimal("3.65")), "4.5 % from the last price"

    def test_before_a_jump_counts_towards_the_hard_limit(self, ticker_coin, now):
        read(ticker_coin, "3.82", now + timedelta(seconds=10))
        for step in range(2, 6):
            read(ticker_coin, "3.10", now + timedelta(seconds=10 * step))
        at = now + timedelta(seconds=50)
        second = SecondReading(value=Decimal("3.10"), at=at, source="okx")
        assert list_coins_to_confirm() == []
        assert not confirm_price(coin=ticker_coin, second=second, now=at), "18.8 % from the last price, 22.5 % from 4"
        assert accept_price(coin=ticker_coin, expected=Decimal("3.10"), now=at)

    def test_begins_anew_after_a_price_that_was_believed(self, ticker_coin, now):
        for step in range(1, 4):
            read(ticker_coin, "3.50", now + timedelta(seconds=10 * step))
        assert accept_price(coin=ticker_coin, expected=Decimal("3.50"), now=now + timedelta(seconds=31))
        price = read(ticker_coin, "3.40", now + timedelta(seconds=40))
        assert (price.value, price.suspended_at) == (Decimal("3.40"), None)


class TestAPriceAfterASuspension:
    @pytest.mark.parametrize("value", ["3.50", "0.40"])
    def test_is_not_the_one_of_before_the_jump(self, ticker_coin, now, value):
        read(ticker_coin, "4.10", now)
        for seconds in (1, 2, 3):
            read(ticker_coin, value, now + timedelta(seconds=seconds))
        assert accept_price(coin=ticker_coin, expected=Decimal(value), now=now + timedelta(seconds=4))
        for seconds, share in ((5, "1.001"), (6, "0.99"), (7, "1")):
            read(ticker_coin, f"{Decimal(value) * Decimal(share):.4f}", now + timedelta(seconds=seconds))
            offer = load_offer(coin_name="ABAN")
            assert offer.market_price <= Decimal(value) * Decimal("1.001"), "an ask of before the jump is none"

    def test_is_not_the_one_of_before_a_long_silence(self, ticker_coin, now):
        read(ticker_coin, "4.10", now)
        read(ticker_coin, "3.90", now + timedelta(minutes=5))
        assert load_offer(coin_name="ABAN").market_price == Decimal("3.90")

    def test_decides_what_an_order_pays(self, ticker_coin, now, shopper):
        for seconds in (1, 2, 3):
            read(ticker_coin, "3.50", now + timedelta(seconds=seconds))
        accept_price(coin=ticker_coin, expected=Decimal("3.50"), now=now + timedelta(seconds=4))
        read(ticker_coin, "3.45", now + timedelta(seconds=5))
        request = OrderRequest(coin_name="ABAN", amount=Decimal(1), total=None)
        order = place_order(buyer=shopper.principal, order_request=request, now=now + timedelta(seconds=6)).order
        assert order.market_price == Decimal("3.50"), "the highest ask since then"
        assert order.price == sold_at("3.50")


class TestALateAnswer:
    def record(self, coin, now, ask, venue_time):
        reading = Reading(bid=Decimal(ask), ask=Decimal(ask), quoted_at=now, venue_time=venue_time)
        return record_reading(coin=coin, reading=reading, source="test", now=now)

    def test_ends_no_suspension_however_often_it_comes(self, ticker_coin, now):
        self.record(ticker_coin, now, "4.00", now)
        for seconds in (2, 3):
            at = now + timedelta(seconds=seconds)
            self.record(ticker_coin, at, "0.40", at)
        for seconds in (4, 5, 6, 7):
            at = now + timedelta(seconds=seconds)
            assert self.record(ticker_coin, at, "4.00", now + timedelta(seconds=1, milliseconds=seconds))
        price = CoinPrice.objects.get()
        assert (price.candidate, price.candidate_readings) == (Decimal("0.40"), 2)
        assert len(Suspension.objects.get().readings) == 2

    def test_replaces_no_newer_price(self, ticker_coin, now):
        self.record(ticker_coin, now, "4.02", now)
        late = now - timedelta(milliseconds=1)
        assert "older" in self.record(ticker_coin, now + timedelta(seconds=1), "4.01", late)
        assert CoinPrice.objects.get().value == Decimal("4.02")

    def test_without_times_replaces_no_newer_price(self, ticker_coin, now):
        read(ticker_coin, "4.02", now + timedelta(seconds=20))
        assert read(ticker_coin, "4.01", now).value == Decimal("4.02")

    def test_is_none_when_the_clock_was_wrong_before(self, ticker_coin, now):
        self.record(ticker_coin, now, "4.02", now + timedelta(hours=1))
        later = now + timedelta(seconds=61)
        assert self.record(ticker_coin, later, "4.01", later) is None


class TestAVenueTimeThatStandsStill:
    def test_is_old_a_price_s_longest_age_after_its_first_receipt(self, ticker_coin, now):
        def record(seconds):
            at = now + timedelta(seconds=seconds)
            reading = Reading(bid=Decimal(4), ask=Decimal(4), quoted_at=at, venue_time=now)
            return record_reading(coin=ticker_coin, reading=reading, source="test", now=at)

        assert [record(seconds) for seconds in (1, 20, 40, 61)] == [None] * 4
        assert "61 seconds old" in record(62)
        offer = load_offer(coin_name="ABAN")
        assert offer.price_at == now + timedelta(seconds=1)
        assert not offer.is_available(now=now + timedelta(seconds=62))


class TestBesideThePreviousRelease:
    """It writes value, source, time and suspect price of a coin's price, and knows no suspensions."""

    def test_a_price_that_it_reads_has_the_time_of_its_reading(self, ticker_coin, now, shopper):
        reading = Reading(bid=Decimal(4), ask=Decimal("4.2"), quoted_at=now, venue_time=now)
        record_reading(coin=ticker_coin, reading=reading, source="test", now=now)
        later = now + timedelta(seconds=100)
        CoinPrice.objects.update(value=Decimal("4.01"), read_at=later)
        offer = load_offer(coin_name="ABAN")
        assert (offer.market_price, offer.price_at) == (Decimal("4.01"), later)
        request = OrderRequest(coin_name="ABAN", amount=Decimal(1), total=None)
        order = place_order(buyer=shopper.principal, order_request=request, now=later).order
        assert (order.market_price, order.price, order.price_at) == (Decimal("4.01"), sold_at("4.01"), later)

    def test_a_worst_ask_of_before_its_reading_does_not_count(self, ticker_coin, now, shopper):
        read(ticker_coin, "4.15", now + timedelta(seconds=1))
        read(ticker_coin, "4.00", now + timedelta(seconds=2))
        assert load_offer(coin_name="ABAN").market_price == Decimal("4.15")
        later = now + timedelta(seconds=30)
        CoinPrice.objects.update(value=Decimal("4.01"), read_at=later)
        assert load_offer(coin_name="ABAN").market_price == Decimal("4.01")
        request = OrderRequest(coin_name="ABAN", amount=Decimal(1), total=None)
        assert place_order(buyer=shopper.principal, order_request=request, now=later).order.price == sold_at("4.01")

    def test_a_suspension_that_it_ends_is_ended_and_shown_to_staff(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        CoinPrice.objects.update(value=8, read_at=now, suspended_at=None, candidate=None, candidate_readings=0)
        follow(now)
        suspension = Suspension.objects.get()
        assert (suspension.outcome, suspension.ended_price, suspension.ended_at) == ("previous", 8, now)
        assert [row.kind.value for row in list_to_do(now=now)] == ["jump"]

    def test_a_jump_after_it_has_ended_a_suspension_is_a_suspension_of_its_own(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        CoinPrice.objects.update(suspended_at=None, candidate=None, candidate_readings=0)
        read(ticker_coin, "2", now + timedelta(seconds=1))
        ended, begun = Suspension.objects.order_by("pk")
        assert (ended.outcome, [entry["ask"] for entry in begun.readings]) == ("previous", ["2"])

    def test_a_suspension_that_it_begins_is_a_row_with_its_reading(self, ticker_coin, now):
        begun = now - timedelta(seconds=30)
        CoinPrice.objects.update(suspended_at=begun, candidate=8, candidate_readings=1)
        for _ in range(2):
            follow(now)
        suspension = Suspension.objects.get()
        assert (suspension.begun_at, [entry["ask"] for entry in suspension.readings]) == (begun, ["8"])
        for _ in range(3):
            read(ticker_coin, "4.01", now)
        suspension.refresh_from_db()
        assert suspension.outcome == "returned"

    def test_a_suspension_that_both_know_is_left_alone(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        follow(now)
        assert Suspension.objects.get().ended_at is None


class TestSmallAndLargePrices:
    @pytest.mark.parametrize(
        ("market_price", "price"),
        [
            ("0.0000000012345", "0.0000000012420"),
            ("0.000000015", "0.000000015091"),
            ("1000000.01", "1006006.01606607"),
            ("65000.00", "65390.39039040"),
        ],
    )
    def test_are_shown_and_charged_to_their_last_place(self, now, api, shopper, market_price, price):
        coin = put_on_sale(name="TINY", maximum=Decimal(10) ** 11)
        record_price(coin=coin, value=Decimal(market_price), source="test", now=now)
        [shown] = api("GET", "exchanges/crypto-currencies/").json()
        assert (Decimal(shown["price"]), "E" in shown["price"].upper()) == (Decimal(price), False)
        answer = api("POST", "orders/", {"crypto": "TINY", "total": "12.00"}, by=shopper)
        order = answer.json()
        assert answer.status_code == 201, order
        assert (Decimal(order["market_price"]), Decimal(order["price"])) == (Decimal(market_price), Decimal(price))
        left = 12 - Decimal(order["amount"]) * Decimal(price)
        assert 0 <= left <= max(Decimal("0.01"), Decimal(price) * Decimal("0.00000001"))

    def test_of_coins_that_are_sold_in_thousands_work(self, now, api, shopper):
        coin = put_on_sale(name="1000SHIB", step=Decimal(1000), minimum=Decimal(1000), maximum=Decimal(10) ** 10)
        record_price(coin=coin, value=Decimal("0.0000123"), source="test", now=now)
        order = api("POST", "orders/", {"crypto": "1000SHIB", "total": "12.00"}, by=shopper).json()
        assert (order["amount"], order["total_price"]) == ("969000.00000000", "12.00")

    @pytest.mark.parametrize("name", ["S", "1INCH", "1000SHIB", "BROCCOLI714"])
    def test_belong_to_coins_with_any_venues_name(self, api, name):
        make_coin(name, "4.00")
        assert api("GET", f"exchanges/crypto-currencies/{name}/").json()["name"] == name

    @pytest.mark.parametrize("name", ["shib", "A-B", "A" * 13, "", "USD"])
    def test_of_coins_with_other_names_are_refused_with_a_sentence(self, admin_client, name):
        fields = {"name": name, "minimum": "1", "maximum": "9", "step": "1", "pool_policy": "buy", "reason": "new"}
        page = admin_client.post("/admin/trading/coin/add/", fields).content.decode()
        assert any(words in page for words in ("capital letters and digits", "at most 12", "required", "are none"))
        assert not Coin.objects.exists()


class TestTypedPrices:
    @pytest.fixture
    def change(self, coin, admin_client):
        def post(price, **more):
            fields = {"title": "", "is_sold": "on", "minimum": "0.01", "maximum": "1000", "step": "0.01"}
            fields |= {"fixed_price": price, "pool_policy": "buy", "reason": "because", **more}
            page = admin_client.post(f"/admin/trading/coin/{coin.pk}/change/", fields)
            return page, Coin.objects.get(pk=coin.pk).fixed_price

        return post

    def test_beyond_the_hard_limit_are_refused_whatever_the_limit_of_jumps(self, change, settings):
        configure(settings, "PRICES", jump_limit=Decimal("0.5"))
        assert change("5.00")[1] == 4
        assert change("4.75")[1] == Decimal("4.75")

    def test_instead_of_a_market_price_keep_to_the_steps_of_its_last_minute(self, coin, change):
        Coin.objects.update(fixed_price=None)
        read(coin, "3.82", timezone.now())
        assert change("3.65")[1] is None, "8.8 % from 4.00"
        assert change("3.90")[1] == Decimal("3.90")

    def test_near_the_last_one_are_saved(self, change):
        assert change("4.30")[1] == Decimal("4.30")

    @pytest.mark.parametrize("price", ["0.40", "40", "4.50", "3.55"])
    def test_far_from_the_last_one_are_refused_unless_staff_mean_them(self, change, price):
        page, saved = change(price)
        assert saved == 4
        assert "Is it meant?" in page.content.decode()
        assert change(price, price_is_meant="on")[1] == Decimal(price)


class TestOffers:
    def test_of_a_list_come_from_the_cache(self, ticker_coin, django_assert_num_queries):
        list_offers()
        with django_assert_num_queries(0):
            [offer] = list_offers()
        assert (offer.price, offer.step) == (Decimal("4.02402403"), Decimal("0.00000001"))

    def test_follow_a_change_at_once(self, ticker_coin, now):
        list_offers()
        read(ticker_coin, "4.10", now)
        assert [offer.price for offer in list_offers()] == [sold_at("4.10")]

    def test_are_cached_for_a_few_seconds(self, ticker_coin):
        list_offers()
        assert 0 < with_redis(lambda client: client.ttl(LIST_KEY)) <= 5

    def test_of_a_coin_that_is_no_longer_sold_are_dropped_from_the_cache(self, ticker_coin):
        list_offers()
        ticker_coin.is_sold = False
        save_coin(coin=ticker_coin)
        assert with_redis(lambda client: client.get(LIST_KEY)) is None
        assert list_offers() == ()

    def test_come_from_postgres_without_redis(self, ticker_coin, without_redis):
        assert [offer.price for offer in list_offers()] == [sold_at(4)]

    @pytest.mark.parametrize("ago", [timedelta(days=1), -timedelta(days=1)])
    def test_are_stale_whether_their_price_is_too_old_or_from_the_future(self, ticker_coin, now, ago):
        CoinPrice.objects.update(read_at=now - ago)
        assert not load_offer(coin_name="ABAN").is_available(now=now)


def test_the_list_of_coins_costs_one_round_trip_and_no_query(
    ticker_coin, api, now, monkeypatch, django_assert_num_queries
):
    read(ticker_coin, "4.10", now)
    first = api("GET", "exchanges/crypto-currencies/")
    asked, ask = [], redis.Connection.send_command
    monkeypatch.setattr(
        redis.Connection, "send_command", lambda *words, **how: asked.append(words) or ask(*words, **how)
    )
    with django_assert_num_queries(0):
        assert api("GET", "exchanges/crypto-currencies/").json() == first.json()
    assert len(asked) == 1


def test_the_list_of_coins_comes_from_postgres_without_redis(ticker_coin, api, now, without_redis):
    read(ticker_coin, "4.10", now)
    [found] = api("GET", "exchanges/crypto-currencies/").json()
    assert (found["name"], found["price"]) == ("ABAN", "4.12462463")


def test_redis_is_skipped_for_a_moment_after_a_failure(ticker_coin, without_redis):
    list_offers()
    assert breaker.is_open()


def test_a_column_of_prices_loses_its_scale_without_a_rewrite(db):
    with psycopg.connect(**owner_parameters()) as owner:
        owner.execute("CREATE TEMPORARY TABLE old (price numeric(20, 8) NOT NULL)")
        owner.execute("INSERT INTO old VALUES (4), (0.00000001)")
        before = owner.execute("SELECT pg_relation_filenode('old')").fetchone()
        owner.execute('ALTER TABLE old ALTER COLUMN "price" TYPE numeric USING "price"::numeric')
        assert owner.execute("SELECT pg_relation_filenode('old')").fetchone() == before
