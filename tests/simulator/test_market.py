"""The simulator's market, over HTTP: bid and ask, levels that orders eat through, tapes, freezes, the second source.

`test_market_for_ccxt` reads the same with ccxt's own classes.
"""

import json
import time
from decimal import Decimal

import httpx
import pytest

from exchange_site.simulator.tapes import find_position, read_tape
from exchange_site.stack.processes import free_port, local_url, start
from exchange_site.stack.processes import simulator as command_line
from tests.processes import Simulator, stopped, wait_for
from tests.simulator.test_simulator import buy, signed
from tests.simulators import opened_book, running_simulator

SIMPLE = {"bid": "19.99", "ask": "20.01"}
THIN = {**SIMPLE, "depth": [["20.01", "5"], ["20.05", "2"], ["20.20", "1"]]}


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("market")) as running:
        yield running


@pytest.fixture(autouse=True)
def as_new(venue):
    venue.fail()
    plain = {"spread": "0", "depth": None, "refill_seconds": 0, "tape": None, "frozen": False}
    venue.set_market(ABAN=plain, BTC=plain)
    venue.set_prices(ABAN="20.00", BTC="65000.00")
    venue.set_account(balances={"USDT": "1000000000", "ABAN": "1000"}, commission_rate="0.001", commission_asset=None)
    venue.set_second_source(down=False, prices=dict.fromkeys(venue.second_source()["prices"]))


def ticker(venue, symbol="ABANUSDT", path="24hr"):
    return httpx.get(f"{venue.url}/api/v3/ticker/{path}", params={"symbol": symbol}).json()


def prices(told):
    return tuple(Decimal(told[name]) for name in ("bidPrice", "askPrice", "lastPrice"))


def refusal(answer):
    assert answer.status_code == 400
    return answer.json()["error"]


def now():
    return time.time() * 1000


class TestBidAndAsk:
    def test_are_the_set_price_with_a_spread_of_zero(self, venue):
        assert prices(ticker(venue)) == (20, 20, 20)

    def test_can_be_set_and_are_in_every_ticker(self, venue):
        venue.set_market(ABAN=SIMPLE)
        assert prices(ticker(venue)) == (Decimal("19.99"), Decimal("20.01"), 20)
        assert ticker(venue, path="bookTicker")["askPrice"] == "20.01000000"
        assert Decimal(ticker(venue, path="price")["price"]) == 20

    def test_are_around_the_price_by_a_spread_of_the_market(self, venue):
        venue.set_market(ABAN={"spread": "0.0002"})
        assert prices(ticker(venue)) == (Decimal("19.996"), Decimal("20.004"), 20)
        venue.set_prices(ABAN="10.00")
        assert prices(ticker(venue)) == (Decimal("9.998"), Decimal("10.002"), 10)

    @pytest.mark.parametrize(
        ("options", "bid", "ask", "ask_of_doge"),
        [([], "19.996", "20.004", "0.120024"), (["--spread", "0.01"], "19.8", "20.2", "0.1212")],
        ids=["by default", "as given"],
    )
    def test_are_around_the_price_by_the_spread_of_the_command(self, tmp_path, options, bid, ask, ask_of_doge):
        port = free_port()
        command = (*command_line(port=port, book=tmp_path / "book.sqlite"), *options)
        wide = Simulator(local_url(port))
        with stopped(start(command)):
            wait_for(wide.answers, seconds=15)
            assert prices(ticker(wide)) == (Decimal(bid), Decimal(ask), 20)
            assert prices(ticker(wide, "DOGEUSDT"))[1] == Decimal(ask_of_doge)
            wide.set_market(ABAN={"spread": 0})
            assert prices(ticker(wide)) == (20, 20, 20)
        wide.close()

    def test_follow_the_price_again_when_it_is_set(self, venue):
        venue.set_market(ABAN={**SIMPLE, "last": "25.00"})
        assert prices(ticker(venue))[2] == 25
        venue.set_prices(ABAN="30.00")
        assert prices(ticker(venue)) == (30, 30, 30)

    @pytest.mark.parametrize("price", ["0.0000000001", "0.0000000012", "0.00004567", "1000000", "1000000000000"])
    def test_have_five_digits_at_any_price(self, venue, price):
        coin, exact = f"C{price.replace('.', '')}", Decimal(price)
        venue.set_prices(**{coin: price})
        venue.set_market(**{coin: {"spread": "0.0002"}})
        bid, ask, last = prices(ticker(venue, f"{coin}USDT"))
        assert last == exact
        assert Decimal("0.999790") <= bid / exact <= Decimal("0.9998")
        assert Decimal("1.0002") <= ask / exact <= Decimal("1.000210")
        assert "E" not in json.dumps(ticker(venue, f"{coin}USDT")["askPrice"])

    def test_make_a_buyer_pay_the_ask_and_a_seller_get_the_bid(self, venue):
        venue.set_market(ABAN=SIMPLE)
        assert buy(venue, "pays").json()["status"] == "EXPIRED", "20.00 is below the ask"
        assert buy(venue, "pays", price="20.50").json()["fills"][0]["price"] == "20.01000000"
        order = {"symbol": "ABANUSDT", "side": "SELL", "type": "MARKET", "quantity": "1.00"}
        assert signed(venue, "POST", "order", **order).json()["fills"][0]["price"] == "19.99000000"


