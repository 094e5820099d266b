"""Coins whose market is closed, by the word of the venue: `not_trading`, at once and for as long as it says so."""

from datetime import timedelta
from decimal import Decimal

import pytest

from settlement.services.price_feed import refresh_prices
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.selling import read_suspended
from settlement.venues.ccxt.markets import markets
from tests.settlement.conftest import new_venue
from trading.models import ClosedMarket, CoinPrice
from trading.offers import load_offer
from trading.services.coins import put_on_sale, save_coin
from trading.services.markets import record_closed_markets
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market(simulator, venue):
    """Two coins at the prices of the simulator."""
    simulator.set_prices(ABAN="4.00", BETA="5.00")
    for name in ("ABAN", "BETA"):
        put_on_sale(name=name)
    return simulator


def refresh(now=None):
    markets.forget()
    refresh_prices(venues=[new_venue()], now=now or clock.database_now())


@pytest.fixture
def reasons(api):
    """Return, by coin, why it is not sold: by the list of coins, which the page of each coin repeats."""

    def read():
        listed = {coin["name"]: coin for coin in api("GET", "exchanges/crypto-currencies/").json()}
        for name, coin in listed.items():
            one = api("GET", f"exchanges/crypto-currencies/{name}/").json()
            assert (one["unavailable_reason"], one["is_available"]) == (
                coin["unavailable_reason"],
                coin["is_available"],
            )
        return {name: coin["unavailable_reason"] for name, coin in listed.items()}

    return read


@pytest.fixture
def buy(api, shopper):
    def order(name):
        answer = api("POST", "orders/", {"crypto": name, "amount": "1"}, by=shopper)
        return answer.status_code, answer.json().get("code")

    return order


class TestACoinWhoseMarketCloses:
    def test_is_not_sold_at_once_however_new_its_price_is(self, market, reasons, buy, shopper):
        refresh()
        assert reasons() == {"ABAN": None, "BETA": None}
        market.set_status(ABAN="BREAK")
        refresh()
        assert reasons() == {"ABAN": "not_trading", "BETA": None}
        assert buy("ABAN") == (503, "price_unavailable")
        assert shopper.wallet.balance == 100
        assert buy("BETA")[0] == 201

    def test_is_sold_again_when_it_opens(self, market, reasons, buy):
        market.set_status(ABAN="HALT")
        refresh()
        market.set_status(ABAN="TRADING")
        refresh()
        assert reasons() == {"ABAN": None, "BETA": None}
        assert buy("ABAN")[0] == 201

    def test_says_so_also_if_it_never_had_a_price(self, market, reasons, buy):
        market.set_status(ABAN="BREAK")
        refresh()
        assert not CoinPrice.objects.filter(coin__name="ABAN").exists()
        assert reasons()["ABAN"] == "not_trading"
        assert buy("ABAN") == (503, "price_unavailable")

    def test_stays_closed_while_the_venue_does_not_answer(self, market, reasons):
        market.set_status(ABAN="BREAK")
        refresh()
        market.fail({"on": "ticker", "action": "down"})
        refresh(clock.database_now() + timedelta(seconds=1))
        assert reasons()["ABAN"] == "not_trading"

    def test_says_no_more_than_that_it_has_no_price_if_the_venue_does_not_list_it(self, market, reasons):
        refresh()
        market.delist("ABAN")
        refresh()
        assert not ClosedMarket.objects.exists()
        assert reasons()["ABAN"] is None, "the last good price ages"

    def test_is_on_the_to_do_page(self, market):
        refresh()
        market.set_status(ABAN="BREAK")
        refresh()
        [concern] = read_suspended(clock.database_now())
        assert (concern.kind, concern.subject) == (ConcernKind.SUSPENDED, "ABAN")
        assert concern.reason == "not sold: the venue says: its market is closed: BREAK"
        assert concern.since == ClosedMarket.objects.get().since

    def test_is_sold_at_a_fixed_price(self, market, buy):
        market.set_status(ABAN="BREAK")
        refresh()
        coin = ClosedMarket.objects.get().coin
        coin.fixed_price = Decimal(4)
        save_coin(coin=coin)
        assert buy("ABAN")[0] == 201

    def test_is_shown_in_the_admin(self, market, admin_client):
        market.set_status(ABAN="BREAK")
        refresh()
        assert "not trading" in admin_client.get("/admin/trading/coin/").content.decode()


class TestTheRecord:
    def test_keeps_the_time_at_which_the_market_closed(self, coin, now):
        record_closed_markets(coin_ids={coin.pk}, now=now)
        record_closed_markets(coin_ids={coin.pk}, now=now + timedelta(minutes=1))
        assert ClosedMarket.objects.get().since == now

    def test_costs_one_query_while_nothing_changes(self, coin, now, django_assert_num_queries):
        record_closed_markets(coin_ids={coin.pk}, now=now)
        with django_assert_num_queries(1):
            record_closed_markets(coin_ids={coin.pk}, now=now)

    def test_leaves_a_quote_of_an_offer_without_a_price(self, coin, now):
        coin.fixed_price = None
        save_coin(coin=coin)
        record_closed_markets(coin_ids={coin.pk}, now=now)
        assert load_offer(coin_name="ABAN").why_unavailable(now=now) == "not_trading"
