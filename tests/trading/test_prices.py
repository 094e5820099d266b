from datetime import timedelta
from decimal import Decimal

import pytest
import redis

from trading.models import Coin, CoinPrice, PriceChange
from trading.offers import LIST_KEY, list_offers, load_offer
from trading.services.coins import save_coin
from trading.services.prices import accept_price, prune_prices, record_price
from wallets.runtime.redis_store import breaker, with_redis

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ticker_coin(coin):
    coin.fixed_price = None
    save_coin(coin=coin)
    return Coin.objects.get(pk=coin.pk)


def read(coin, value, now):
    record_price(coin=coin, value=Decimal(value), source="test", now=now)
    return CoinPrice.objects.get(coin=coin)


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

    def test_accepts_a_jump_after_three_readings_that_agree(self, ticker_coin, now):
        for value in ("8", "8.1", "8.05"):
            price = read(ticker_coin, value, now)
        assert (price.value, price.suspended_at) == (Decimal("8.05"), None)

    def test_starts_counting_again_after_a_reading_that_disagrees(self, ticker_coin, now):
        for value in ("8", "8.1", "16", "8"):
            price = read(ticker_coin, value, now)
        assert price.suspended_at

    def test_ends_the_suspension_when_the_old_price_is_back(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        assert read(ticker_coin, "4.01", now).suspended_at is None

    def test_lets_staff_accept_the_suspect_price(self, ticker_coin, now):
        read(ticker_coin, "8", now)
        assert not accept_price(coin=ticker_coin, expected=Decimal(9), now=now), "staff have seen a different price"
        assert accept_price(coin=ticker_coin, expected=Decimal(8), now=now)
        assert load_offer(coin_name="ABAN").price == 8

    def test_writes_price_changes_that_are_pruned_later(self, ticker_coin, now):
        assert prune_prices(before=now - timedelta(days=1)) == 0
        assert prune_prices(before=now + timedelta(days=1)) == 1


class TestOffers:
    def test_of_a_list_come_from_the_cache(self, ticker_coin, django_assert_num_queries):
        list_offers()
        with django_assert_num_queries(0):
            [offer] = list_offers()
        assert (offer.price, offer.step) == (4, Decimal("0.00000001"))

    def test_follow_a_change_at_once(self, ticker_coin, now):
        list_offers()
        read(ticker_coin, "4.10", now)
        assert [offer.price for offer in list_offers()] == [Decimal("4.10")]

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
        assert [offer.price for offer in list_offers()] == [4]

    @pytest.mark.parametrize("ago", [timedelta(days=1), -timedelta(days=1)])
    def test_are_stale_whether_their_price_is_too_old_or_from_the_future(self, ticker_coin, now, ago):
        CoinPrice.objects.update(read_at=now - ago)
        assert not load_offer(coin_name="ABAN").is_available(now=now)


def test_the_list_of_coins_costs_one_round_trip_and_no_query(
    ticker_coin, api, now, monkeypatch, django_assert_num_queries
):
    read(ticker_coin, "4.10", now)
    first = api("GET", "exchanges/crypto-currencies/")
    asked, ask = [], redis.Redis.execute_command
    monkeypatch.setattr(redis.Redis, "execute_command", lambda *words, **how: asked.append(words) or ask(*words, **how))
    with django_assert_num_queries(0):
        assert api("GET", "exchanges/crypto-currencies/").json() == first.json()
    assert len(asked) == 1


def test_the_list_of_coins_comes_from_postgres_without_redis(ticker_coin, api, now, without_redis):
    read(ticker_coin, "4.10", now)
    [found] = api("GET", "exchanges/crypto-currencies/").json()
    assert (found["name"], found["price"]) == ("ABAN", "4.10000000")


def test_redis_is_skipped_for_a_moment_after_a_failure(ticker_coin, without_redis):
    list_offers()
    assert breaker.is_open()
