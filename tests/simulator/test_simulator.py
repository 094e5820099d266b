"""The exchange simulator, called as a client of Binance's spot REST API would call it."""

import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from decimal import Decimal
from urllib.parse import urlencode

import httpx
import pytest

from exchange_site.seeding.coins import SEED_COINS
from exchange_site.simulator.magic import magic_prices
from exchange_site.simulator.markets import starting_prices
from exchange_site.stack.processes import PROJECT, free_port, local_url, manage, start
from tests.processes import Simulator, stopped, wait_for
from tests.simulators import running_simulator


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--spread", "0") as running:
        yield running


@pytest.fixture(autouse=True)
def as_new(venue):
    venue.fail()
    venue.set_prices(ABAN="20.00")
    venue.set_account(balances={"USDT": "1000000", "ABAN": "1000"}, commission_rate="0.001", commission_asset=None)


def signed(venue, method, path, *, key="simulator-key", secret="simulator-secret", at=None, **parameters):
    parameters["timestamp"] = int(time.time() * 1000) if at is None else at
    query = urlencode(parameters)
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{venue.url}/api/v3/{path}?{query}&signature={signature}"
    return httpx.request(method, url, headers={"X-MBX-APIKEY": key}, timeout=5)


def buy(venue, client_id, quantity="1.00", price="20.00", **more):
    order = {"symbol": "ABANUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": quantity}
    return signed(venue, "POST", "order", **{**order, "price": price, "newClientOrderId": client_id, **more})


def code(answer):
    return answer.status_code, answer.json()["code"]