class TestLevels:
    def test_are_eaten_through_with_a_trade_and_a_commission_each(self, venue):
        venue.set_market(ABAN=THIN)
        order = buy(venue, "eater", quantity="6.50", price="21.00").json()
        assert (order["status"], order["executedQty"]) == ("FILLED", "6.50000000")
        bought = [(fill["price"], fill["qty"], fill["commission"]) for fill in order["fills"]]
        assert [(p, Decimal(q), c) for p, q, c in bought] == [
            ("20.01000000", 5, "0.00500000"),
            ("20.05000000", Decimal("1.5"), "0.00150000"),
        ]
        assert Decimal(order["cummulativeQuoteQty"]) == Decimal("20.01") * 5 + Decimal("20.05") * Decimal("1.5")
        trades = signed(venue, "GET", "myTrades", symbol="ABANUSDT", orderId=order["orderId"]).json()
        assert [(t["price"], t["qty"], t["commission"]) for t in trades] == bought
        assert len({trade["id"] for trade in trades}) == 2

    def test_change_the_account_by_what_their_trades_say(self, venue):
        venue.set_market(ABAN=THIN)
        buy(venue, "sum", quantity="8.00", price="21.00")
        account = signed(venue, "GET", "account").json()
        free = {entry["asset"]: Decimal(entry["free"]) for entry in account["balances"]}
        cost = Decimal("20.01") * 5 + Decimal("20.05") * 2 + Decimal("20.20")
        assert (free["USDT"], free["ABAN"]) == (10**9 - cost, Decimal("1007.992"))

    def test_are_not_eaten_beyond_the_limit_of_an_order(self, venue):
        venue.set_market(ABAN=THIN)
        order = buy(venue, "stops", quantity="8.00", price="20.05").json()
        assert (order["status"], Decimal(order["executedQty"])) == ("EXPIRED", 7)

    def test_that_are_too_few_leave_the_rest_of_an_order_to_expire(self, venue):
        venue.set_market(ABAN=THIN)
        market = {"type": "MARKET", "side": "BUY", "symbol": "ABANUSDT", "quantity": "9.00"}
        order = signed(venue, "POST", "order", **market).json()
        assert (order["status"], Decimal(order["executedQty"]), len(order["fills"])) == ("EXPIRED", 8, 3)

    def test_fill_a_resting_order_only_within_its_limit(self, venue):
        venue.set_market(ABAN=THIN)
        rests = buy(venue, "rester", quantity="8.00", price="20.05", timeInForce="GTC").json()
        assert (rests["status"], Decimal(rests["executedQty"])) == ("PARTIALLY_FILLED", 7)
        venue.set_prices(ABAN="19.00")
        found = signed(venue, "GET", "order", symbol="ABANUSDT", orderId=rests["orderId"]).json()
        assert found["status"] == "FILLED"
        trades = signed(venue, "GET", "myTrades", symbol="ABANUSDT", orderId=rests["orderId"]).json()
        assert [trade["price"] for trade in trades][2:] == ["19.00000000"]

    def test_are_full_again_for_the_next_order(self, venue):
        venue.set_market(ABAN=THIN)
        for _ in range(2):
            assert Decimal(buy(venue, "again", quantity="8.00", price="21.00").json()["executedQty"]) == 8

    def test_stay_eaten_if_they_are_not_refilled(self, venue):
        venue.set_market(ABAN={**THIN, "refill_seconds": None})
        buy(venue, "first", quantity="6.00", price="21.00")
        assert (ticker(venue)["askPrice"], Decimal(ticker(venue)["askQty"])) == ("20.05000000", 1)
        assert Decimal(buy(venue, "second", quantity="6.00", price="21.00").json()["executedQty"]) == 2
        assert (Decimal(ticker(venue)["askPrice"]), Decimal(ticker(venue)["askQty"])) == (0, 0), "nobody sells"
        assert Decimal(buy(venue, "third", quantity="6.00", price="21.00").json()["executedQty"]) == 0

    def test_refill_after_their_time(self, venue):
        venue.set_market(ABAN={**THIN, "refill_seconds": "0.2"})
        buy(venue, "eats", quantity="8.00", price="21.00")
        wait_for(lambda: Decimal(ticker(venue)["askPrice"]) == Decimal("20.01"), seconds=15)

    def test_move_with_the_price(self, venue):
        venue.set_market(ABAN=THIN)
        venue.set_prices(ABAN="40.02")
        assert [Decimal(price) for price, _ in venue.market()["ABANUSDT"]["depth"]] == [
            Decimal("40.02"),
            Decimal("40.10"),
            Decimal("40.40"),
        ]

    def test_are_listed(self, venue):
        venue.set_market(ABAN=THIN)
        book = httpx.get(f"{venue.url}/api/v3/depth", params={"symbol": "ABANUSDT"}).json()
        assert [[Decimal(figure) for figure in level] for level in book["asks"]] == [
            [Decimal(figure) for figure in level] for level in THIN["depth"]
        ]
        assert Decimal(book["bids"][0][0]) == Decimal("19.99")

    def test_may_be_none_at_all(self, venue):
        venue.set_market(ABAN={"depth": []})
        assert Decimal(ticker(venue)["askPrice"]) == 0
        assert Decimal(buy(venue, "alone", price="99.00").json()["executedQty"]) == 0

    def test_are_paid_for_at_the_order_s_limit_or_refused(self, venue):
        venue.set_market(ABAN=THIN)
        venue.set_account(balances={"USDT": "160"})
        assert buy(venue, "poor", quantity="8.00", price="20.20").json()["code"] == -2010
        market = {"type": "MARKET", "side": "BUY", "symbol": "ABANUSDT", "quantity": "8.00"}
        assert signed(venue, "POST", "order", **market).json()["code"] == -2010
        assert buy(venue, "rich", quantity="5.00", price="20.20").is_success


