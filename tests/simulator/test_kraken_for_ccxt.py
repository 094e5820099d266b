"""The simulator's second dialect as ccxt's own `kraken` class speaks it, without anything of ours between them."""

import uuid
from decimal import Decimal

import ccxt
import pytest

from exchange_site.simulator import DEFAULT_API_KEY
from exchange_site.simulator.kraken import DEFAULT_API_SECRET
from tests.simulators import running_simulator

LEVELS = [[f"{20 + number / 100:.2f}", "1"] for number in range(45)]


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--spread", "0") as running:
        yield running


@pytest.fixture(scope="module")
def kraken(venue):
    client = ccxt.kraken({"apiKey": DEFAULT_API_KEY, "secret": DEFAULT_API_SECRET, "enableRateLimit": False})
    client.urls["api"] = {"public": venue.url, "private": venue.url}
    client.session.trust_env = False
    client.load_markets()
    yield client
    client.session.close()


@pytest.fixture(autouse=True)
def as_new(venue):
    venue.fail()
    venue.set_market(ABAN={"depth": None})
    venue.set_prices(ABAN="20.00")
    venue.set_account(balances={"USDT": "1000000", "ABAN": "1000"}, commission_rate="0.001")


def buy(kraken, amount=1, price=20, **parameters):
    named = {"clientOrderId": str(uuid.uuid4()), "timeInForce": "IOC", **parameters}
    return kraken.create_order("ABAN/USD", "limit", "buy", amount, price, named)


class TestMarkets:
    def test_have_their_usual_names(self, kraken):
        assert {"BTC/USD", "BTC/USDT", "ETH/USD", "DOGE/USD", "DOGE/USDT", "ABAN/USD", "ABAN/USDT"} <= set(
            kraken.symbols
        )
        assert kraken.market("BTC/USD")["id"] == "XXBTZUSD"

    def test_have_rules_and_fees(self, kraken):
        market = kraken.market("ABAN/USD")
        assert market["precision"] == {"amount": 0.01, "price": 0.0001}
        assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.01, 5)
        assert (market["taker"], market["active"]) == (0.001, True)
        assert kraken.fetch_trading_fee("ABAN/USD")["taker"] == 0.001

    def test_show_tickers_and_books(self, kraken, venue):
        venue.set_market(ABAN={"bid": "19.99", "ask": "20.01", "last": "20.00"})
        ticker = kraken.fetch_tickers(["ABAN/USD", "BTC/USD"])["ABAN/USD"]
        assert (ticker["bid"], ticker["ask"], ticker["last"]) == (19.99, 20.01, 20)
        assert kraken.fetch_ticker("ABAN/USDT")["ask"] == 20.01
        assert kraken.fetch_order_book("ABAN/USD")["asks"][0][0] == 20.01

    def test_have_a_clock(self, kraken):
        assert abs(kraken.fetch_time() - kraken.milliseconds()) < 2000
        assert kraken.fetch_status()["status"] == "ok"

    def test_have_currencies(self, kraken):
        assert {"BTC", "ETH", "DOGE", "USD", "USDT", "ABAN"} <= set(kraken.currencies)


class TestOrders:
    def test_are_placed_found_and_listed(self, kraken):
        name = str(uuid.uuid4())
        placed = buy(kraken, 2, clientOrderId=name)
        order = kraken.fetch_order(placed["id"])
        assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 2, name)
        assert (order["fee"]["currency"], Decimal(order["fee"]["cost"])) == ("USD", Decimal("0.04"))
        [listed] = kraken.fetch_closed_orders("ABAN/USD", params={"clientOrderId": name})
        assert listed["id"] == placed["id"]

    def test_have_trades_over_several_pages(self, kraken, venue):
        venue.set_market(ABAN={"depth": LEVELS})
        order = kraken.fetch_order(buy(kraken, 45, 21)["id"])
        trades = kraken.fetch_order_trades(order["id"], params={"trades": order["trades"]})
        assert len(trades) == 45
        assert sum(trade["amount"] for trade in trades) == 45
        assert {trade["order"] for trade in trades} == {order["id"]}
        newest = kraken.fetch_my_trades("ABAN/USD")
        assert {trade["id"] for trade in trades} <= {trade["id"] for trade in newest}

    def test_can_be_cancelled(self, kraken):
        name = str(uuid.uuid4())
        placed = buy(kraken, 1, 10, timeInForce="GTC", clientOrderId=name)
        assert [order["id"] for order in kraken.fetch_open_orders(params={"clientOrderId": name})] == [placed["id"]]
        kraken.cancel_order(placed["id"])
        assert kraken.fetch_order(placed["id"])["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            kraken.cancel_order(placed["id"])

    def test_of_which_the_market_fills_a_part_are_cancelled(self, kraken, venue):
        venue.set_market(ABAN={"depth": LEVELS[:3]})
        order = kraken.fetch_order(buy(kraken, 5, 21)["id"])
        assert (order["status"], order["filled"], order["remaining"]) == ("canceled", 3, 2)

    def test_pay_from_the_balance(self, kraken):
        buy(kraken, 10)
        balance = kraken.fetch_balance()
        assert balance["USD"]["free"] == balance["USDT"]["free"] == 1000000 - 200.2

    @pytest.mark.parametrize(
        ("error", "amount", "price"),
        [(ccxt.InsufficientFunds, 90_000, 20), (ccxt.InvalidOrder, 0.01, 500), (ccxt.ExchangeError, 0.02, 20)],
    )
    def test_are_refused_as_ccxt_knows_it(self, kraken, venue, error, amount, price):
        venue.set_account(balances={"USDT": "1000"})
        venue.set_filters("ABAN", minimum="0.02")
        before = venue.book()
        with pytest.raises(error):
            buy(kraken, amount, price)
        assert venue.book() == before
        venue.set_filters("ABAN", minimum="0.01")

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ("EAPI:Invalid key", ccxt.AuthenticationError),
            ("EAPI:Invalid nonce", ccxt.InvalidNonce),
            ("EGeneral:Permission denied", ccxt.PermissionDenied),
            ("EService:Unavailable", ccxt.ExchangeNotAvailable),
            ("EOrder:Rate limit exceeded", ccxt.DDoSProtection),
        ],
    )
    def test_meet_refusals_that_a_rule_makes(self, kraken, venue, said, error):
        venue.fail({"on": "place", "action": "reject", "msg": said, "times": 1})
        with pytest.raises(error):
            buy(kraken)