class TestAStartThatCannotBe:
    @staticmethod
    def start(*options):
        command = [sys.executable, "-m", "exchange_site.simulator", *options]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)

    def test_on_a_taken_port_or_a_foreign_address_costs_a_sentence(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = self.start("--port", port, "--book", str(tmp_path / "book"))
        assert (done.returncode, done.stderr) == (
            1, f"Nothing can listen on 127.0.0.1:{port}: Address already in use. Choose another one with --port or --host\n",
        )  # fmt: skip
        done = self.start("--port", "70000", "--book", str(tmp_path / "book"))
        assert done.stderr.startswith("Nothing can listen on 127.0.0.1:70000: ")

    @pytest.mark.parametrize("name", ["missing/book", "README", ""])
    def test_on_a_file_that_cannot_be_a_book_costs_a_sentence(self, tmp_path, name):
        (tmp_path / "README").write_text("This is no book, and stays as it is.")
        done = self.start("--port", str(free_port()), "--book", str(tmp_path / name))
        assert done.returncode == 1
        assert done.stderr.startswith(f"The book {tmp_path / name} cannot be used: ")
        assert done.stderr.count("\n") == 1
        assert (tmp_path / "README").read_text() == "This is no book, and stays as it is."


class TestMarket:
    def test_lists_the_seeded_coins_at_their_prices(self, venue):
        info = httpx.get(f"{venue.url}/api/v3/exchangeInfo").json()
        assert {entry["symbol"] for entry in info["symbols"]} >= {f"{coin.name}USDT" for coin in SEED_COINS}
        prices = {entry["symbol"]: entry["price"] for entry in httpx.get(f"{venue.url}/api/v3/ticker/price").json()}
        assert Decimal(prices["ABANUSDT"]) == 20

    def test_starts_with_exactly_the_coins_and_prices_of_the_seeder(self):
        assert starting_prices() == {f"{coin.name}USDT": coin.price for coin in SEED_COINS}

    def test_lists_no_magic_market_unless_it_is_told_to(self, venue):
        assert not set(magic_prices()) & set(venue.market())

    def test_gives_the_prices_of_one_symbol_or_several(self, venue):
        for path in ("24hr", "price", "bookTicker"):
            url = f"{venue.url}/api/v3/ticker/{path}"
            assert httpx.get(url, params={"symbol": "ABANUSDT"}).json()["symbol"] == "ABANUSDT"
            assert len(httpx.get(url, params={"symbols": '["ABANUSDT","BTCUSDT"]'}).json()) == 2
            assert code(httpx.get(url, params={"symbol": "XUSDT"})) == (400, -1121)
            assert code(httpx.get(url, params={"symbols": '["XUSDT"]'})) == (400, -1121)


class TestOrders:
    def test_fill_at_the_ask_with_commission_in_the_coin(self, venue):
        order = buy(venue, "filled", price="21.00").json()
        assert (order["status"], order["executedQty"], order["cummulativeQuoteQty"]) == (
            "FILLED",
            "1.00000000",
            "20.00000000",
        )
        [fill] = order["fills"]
        assert (fill["commission"], fill["commissionAsset"]) == ("0.00100000", "ABAN")

    def test_expire_below_the_ask(self, venue):
        order = buy(venue, "expired", price="19.00").json()
        assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.00000000")

    def test_good_till_cancelled_stay_open_until_the_price_fills_them(self, venue):
        resting = buy(venue, "rests", price="19.00", timeInForce="GTC").json()
        assert resting["status"] == "NEW"
        assert code(buy(venue, "rests")) == (400, -2010)
        opened = signed(venue, "GET", "openOrders", symbol="ABANUSDT").json()
        assert [order["clientOrderId"] for order in opened] == ["rests"]
        venue.set_prices(ABAN="18.00")
        found = signed(venue, "GET", "order", symbol="ABANUSDT", origClientOrderId="rests").json()
        assert found["status"] == "FILLED"

    def test_can_be_cancelled_once(self, venue):
        buy(venue, "doomed", price="19.00", timeInForce="GTC")
        cancel = {"symbol": "ABANUSDT", "origClientOrderId": "doomed"}
        assert signed(venue, "DELETE", "order", **cancel).json()["status"] == "CANCELED"
        assert code(signed(venue, "DELETE", "order", **cancel)) == (400, -2011)

    def test_sent_twice_with_one_id_buy_twice(self, venue):
        """As at the real venue, a client order id is unique only among open orders."""
        for _ in range(2):
            assert buy(venue, "careless").json()["status"] == "FILLED"
        assert len([order for order in venue.book() if order["clientOrderId"] == "careless"]) == 2

    def test_can_sell_coins(self, venue):
        order = {"symbol": "ABANUSDT", "side": "SELL", "type": "MARKET", "quantity": "1.00"}
        sold = signed(venue, "POST", "order", **order).json()
        assert sold["fills"][0]["commissionAsset"] == "USDT"

    def test_are_listed_and_looked_up_with_their_trades(self, venue):
        order_id = buy(venue, "traded").json()["orderId"]
        [trade] = signed(venue, "GET", "myTrades", symbol="ABANUSDT", orderId=order_id).json()
        assert (trade["qty"], trade["commissionAsset"]) == ("1.00000000", "ABAN")
        found = signed(venue, "GET", "order", symbol="ABANUSDT", orderId=order_id).json()
        assert found["clientOrderId"] == "traded"
        listed = signed(venue, "GET", "allOrders", symbol="ABANUSDT", startTime=1).json()
        assert order_id in {order["orderId"] for order in listed}
        assert signed(venue, "GET", "allOrders", symbol="ABANUSDT", limit=1).json()[0]["orderId"] == order_id

    def test_change_the_balances_of_the_account(self, venue):
        buy(venue, "moving")
        account = signed(venue, "GET", "account").json()
        balances = {entry["asset"]: Decimal(entry["free"]) for entry in account["balances"]}
        assert (balances["USDT"], balances["ABAN"]) == (Decimal(999_980), Decimal("1000.999"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("order", "refusal"),
        [
            ({"quantity": "1.005"}, "Filter failure: LOT_SIZE"),
            ({"quantity": "1000000"}, "Filter failure: LOT_SIZE"),
            ({"price": "20.00001"}, "Filter failure: PRICE_FILTER"),
            ({"quantity": "0.20"}, "Filter failure: NOTIONAL"),
            ({"symbol": "XUSDT"}, "Invalid symbol."),
            ({"quantity": "90000"}, "Account has insufficient balance for requested action."),
        ],
    )
    def test_have_the_messages_of_the_real_venue(self, venue, order, refusal):
        before = len(venue.book())
        answer = buy(venue, "refused", **order)
        assert (answer.status_code, answer.json()["msg"]) == (400, refusal)
        assert len(venue.book()) == before

    @pytest.mark.parametrize(
        ("order", "number"),
        [({"quantity": "x"}, -1100), ({"quantity": "-1"}, -1100), ({"price": "NaN"}, -1100), ({"side": ""}, -1105)],
    )
    def test_of_malformed_orders(self, venue, order, number):
        assert code(buy(venue, "nonsense", **order)) == (400, number)

    def test_of_wrong_keys_signatures_and_timestamps(self, venue):
        now = int(time.time() * 1000)
        assert code(signed(venue, "GET", "account", key="other")) == (401, -2015)
        assert code(signed(venue, "GET", "account", secret="other")) == (400, -1022)
        assert code(signed(venue, "GET", "account", at=now - 6000)) == (400, -1021)
        assert code(signed(venue, "GET", "account", at=now + 5000)) == (400, -1021)
        assert code(signed(venue, "GET", "account", at=now, recvWindow=60_001)) == (400, -1131)
        assert code(signed(venue, "GET", "account", at="soon")) == (400, -1100)
        assert signed(venue, "GET", "account", at=now - 6000, recvWindow=10_000).is_success

    def test_of_lookups_of_unknown_orders(self, venue):
        unknown = {"symbol": "ABANUSDT", "origClientOrderId": "unknown"}
        assert code(signed(venue, "GET", "order", **unknown)) == (400, -2013)
        assert code(signed(venue, "GET", "order", symbol="ABANUSDT", orderId=10**9)) == (400, -2013)


class TestFaults:
    @pytest.mark.parametrize(
        ("action", "executed"),
        [("drop", False), ("accept_then_drop", True), ("down", False)],
    )
    def test_cut_the_connection_before_or_after_the_order_is_accepted(self, venue, action, executed):
        venue.fail({"on": "place", "action": action, "times": 1})
        with pytest.raises(httpx.TransportError):
            buy(venue, f"cut-{action}")
        assert any(order["clientOrderId"] == f"cut-{action}" for order in venue.book()) is executed
        assert buy(venue, "next").is_success, "the rule applies only once"

    def test_replace_the_answer_by_html(self, venue):
        venue.fail(
            {"on": "place", "action": "accept_then_500", "times": 1}, {"on": "place", "action": "garbage", "times": 1}
        )
        first, second = buy(venue, "spoilt"), buy(venue, "spoilt")
        assert (first.status_code, second.status_code) == (502, 200)
        for answer in (first, second):
            assert "html" in answer.headers["Content-Type"]

    def test_refuse_an_order_with_the_given_code(self, venue):
        venue.fail(
            {"on": "place", "action": "reject", "times": 1},
            {"on": "place", "action": "reject", "code": -2010, "msg": "No.", "times": 1},
            {"on": "place", "action": "rate_limit", "times": 1},
        )
        assert code(buy(venue, "r")) == (400, -1121)
        assert code(buy(venue, "r")) == (400, -2010)
        limited = buy(venue, "r")
        assert code(limited) == (429, -1003)
        assert int(limited.headers["Retry-After"]) > 0

    def test_delay_an_order_beyond_its_window(self, venue):
        venue.fail({"on": "place", "action": "delay", "wait": 0.5, "times": 1})
        assert code(buy(venue, "late", recvWindow=300)) == (400, -1021)

    def test_accept_an_order_and_do_not_answer(self, venue):
        venue.fail({"on": "place", "action": "accept_then_hang", "wait": 0.3, "times": 1})
        with pytest.raises(httpx.TransportError):
            buy(venue, "hung")
        assert venue.book()[-1]["clientOrderId"] == "hung"

    def test_fill_an_order_partly_and_deny_it(self, venue):
        venue.fail(
            {"on": "place", "action": "partial", "fraction": "0.25", "times": 1},
            {"on": "query", "action": "not_found", "symbol": "ABANUSDT", "times": 1},
        )
        assert buy(venue, "part").json()["executedQty"] == "0.25000000"
        question = {"symbol": "ABANUSDT", "origClientOrderId": "part"}
        assert code(signed(venue, "GET", "order", **question)) == (400, -2013)
        assert signed(venue, "GET", "order", **question).json()["status"] == "EXPIRED"
        assert [rule["applied"] for rule in venue.faults()] == [1, 1]

    def test_apply_only_to_their_symbol_occasion_and_time(self, venue):
        venue.fail({"on": "ticker", "symbol": "BTCUSDT", "action": "drop"}, {"action": "down", "seconds": 0})
        assert buy(venue, "spared").is_success
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{venue.url}/api/v3/ticker/price", params={"symbol": "BTCUSDT"})
        httpx.delete(f"{venue.url}/control/faults").raise_for_status()
        assert venue.faults() == []


class TestControl:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("prices", {"ABANUSDT": "x"}),
            ("prices", {"ABANUSDT": 0}),
            ("prices", []),
            ("account", {"balance": {}}),
            ("account", {"balances": {"USDT": "-1"}}),
            ("filters", {"ABANUSDT": {"colour": "1"}}),
            ("filters", {"ABANUSDT": 1}),
            ("market", {"ABANUSDT": {"status": "ASLEEP"}}),
            ("market", {"ABANUSDT": {"status": ["BREAK"]}}),
            ("market", {"ABANUSDT": {"bid": "21"}}),
            ("filters", {"ABANUSDT": {"step": "-1"}}),
            ("faults", {}),
            ("faults", [{"action": "explode"}]),
            ("faults", [{"action": "drop", "on": "monday"}]),
            ("faults", [{"action": "drop", "time": 1}]),
            ("faults", [{"action": "drop", "times": "many"}]),
        ],
    )
    def test_refuses_a_malformed_body_with_an_error(self, venue, path, body):
        answer = httpx.put(f"{venue.url}/control/{path}", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]

    def test_lists_a_coin_once_it_has_a_price(self, venue):
        venue.set_prices(NEW="3.50")
        answer = httpx.get(f"{venue.url}/api/v3/ticker/price", params={"symbol": "NEWUSDT"})
        assert Decimal(answer.json()["price"]) == Decimal("3.5")

    def test_closes_a_market_whose_ticker_goes_on(self, venue):
        venue.set_status(ABAN="BREAK")
        info = httpx.get(f"{venue.url}/api/v3/exchangeInfo").json()
        assert {entry["symbol"]: entry["status"] for entry in info["symbols"]}["ABANUSDT"] == "BREAK"
        assert httpx.get(f"{venue.url}/api/v3/ticker/price", params={"symbol": "ABANUSDT"}).is_success
        assert code(buy(venue, "closed")) == (400, -2010)
        venue.set_status(ABAN="TRADING")
        assert buy(venue, "open").is_success

    def test_takes_a_symbol_off_so_that_a_call_for_several_fails(self, venue):
        venue.set_prices(GONE="1.00")
        venue.delist("GONE")
        asked = {"symbols": '["ABANUSDT","GONEUSDT"]'}
        assert code(httpx.get(f"{venue.url}/api/v3/ticker/24hr", params=asked)) == (400, -1121)
        info = httpx.get(f"{venue.url}/api/v3/exchangeInfo").json()
        assert "GONEUSDT" not in {entry["symbol"] for entry in info["symbols"]}

    def test_takes_a_filter_of_zero_for_no_rule(self, venue):
        venue.set_prices(FREE="1.00")
        venue.set_filters("FREE", step="0", minimum="0", maximum="0", tick="0", notional="0")
        assert buy(venue, "free", symbol="FREEUSDT", quantity="0.12345678", price="1.00000001").is_success

    @pytest.mark.parametrize(("status", "retry_after"), [(429, "60000"), (418, "soon")])
    def test_answers_any_rate_limit(self, venue, status, retry_after):
        venue.fail({"on": "ticker", "action": "rate_limit", "status": status, "retry_after": retry_after, "times": 1})
        answer = httpx.get(f"{venue.url}/api/v3/ticker/price")
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, retry_after)


def test_the_simulator_runs_without_django_ccxt_and_the_rest_of_the_project(tmp_path):
    """Runs in a folder that holds only the simulator, and in which importing django or ccxt fails."""
    package = tmp_path / "exchange_site"
    shutil.copytree(PROJECT / "exchange_site/simulator", package / "simulator")
    (package / "__init__.py").touch()
    for name in ("django", "ccxt"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')\n")
    port = free_port()
    command = [sys.executable, "-m", "exchange_site.simulator", "--port", str(port), "--book", str(tmp_path / "book")]
    venue = Simulator(local_url(port))
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as process, stopped(process):
        wait_for(venue.answers, seconds=15)
    venue.close()


def test_an_accepted_order_outlives_the_process(tmp_path):
    port, book = free_port(), tmp_path / "book.sqlite"
    command = manage("exchange_simulator", "--port", str(port), "--book", str(book))
    again = Simulator(local_url(port))
    for _ in range(2):
        with stopped(start(command)) as process:
            wait_for(again.answers, seconds=15)
            before = again.book()
            if not before:
                buy(again, "kept").raise_for_status()
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
    again.close()
    assert [order["clientOrderId"] for order in before] == ["kept"]