class TestTapes:
    def test_give_the_same_prices_for_the_same_seed_at_any_speed(self):
        spec = {"volatility": 1.0, "step_seconds": 1}
        slow, fast = read_tape({**spec, "seed": 7}), read_tape({**spec, "seed": 7, "speed": 60})
        other = read_tape({**spec, "seed": 8})
        course = [find_position(slow, started_at=0, now=second * 1000).factor for second in range(0, 3600, 60)]
        assert course == [find_position(fast, started_at=500, now=500 + minute * 1000).factor for minute in range(60)]
        assert course != [find_position(other, started_at=0, now=second * 1000).factor for second in range(0, 3600, 60)]
        assert find_position(slow, started_at=0, now=60_000).factor == course[1], "also when it is asked backwards"

    def test_move_as_much_in_a_year_as_their_volatility_says(self):
        day = 86_400
        ends = [
            find_position(
                read_tape({"seed": seed, "volatility": 1, "step_seconds": 3600}), started_at=0, now=day * 1000
            )
            for seed in range(400)
        ]
        logs = [end.factor.ln() for end in ends]
        mean = sum(logs) / len(logs)
        deviation = (sum((log - mean) ** 2 for log in logs) / len(logs)).sqrt()
        assert Decimal("0.8") < deviation * Decimal(365).sqrt() < Decimal("1.2")
        assert abs(sum(end.factor for end in ends) / len(ends) - 1) < Decimal("0.01"), "up as well as down"

    def test_jump_when_they_are_told_to(self):
        tape = read_tape({"jumps": [{"at": 600, "rate": "0.10"}, {"at": 1200, "rate": "-0.9"}]})
        factors = [find_position(tape, started_at=0, now=at * 1000).factor for at in (599, 600, 1199, 1200, 9999)]
        assert factors == [1, Decimal("1.1"), Decimal("1.1"), Decimal("0.11"), Decimal("0.11")]

    def test_freeze_the_ticker_and_not_the_market(self):
        tape = read_tape({"jumps": [{"at": 20, "rate": "-0.5"}], "freezes": [{"at": 10, "seconds": 30}], "speed": 2})
        frozen = find_position(tape, started_at=1000, now=1000 + 15_000)
        assert (frozen.seconds, frozen.factor, frozen.shown_factor, frozen.seen_at) == (30, Decimal("0.5"), 1, 6000)
        thawed = find_position(tape, started_at=1000, now=1000 + 20_000)
        assert (thawed.shown_factor, thawed.seen_at) == (Decimal("0.5"), None)

    def test_end_and_leave_the_price_where_it_is(self):
        tape = read_tape({"seed": 3, "volatility": 2, "seconds": 100})
        end = find_position(tape, started_at=0, now=100_000)
        assert find_position(tape, started_at=0, now=10**9) == end

    def test_move_ticker_orders_and_second_source_alike(self, venue):
        venue.set_market(ABAN={**SIMPLE, "tape": {"jumps": [{"at": 0, "rate": "0.5"}]}})
        assert prices(ticker(venue)) == (Decimal("29.985"), Decimal("30.015"), 30)
        assert buy(venue, "follows", price="31.00").json()["fills"][0]["price"] == "30.01500000"
        assert Decimal(second(venue)["askPx"]) == Decimal("30.015")

    def test_can_be_read_without_delay_while_they_run(self, venue):
        venue.set_market(ABAN={"spread": "0.0002", "tape": {"seed": 1, "volatility": 5, "speed": 3600}})
        seen = set()
        wait_for(lambda: seen.add(venue.market()["ABANUSDT"]["ask"]) or len(seen) >= 5, seconds=15)
        told = venue.market()["ABANUSDT"]
        assert Decimal(told["bid"]) < Decimal(told["middle"]) < Decimal(told["ask"])
        assert told["tape"]["seed"] == 1
        assert told["tape"]["now"] > 0

    def test_fill_resting_orders_that_they_reach(self, venue):
        resting = buy(venue, "waits", price="19.00", timeInForce="GTC").json()
        venue.set_market(ABAN={"tape": {"jumps": [{"at": 3600, "rate": "-0.2"}], "speed": 36_000}})
        wanted = {"symbol": "ABANUSDT", "orderId": resting["orderId"]}
        wait_for(lambda: signed(venue, "GET", "order", **wanted).json()["status"] == "FILLED", seconds=15)

    @pytest.mark.parametrize("ending", ["tape", "prices", "bid"])
    def test_end_when_they_are_taken_off_or_a_price_is_set(self, venue, ending):
        venue.set_market(ABAN={"tape": {"jumps": [{"at": 0, "rate": "1"}]}})
        if ending == "prices":
            venue.set_prices(ABAN="20.00")
        else:
            venue.set_market(ABAN={"tape": None} if ending == "tape" else {"bid": "39.00"})
        told = venue.market()["ABANUSDT"]
        expected = {"tape": ("40", "40"), "prices": ("20", "20"), "bid": ("39", "40")}[ending]
        assert told["tape"] is None
        assert (Decimal(told["bid"]), Decimal(told["ask"])) == tuple(Decimal(figure) for figure in expected)


