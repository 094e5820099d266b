"""The markets of a sandbox, in both dialects: each misbehaves by itself, and the control API changes nothing about it."""

import time
import uuid
from decimal import Decimal

import httpx
import pytest

from exchange_site.seeding.magic import MAGIC_COINS, MAGIC_PRICE
from exchange_site.simulator.magic import magic_prices
from tests.krakens import Kraken
from tests.simulator.test_simulator import code, signed
from tests.simulators import running_simulator


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--spread", "0", "--magic") as running:
        yield running


def buy(venue, coin, quantity="1.00"):
    wanted = {"side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": quantity, "price": "20.00"}
    return signed(venue, "POST", "order", symbol=f"{coin}USDT", newClientOrderId=uuid.uuid4().hex, **wanted)


def add(venue, coin, volume="1.00"):
    order = {"pair": f"{coin}USD", "type": "buy", "ordertype": "limit", "timeinforce": "IOC"}
    return Kraken(venue.url).private("AddOrder", **order, volume=volume, price="20.00")


@pytest.fixture(params=[buy, add], ids=["binance", "kraken"])
def order(request, venue):
    return lambda *arguments: request.param(venue, *arguments)


def executed(venue, coin):
    return [Decimal(entry["executedQty"]) for entry in venue.book(coin)]


class TestMarkets:
    def test_are_those_of_the_seeders_magic_coins_and_only_one_is_dearer(self):
        assert set(magic_prices()) == {f"{coin.name}USDT" for coin in MAGIC_COINS}
        assert {name for name, price in magic_prices().items() if price != MAGIC_PRICE} == {"MOVEDUSDT"}

    def test_keep_their_price_over_a_restart(self, tmp_path):
        with running_simulator(tmp_path, "--magic") as before:
            before.set_prices(MOVED="19.00")
        with running_simulator(tmp_path, "--magic") as after:
            assert after.market()["MOVEDUSDT"]["middle"] == "19.00"

    def test_are_added_to_a_book_that_had_none(self, tmp_path):
        with running_simulator(tmp_path) as before:
            assert "SLOWUSDT" not in before.market()
        with running_simulator(tmp_path, "--magic") as after:
            assert "SLOWUSDT" in after.market()


class TestAnOrder:
    def test_of_refuse_is_refused(self, venue, order):
        order("REFUSE")
        assert executed(venue, "REFUSE") == []

    def test_of_lost_is_filled_and_its_answer_lost(self, venue, order):
        before = len(executed(venue, "LOST"))
        with pytest.raises(httpx.TransportError):
            order("LOST")
        assert executed(venue, "LOST")[before:] == [1]

    def test_of_partly_is_filled_by_half(self, venue, order):
        before = len(executed(venue, "PARTLY"))
        order("PARTLY")
        assert executed(venue, "PARTLY")[before:] == [Decimal("0.5")]

    def test_of_slow_takes_three_seconds_in_which_another_is_filled(self, venue, order):
        begun = time.monotonic()
        order("SLOW")
        assert time.monotonic() - begun > 2.9

    def test_of_moved_finds_nobody_who_sells_at_the_customers_price(self, venue, order):
        before = len(executed(venue, "MOVED"))
        order("MOVED")
        assert executed(venue, "MOVED")[before:] == [0]


class TestTheControlApi:
    def test_neither_shows_nor_replaces_their_rules(self, venue):
        assert venue.faults() == []
        venue.fail({"on": "place", "action": "drop", "symbol": "ABANUSDT"})
        assert len(venue.faults()) == 1
        assert code(buy(venue, "REFUSE")) == (400, -1121)
        venue.fail()
        assert code(buy(venue, "REFUSE")) == (400, -1121)

    def test_goes_first(self, venue):
        venue.fail(
            {"on": "place", "action": "reject", "symbol": "REFUSEUSDT", "code": -1013, "msg": "Filter", "times": 1}
        )
        assert code(buy(venue, "REFUSE")) == (400, -1013)
        assert code(buy(venue, "REFUSE")) == (400, -1121)
        venue.fail()
