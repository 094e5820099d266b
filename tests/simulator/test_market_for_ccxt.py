"""The simulator's market as ccxt's own classes read it: `binance` through our adapter, and `okx` as a second source."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import ccxt
import pytest
from django.conf import settings

from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.client import build_client, ensure_clock
from settlement.venues.ccxt.markets import markets
from settlement.venues.protocol import Executed, PurchaseRequest
from settlement.venues.registry import find_profile

THIN = {"bid": "19.99", "ask": "20.01", "depth": [["20.01", "5"], ["20.05", "2"], ["20.20", "1"]]}


@pytest.fixture
def binance(simulator):
    """The client that the adapter uses."""
    markets.forget()
    client = build_client(profile=find_profile(settings.VENUE.id), config=settings.VENUE)
    ensure_clock(client)
    yield client
    markets.forget()


@pytest.fixture
def adapter(simulator):
    markets.forget()
    yield CcxtVenue(profile=find_profile(settings.VENUE.id), config=settings.VENUE)
    markets.forget()


@pytest.fixture
def okx(simulator):
    """A client without credentials, as a reader of public tickers needs it."""
    client = type("Reader", (ccxt.okx,), {"number": str})({"options": {"fetchMarkets": {"types": ["spot"]}}})
    client.urls["api"]["rest"] = simulator.url
    return client


def bought(adapter, *, quantity, limit, name, coin="ABAN"):
    purchase = PurchaseRequest(
        coin=coin,
        client_order_id=name,
        quantity=Decimal(quantity),
        limit_price=Decimal(limit),
        signed_at=datetime.now(UTC),
        window=timedelta(seconds=30),
    )
    answer = adapter.buy(purchase=purchase)
    assert isinstance(answer, Executed), answer
    return answer


class TestBinance:
    def test_reads_bid_ask_last_and_the_time_of_the_ticker(self, binance, simulator):
        simulator.set_market(ABAN={**THIN, "frozen": False})
        ticker = binance.fetch_tickers(["ABAN/USDT"])["ABAN/USDT"]
        assert [Decimal(ticker[name]) for name in ("bid", "ask", "last")] == [
            Decimal("19.99"),
            Decimal("20.01"),
            Decimal(20),
        ]
        assert abs(time.time() * 1000 - ticker["timestamp"]) < 60_000

    def test_sees_a_frozen_ticker_stand_still_with_its_time(self, binance, simulator):
        simulator.set_market(ABAN={"frozen": True})
        first = binance.fetch_ticker("ABAN/USDT")
        simulator.set_prices(ABAN="30.00")
        assert binance.fetch_ticker("ABAN/USDT")["timestamp"] == first["timestamp"]
        assert binance.fetch_ticker("ABAN/USDT")["ask"] == first["ask"]
        simulator.set_market(ABAN={"frozen": False})
        thawed = binance.fetch_ticker("ABAN/USDT")
        assert Decimal(thawed["ask"]) == 30
        assert thawed["timestamp"] >= first["timestamp"]

    def test_reads_the_levels(self, binance, simulator):
        simulator.set_market(ABAN=THIN)
        book = binance.fetch_order_book("ABAN/USDT")
        assert [[float(figure) for figure in level[:2]] for level in book["asks"]] == [
            [20.01, 5],
            [20.05, 2],
            [20.2, 1],
        ]
        assert float(book["bids"][0][0]) == 19.99

    @pytest.mark.parametrize("price", ["0.0000000001", "0.0000000012", "1000000000000"])
    def test_reads_any_price_exactly(self, binance, simulator, price):
        simulator.set_prices(ODD=price)
        ticker = binance.fetch_ticker("ODD/USDT")
        assert [Decimal(ticker[name]) for name in ("bid", "ask", "last")] == [Decimal(price)] * 3


class TestOurAdapter:
    def test_gets_the_whole_cost_of_a_purchase_through_several_levels(self, adapter, simulator):
        simulator.set_market(ABAN=THIN)
        answer = bought(adapter, quantity="6.50", limit="20.10", name="level-1")
        assert answer.quantity == Decimal("6.5")
        assert answer.cost == Decimal("20.01") * 5 + Decimal("20.05") * Decimal("1.5")
        assert answer.commission == Decimal("0.0065")
        looked_up = adapter.look_up(coin="ABAN", client_order_id="level-1")
        assert (looked_up.quantity, looked_up.cost, looked_up.commission) == (
            answer.quantity,
            answer.cost,
            answer.commission,
        )

    def test_gets_a_part_where_the_limit_stops(self, adapter, simulator):
        simulator.set_market(ABAN=THIN)
        answer = bought(adapter, quantity="8.00", limit="20.05", name="level-2")
        assert (answer.quantity, answer.final) == (7, True)

    def test_reads_the_ask_as_the_price_of_a_purchase(self, adapter, simulator):
        simulator.set_market(ABAN=THIN)
        assert adapter.read_ask(coin="ABAN") == Decimal("20.01")

    def test_buys_a_coin_at_a_tiny_price(self, adapter, simulator):
        simulator.set_prices(TINY="0.0000000012")
        simulator.set_market(TINY={"spread": "0.0002"})
        ask = adapter.read_ask(coin="TINY")
        assert ask == Decimal("0.00000000120024")
        answer = bought(adapter, coin="TINY", quantity="10000000000", limit=ask, name="tiny-1")
        assert (answer.quantity, answer.cost) == (10**10, Decimal("12.0024"))


class TestOkx:
    def test_reads_a_ticker_with_its_time_without_credentials(self, okx, simulator):
        simulator.set_market(ABAN=THIN)
        ticker = okx.fetch_ticker("ABAN/USDT")
        assert [Decimal(ticker[name]) for name in ("bid", "ask", "last")] == [
            Decimal("19.99"),
            Decimal("20.01"),
            Decimal(20),
        ]
        assert abs(time.time() * 1000 - ticker["timestamp"]) < 60_000

    def test_reads_all_tickers_in_one_call(self, okx, simulator):
        simulator.set_prices(ODD="0.0000000012")
        simulator.set_second_source(prices={"BTCUSDT": {"price": "61000", "age_seconds": 90}})
        tickers = okx.fetch_tickers(["ABAN/USDT", "BTC/USDT", "ODD/USDT"])
        assert [Decimal(tickers[name]["last"]) for name in ("ABAN/USDT", "BTC/USDT", "ODD/USDT")] == [
            Decimal(20),
            Decimal(61_000),
            Decimal("0.0000000012"),
        ]
        assert 80_000 < time.time() * 1000 - tickers["BTC/USDT"]["timestamp"] < 150_000

    def test_knows_which_markets_there_are(self, okx, simulator):
        simulator.set_second_source(prices={"ABANUSDT": {"listed": False}})
        assert "ABAN/USDT" not in okx.load_markets()
        assert okx.market("BTC/USDT")["active"]
        with pytest.raises(ccxt.BadSymbol):
            okx.fetch_ticker("ABAN/USDT")

    def test_gets_the_errors_of_its_own_class(self, okx, simulator):
        okx.load_markets()
        simulator.set_second_source(prices={"ABANUSDT": {"listed": False}})
        with pytest.raises(ccxt.BadSymbol):
            okx.fetch_ticker("ABAN/USDT")
        simulator.fail({"on": "second_source", "action": "rate_limit", "times": 1})
        with pytest.raises(ccxt.RateLimitExceeded):
            okx.fetch_ticker("BTC/USDT")
        simulator.set_second_source(down=True)
        with pytest.raises(ccxt.NetworkError):
            okx.fetch_ticker("BTC/USDT")