class TestFreezes:
    def test_stop_the_ticker_and_its_clock_while_orders_meet_the_market(self, venue):
        venue.set_market(ABAN={"frozen": True})
        before = ticker(venue)
        venue.set_prices(ABAN="10.00")
        assert ticker(venue) == before
        assert now() - before["closeTime"] < 60_000
        assert buy(venue, "thawed", price="20.00").json()["fills"][0]["price"] == "10.00000000"
        told = venue.market()["ABANUSDT"]
        assert (told["frozen"], told["ask"], told["shown"]["ask"]) == (True, "10.00", "20.00")
        assert Decimal(second(venue)["last"]) == 10, "another exchange goes on"

    def test_can_begin_with_the_change_that_they_hide(self, venue):
        venue.set_market(ABAN={"frozen": True, "bid": "9.99", "ask": "10.01"})
        assert prices(ticker(venue)) == (20, 20, 20)
        venue.set_market(ABAN={"frozen": False})
        assert prices(ticker(venue)) == (Decimal("9.99"), Decimal("10.01"), 10)

    def test_keep_their_first_moment_when_they_are_asked_for_again(self, venue):
        venue.set_market(ABAN={"frozen": True})
        at = ticker(venue)["closeTime"]
        venue.set_market(ABAN={"frozen": True})
        assert ticker(venue)["closeTime"] == at

    def test_come_from_a_tape_too(self, venue):
        venue.set_market(ABAN={"tape": {"jumps": [{"at": 1, "rate": "1"}], "freezes": [{"at": 0, "seconds": 10**6}]}})
        started = venue.market()["ABANUSDT"]["tape"]["started_at"]
        wait_for(lambda: Decimal(venue.market()["ABANUSDT"]["ask"]) == 40, seconds=15)
        assert prices(ticker(venue)) == (20, 20, 20)
        assert ticker(venue)["closeTime"] == started
        assert buy(venue, "below", price="30.00").json()["status"] == "EXPIRED"

    def test_are_of_one_symbol(self, venue):
        venue.set_market(ABAN={"frozen": True})
        venue.set_prices(BTC="66000")
        assert prices(ticker(venue, "BTCUSDT"))[2] == 66_000


def second(venue, pair="ABAN-USDT"):
    [found] = httpx.get(f"{venue.url}/api/v5/market/ticker", params={"instId": pair}).json()["data"]
    return found


class TestSecondSource:
    def test_follows_the_prices_of_the_venue(self, venue):
        venue.set_prices(ABAN="22.00")
        told = second(venue)
        assert Decimal(told["last"]) == 22
        assert abs(now() - int(told["ts"])) < 60_000

    def test_can_have_a_price_and_a_time_of_its_own(self, venue):
        venue.set_second_source(prices={"ABANUSDT": {"price": "19.00", "age_seconds": 90}})
        told = second(venue)
        assert Decimal(told["last"]) == 19
        assert 80_000 < now() - int(told["ts"]) < 150_000
        assert prices(ticker(venue)) == (20, 20, 20)
        venue.set_second_source(prices={"ABANUSDT": None})
        assert Decimal(second(venue)["last"]) == 20

    def test_can_lack_a_symbol_and_have_one_that_the_venue_lacks(self, venue):
        venue.set_second_source(prices={"ABANUSDT": {"listed": False}, "ONLYUSDT": {"price": "3"}})
        answer = httpx.get(f"{venue.url}/api/v5/market/ticker", params={"instId": "ABAN-USDT"}).json()
        assert (answer["code"], answer["data"]) == ("51001", [])
        assert Decimal(second(venue, "ONLY-USDT")["last"]) == 3

    def test_can_be_down_while_the_venue_answers(self, venue):
        venue.set_second_source(down=True)
        with pytest.raises(httpx.TransportError):
            second(venue)
        assert ticker(venue)
        venue.set_second_source(down=False)
        assert second(venue)

    def test_misbehaves_by_rules_that_name_it_and_by_no_others(self, venue):
        venue.fail({"action": "down"})
        assert second(venue), "the venue is down, and this is another exchange"
        venue.fail({"on": "second_source", "action": "rate_limit", "times": 1})
        answer = httpx.get(f"{venue.url}/api/v5/market/tickers", params={"instType": "SPOT"})
        assert (answer.status_code, answer.json()["code"]) == (429, "50011")
        venue.fail({"on": "second_source", "action": "lie", "changes": {"data.0.last": "1"}})
        assert second(venue)["last"] == "1"
        assert prices(ticker(venue)) == (20, 20, 20)


class TestLiesOfTickers:
    def test_change_any_part(self, venue):
        changes = {"bidPrice": "21", "closeTime": 5}
        venue.fail({"on": "ticker", "action": "lie", "changes": changes, "times": 1})
        lied = ticker(venue)
        assert (lied["bidPrice"], lied["closeTime"]) == ("21", 5)
        assert prices(ticker(venue)) == (20, 20, 20)


WRONG_MARKETS = [
    ({"ABANUSDT": {"bid": "20.02", "ask": "20.01"}}, "the bid, 20.02, is not above the ask, 20.01"),
    ({"ABANUSDT": {"bid": "21"}}, "the bid, 21, is not above the ask, 20.00"),
    ({"ABANUSDT": {"ask": 0}}, "ask is from 1E-30 to 1E+30, not 0"),
    ({"ABANUSDT": {"ask": "NaN"}}, "ask is a number, not 'NaN'"),
    ({"ABANUSDT": {"ask": True}}, "ask is a number, not True"),
    ({"ABANUSDT": {"ask": [1]}}, "ask is a number, not [1]"),
    ({"ABANUSDT": {"ask": "1e400"}}, "ask is from 1E-30 to"),
    ({"ABANUSDT": {"spread": "1"}}, "spread is from 0 to 0.9"),
    ({"ABANUSDT": {"spread": "0.1", "ask": "21"}}, "not both"),
    ({"ABANUSDT": {"depth": [["20.00", "1"], ["20.00", "1"]]}}, "rise from level to level"),
    ({"ABANUSDT": {"depth": [["20.00", "0"]]}}, "the quantity of a level is not zero"),
    ({"ABANUSDT": {"depth": [["20.00"]]}}, "a price and a quantity"),
    ({"ABANUSDT": {"depth": "20.00"}}, "depth is a list"),
    ({"ABANUSDT": {"ask": "20.00", "depth": [["20.01", "1"]]}}, "the first level of depth is at the ask"),
    ({"ABANUSDT": {"depth": [["1.00", "1"]]}}, "is not above the ask"),
    ({"ABANUSDT": {"refill_seconds": -1}}, "refill_seconds is from 0"),
    ({"ABANUSDT": {"frozen": "yes"}}, "frozen is true or false"),
    ({"ABANUSDT": {"tape": 1}}, "a tape is an object"),
    ({"ABANUSDT": {"tape": {"colour": 1}}}, "a tape knows"),
    ({"ABANUSDT": {"tape": {"seed": "1.5"}}}, "seed is a whole number"),
    ({"ABANUSDT": {"tape": {"volatility": 101}}}, "volatility is from 0 to 100"),
    ({"ABANUSDT": {"tape": {"speed": 0}}}, "speed is from 0.001"),
    ({"ABANUSDT": {"tape": {"seconds": 1_000_001}}}, "seconds is from 0 to 1000000"),
    ({"ABANUSDT": {"tape": {"jumps": [{"at": 1, "rate": -1}]}}}, "the rate of a jump is from"),
    ({"ABANUSDT": {"tape": {"jumps": [{"rate": 1}]}}}, "at is a number"),
    ({"ABANUSDT": {"tape": {"freezes": [{"at": 1}]}}}, "seconds is a number"),
    ({"ABANUSDT": {"colour": 1}}, "ABANUSDT knows ask, average, bid, depth"),
    ({"ABANUSDT": []}, "ABANUSDT is an object"),
    ({"XUSDT": {"ask": "1"}}, "XUSDT is not listed: set its price first"),
    ([], "the body is an object"),
]


class TestControl:
    @pytest.mark.parametrize(("body", "sentence"), WRONG_MARKETS)
    def test_refuses_a_wrong_market_with_a_sentence_and_changes_nothing(self, venue, body, sentence):
        before = prices(ticker(venue)), prices(ticker(venue, "BTCUSDT"))
        first = {"BTCUSDT": {"bid": "1", "ask": "2"}, **body} if isinstance(body, dict) else body
        assert sentence in refusal(httpx.put(f"{venue.url}/control/market", json=first))
        assert (prices(ticker(venue)), prices(ticker(venue, "BTCUSDT"))) == before

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("prices", {"ABANUSDT": "1e31"}),
            ("prices", {"BTCUSDT": "1", "ABAN": "1"}),
            ("prices", {"": "1"}),
            ("prices", {"ABANUSDT": None}),
            ("account", {"balances": [1]}),
            ("account", {"commission_rate": None}),
            ("account", {"commission_rate": "2"}),
            ("account", {"commission_asset": 5}),
            ("filters", {"ABANUSDT": {"step": "x"}}),
            ("filters", {"ABANUSDT": {"step": "1"}, "XUSDT": {"step": "1"}}),
            ("filters", {"ABANUSDT": {"step": "1e-400"}}),
            ("faults", [{"action": ["drop"]}]),
            ("faults", [{"action": "drop", "on": {}}]),
            ("faults", [{"action": "drop", "symbol": []}]),
            ("faults", [{"action": "drop", "seconds": "NaN"}]),
            ("faults", [{"action": "partial", "fraction": -1}]),
            ("faults", [{"action": "partial", "depth": -1}]),
            ("faults", [{"action": "lie", "changes": {"x": {"times": "y"}}}]),
            ("second_source", {"down": 1}),
            ("second_source", {"prices": {"ABANUSDT": {"price": "-1"}}}),
            ("second_source", {"prices": {"ABANUSDT": {"age": 1}}}),
            ("second_source", {"prices": []}),
            ("second_source", {"price": {}}),
        ],
    )
    def test_refuses_anything_else_that_is_wrong(self, venue, path, body):
        assert len(refusal(httpx.put(f"{venue.url}/control/{path}", json=body)).split()) > 2
        assert prices(ticker(venue, "BTCUSDT"))[2] == 65_000

    def test_refuses_a_body_that_is_not_json(self, venue):
        for path in ("market", "prices", "faults", "second_source"):
            assert "not JSON" in refusal(httpx.put(f"{venue.url}/control/{path}", content=b"{"))


class TestDurability:
    def test_keeps_markets_tapes_and_the_second_source_over_a_kill(self, tmp_path):
        book, port = tmp_path / "book.sqlite", free_port()
        venue = Simulator(local_url(port))
        with stopped(start(command_line(port=port, book=book))) as process:
            wait_for(venue.answers, seconds=15)
            venue.set_market(ABAN={**THIN, "refill_seconds": None}, BTC={"frozen": True})
            venue.set_market(ETH={"tape": {"seed": 4, "volatility": 1}})
            venue.set_second_source(prices={"ABANUSDT": {"price": "19"}}, down=True)
            buy(venue, "kept", quantity="6.00", price="21.00")
            before, source = venue.market(), venue.second_source()
            process.kill()
            process.wait()
        with stopped(start(command_line(port=port, book=book))):
            wait_for(venue.answers, seconds=15)
            after = venue.market()
            assert after["ABANUSDT"]["depth"] == before["ABANUSDT"]["depth"]
            assert after["BTCUSDT"]["shown"] == before["BTCUSDT"]["shown"]
            assert after["ETHUSDT"]["tape"]["started_at"] == before["ETHUSDT"]["tape"]["started_at"]
            assert venue.second_source() == source
        venue.close()

    def test_reads_a_book_from_before_there_were_states_of_markets(self, tmp_path):
        book, port = tmp_path / "book.sqlite", free_port()
        venue = Simulator(local_url(port))
        for _ in range(2):
            with stopped(start(command_line(port=port, book=book))):
                wait_for(venue.answers, seconds=15)
                assert prices(ticker(venue)) == (Decimal("19.996"), Decimal("20.004"), 20)
            with opened_book(book) as database:
                database.execute("DROP TABLE IF EXISTS market_state")
                database.execute("DROP TABLE IF EXISTS second_source")
        venue.close()
