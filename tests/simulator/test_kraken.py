"""The exchange simulator's second dialect, called as a client of Kraken's spot REST API would call it."""

import json
import os
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from exchange_site.simulator.kraken.ids import ORDER, TRADE, read_id, write_id
from exchange_site.stack.processes import free_port, local_url, simulator, start
from tests.krakens import Kraken, unpacked
from tests.processes import Simulator, stopped, wait_for
from tests.simulators import running_simulator

LEVELS = [[f"{20 + number / 100:.2f}", "1"] for number in range(501)]


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--spread", "0") as running:
        yield running


@pytest.fixture(autouse=True)
def as_new(venue):
    venue.fail()
    venue.set_status(ABAN="TRADING")
    venue.set_market(ABAN={"depth": None})
    venue.set_prices(ABAN="20.00", BTC="65000.00")
    venue.set_account(balances={"USDT": "1000000", "ABAN": "1000"}, commission_rate="0.001", commission_asset=None)


@pytest.fixture(scope="module")
def kraken(venue):
    return Kraken(venue.url)


def add(kraken, client_id=None, volume="1.00", price="20.00", **more):
    order = {"pair": "ABANUSD", "type": "buy", "ordertype": "limit", "timeinforce": "IOC", "volume": volume}
    named = {"cl_ord_id": client_id} if client_id else {}
    return kraken.private("AddOrder", **{**order, "price": price, **named, **more})


def placed(kraken, *arguments, **more):
    answer = add(kraken, *arguments, **more)
    assert isinstance(answer, dict), answer
    return answer["txid"][0]


def the_order(kraken, txid):
    return kraken.private("QueryOrders", txid=txid, trades="true")[txid]


def the_trades(kraken, txid):
    ids = the_order(kraken, txid)["trades"]
    return [
        trade
        for number in range(0, len(ids), 20)
        for trade in kraken.private("QueryTrades", txid=",".join(ids[number : number + 20])).values()
    ]


def find(kraken, client_id):
    """Look an order up as a client does that has lost the answer, and return its id and the order, or nothing."""
    found = kraken.private("OpenOrders", cl_ord_id=client_id)["open"]
    found |= kraken.private("ClosedOrders", cl_ord_id=client_id, trades="true")["closed"]
    return list(found.items())


def new_id():
    return str(uuid.uuid4())


def rfc3339(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def funds(venue):
    return {asset: Decimal(free) for asset, free in venue.account()["balances"].items()}


class TestPublicQuestions:
    def test_are_answered_with_the_time_in_whole_seconds(self, kraken):
        said = kraken.public("Time")
        assert abs(said["unixtime"] - time.time()) < 2
        assert said["rfc1123"].endswith("-0000")

    def test_say_that_the_system_is_online(self, kraken):
        assert kraken.public("SystemStatus")["status"] == "online"

    def test_know_assets_by_their_odd_names(self, kraken):
        assets = kraken.public("Assets")
        assert {name: assets[name]["altname"] for name in ("XXBT", "XETH", "XXDG", "ZUSD", "USDT", "ABAN")} == {
            "XXBT": "XBT",
            "XETH": "ETH",
            "XXDG": "XDG",
            "ZUSD": "USD",
            "USDT": "USDT",
            "ABAN": "ABAN",
        }
        assert set(kraken.public("Assets", asset="XBT,ZUSD")) == {"XXBT", "ZUSD"}
        assert kraken.public("Assets", asset="GOLD") == ["EQuery:Unknown asset"]

    def test_know_each_market_as_two_pairs(self, kraken, venue):
        pairs = kraken.public("AssetPairs")
        assert {"XXBTZUSD", "XBTUSDT", "XETHZUSD", "ETHUSDT", "XDGUSD", "XDGUSDT", "ABANUSD", "ABANUSDT"} <= set(pairs)
        assert len(pairs) == 2 * len(venue.market())
        bitcoin = pairs["XXBTZUSD"]
        names = [bitcoin[name] for name in ("altname", "wsname", "base", "quote", "status")]
        assert names == ["XBTUSD", "XBT/USD", "XXBT", "ZUSD", "online"]
        assert bitcoin["fees"] == [[0, 0.1]]

    def test_say_the_rules_of_a_pair(self, kraken, venue):
        venue.set_filters("ABAN", step="0.001", tick="0.01", minimum="0.01", notional="5")
        pair = kraken.public("AssetPairs", pair="ABAN/USD")["ABANUSD"]
        rules = ("lot_decimals", "pair_decimals", "tick_size", "ordermin", "costmin")
        assert [pair[name] for name in rules] == [3, 2, "0.01", "0.01", "5"]
        venue.set_filters("ABAN", step="0.01", tick="0.0001", minimum="0.01", notional="5")

    @pytest.mark.parametrize("name", ["XXBTZUSD", "XBTUSD", "XBT/USD"])
    def test_find_a_pair_by_each_of_its_names(self, kraken, name):
        assert list(kraken.public("Ticker", pair=name)) == ["XXBTZUSD"]

    def test_refuse_all_of_a_ticker_for_one_unknown_pair(self, kraken):
        assert kraken.public("Ticker", pair="XBTUSD,GONEUSD") == ["EQuery:Unknown asset pair"]

    @pytest.mark.parametrize("name", ["BTCUSD", "", "ABAN", "USD", "ABANEUR", "XXBTZUSDT", "ABANZUSD"])
    def test_do_not_know_a_pair_by_another_name(self, kraken, name):
        assert kraken.public("Depth", pair=name) == ["EQuery:Unknown asset pair"]

    def test_show_bid_ask_and_last(self, kraken, venue):
        venue.set_market(ABAN={"bid": "19.99", "ask": "20.01", "last": "20.00"})
        ticker = kraken.public("Ticker", pair="ABANUSD")["ABANUSD"]
        assert [ticker[name][0] for name in "abc"] == ["20.0100", "19.9900", "20.0000"]

    def test_show_the_levels(self, kraken, venue):
        venue.set_market(ABAN={"depth": [["20.01", "5"], ["20.05", "2"]]})
        asks = kraken.public("Depth", pair="ABANUSDT")["ABANUSDT"]["asks"]
        assert [level[:2] for level in asks] == [["20.0100", "5.000"], ["20.0500", "2.000"]]

    def test_do_not_know_other_methods(self, kraken):
        assert kraken.public("Gossip") == ["EGeneral:Unknown method"]
        assert kraken.private("Withdraw") == ["EGeneral:Unknown method"]


class TestSigning:
    def test_follows_the_example_of_the_documentation(self):
        example = Kraken(
            "", secret="kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
        )
        body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
        signature = example.sign("/0/private/AddOrder", nonce="1616492376594", body=body)
        assert signature == "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="

    def test_refuses_an_unknown_key(self, venue):
        assert unpacked(Kraken(venue.url, key="someone").send("Balance")) == ["EAPI:Invalid key"]

    @pytest.mark.parametrize("sign", ["x", "ü", "c2ltdWxhdG9y"])
    def test_refuses_a_wrong_signature(self, kraken, sign):
        assert unpacked(kraken.send("Balance", headers={"API-Sign": sign.encode()})) == ["EAPI:Invalid signature"]

    def test_covers_every_byte_of_the_body(self, kraken):
        nonce = time.time_ns()
        signed = kraken.sign("/0/private/Balance", nonce=nonce, body=f"nonce={nonce}")
        body = f"nonce={nonce}&"
        assert unpacked(kraken.send("Balance", nonce=nonce, sign=signed, body=body)) == ["EAPI:Invalid signature"]

    def test_takes_json_too(self, kraken):
        nonce = time.time_ns()
        headers = {"Content-Type": "application/json"}
        answer = kraken.send("Balance", nonce=nonce, body=json.dumps({"nonce": nonce}), headers=headers)
        assert "ZUSD" in unpacked(answer)

    @pytest.mark.parametrize("body", [b"\xff", b"nonce=%ff", b"[", b"[1]", b'{"nonce": 1e999}'])
    def test_refuses_bytes_that_it_cannot_read(self, kraken, body):
        for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain; charset=nonsense"):
            said = unpacked(kraken.send("Balance", nonce=1, body=body, sign="x", headers={"Content-Type": kind}))
            assert said in (["EAPI:Invalid signature"], ["EGeneral:Invalid arguments"])

    def test_refuses_a_parameter_that_is_sent_twice(self, kraken):
        nonce = time.time_ns()
        body = f"nonce={nonce}&txid=a&txid=b"
        assert unpacked(kraken.send("QueryOrders", nonce=nonce, body=body)) == ["EGeneral:Invalid arguments"]

    @pytest.mark.parametrize("nonce", ["", "-1", "1.5", "x", str(2**64), "٣"])
    def test_refuses_a_nonce_that_is_no_unsigned_number_of_64_bits(self, kraken, nonce):
        assert unpacked(kraken.send("Balance", nonce=nonce)) == ["EAPI:Invalid nonce"]

    def test_refuses_a_nonce_that_is_not_above_the_last_one(self, kraken):
        nonce = time.time_ns()
        assert "ZUSD" in unpacked(kraken.send("Balance", nonce=nonce))
        for late in (nonce, nonce - 1):
            assert unpacked(kraken.send("Balance", nonce=late)) == ["EAPI:Invalid nonce"]
        assert "ZUSD" in unpacked(kraken.send("Balance", nonce=nonce + 1))

    def test_uses_up_no_nonce_for_a_wrong_signature(self, kraken):
        nonce = time.time_ns()
        assert unpacked(kraken.send("Balance", nonce=nonce + 10**6, sign="x")) == ["EAPI:Invalid signature"]
        assert "ZUSD" in unpacked(kraken.send("Balance", nonce=nonce))

    def test_uses_up_the_nonce_of_a_request_that_is_refused(self, kraken):
        nonce = time.time_ns()
        assert unpacked(kraken.send("AddOrder", nonce=nonce)) == ["EGeneral:Invalid arguments:ordertype"]
        assert unpacked(kraken.send("Balance", nonce=nonce)) == ["EAPI:Invalid nonce"]

    def test_lets_eight_threads_in_that_share_one_order_of_nonces(self, kraken):
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: kraken.private("Balance"), range(80)))
        assert all("ZUSD" in answer for answer in answers)

    def test_refuses_threads_whose_nonces_arrive_in_another_order(self, kraken):
        """Each takes its nonce at once, and sends later: the lower ones arrive after the highest."""
        nonces = [*range(now := time.time_ns(), now + 8)]
        meeting = threading.Barrier(8)

        def ask(nonce):
            meeting.wait()
            time.sleep(0.05 * (nonces[-1] - nonce))
            return unpacked(kraken.send("Balance", nonce=nonce))

        with ThreadPoolExecutor(8) as threads:
            *late, first = threads.map(ask, nonces)
        assert "ZUSD" in first
        assert late == [["EAPI:Invalid nonce"]] * 7


class TestAddOrder:
    def test_fills_an_order_at_once_and_answers_with_its_id_alone(self, kraken, venue):
        answer = add(kraken, new_id(), volume="2.50")
        assert answer["descr"] == {"order": "buy 2.50000000 ABANUSD @ limit 20.0000"}
        assert list(answer) == ["descr", "txid"]
        order = the_order(kraken, answer["txid"][0])
        figures = [Decimal(order[name]) for name in ("vol", "vol_exec", "cost", "price", "fee")]
        assert (order["status"], figures) == (
            "closed",
            [Decimal(number) for number in ("2.5", "2.5", "50", "20", "0.05")],
        )

    def test_is_seen_in_the_other_dialects_book(self, kraken, venue):
        name = new_id()
        placed(kraken, name)
        order = venue.book()[-1]
        assert (order["clientOrderId"], order["symbol"], order["status"]) == (name, "ABANUSDT", "FILLED")

    def test_takes_the_commission_in_the_quote_asset_on_top_of_the_cost(self, kraken, venue):
        before = funds(venue)
        txid = placed(kraken, volume="10.00")
        after = funds(venue)
        assert before["USDT"] - after["USDT"] == Decimal("200.2")
        assert after["ABAN"] - before["ABAN"] == 10
        assert [Decimal(trade["fee"]) for trade in the_trades(kraken, txid)] == [Decimal("0.2")]
        assert the_order(kraken, txid)["oflags"] == "fciq"

    def test_takes_the_commission_in_the_base_asset_if_told_to_and_shows_it_in_the_quote_asset(self, kraken, venue):
        before = funds(venue)
        txid = placed(kraken, volume="10.00", oflags="fcib")
        after = funds(venue)
        assert before["USDT"] - after["USDT"] == 200
        assert after["ABAN"] - before["ABAN"] == Decimal("9.99")
        order = the_order(kraken, txid)
        assert (Decimal(order["fee"]), order["oflags"]) == (Decimal("0.2"), "fcib")

    def test_validates_an_order_without_placing_it(self, kraken, venue):
        before = venue.book()
        assert add(kraken, new_id(), validate="true") == {"descr": {"order": "buy 1.00000000 ABANUSD @ limit 20.0000"}}
        assert add(kraken, new_id(), price="0.01", validate="true") == ["EOrder:Cost minimum not met"]
        assert venue.book() == before

    def test_cancels_what_an_immediate_order_leaves(self, kraken, venue):
        venue.set_market(ABAN={"depth": [["20.00", "1"], ["20.05", "2"], ["20.20", "9"]]})
        order = the_order(kraken, placed(kraken, volume="5.00", price="20.10"))
        assert (order["status"], Decimal(order["vol_exec"]), len(order["trades"])) == ("canceled", 3, 2)
        nothing = the_order(kraken, placed(kraken, price="19.00"))
        assert (nothing["status"], Decimal(nothing["vol_exec"]), nothing["trades"]) == ("canceled", 0, [])

    def test_fills_a_market_order(self, kraken):
        answer = add(kraken, ordertype="market", price="")
        assert answer["descr"] == {"order": "buy 1.00000000 ABANUSD @ market"}

    @pytest.mark.parametrize("pair", ["XXBTZUSD", "XBTUSD", "XBTUSDT", "XBT/USD"])
    def test_takes_a_pair_by_its_id_or_another_name(self, kraken, pair):
        txid = placed(kraken, pair=pair, volume="0.001", price="65000")
        assert the_order(kraken, txid)["descr"]["pair"] == ("XBTUSDT" if pair == "XBTUSDT" else "XBTUSD")

    @pytest.mark.parametrize(
        "name", ["6d1b345e-2821-40e2-ad83-4ecb18a06876", "da8e4ad59b78481c93e589746b0cf91f", "arb-20240509-00010"]
    )
    def test_takes_the_three_forms_of_a_client_order_id(self, kraken, name):
        txid = placed(kraken, name)
        assert find(kraken, name)[0][0] == txid
        assert the_order(kraken, txid)["cl_ord_id"] == name

    @pytest.mark.parametrize(
        "name", ["x" * 19, "", "6d1b345e28214-0e2-ad83-4ecb18a06876", "g" * 32, "größer", "ce" + "0" * 32]
    )
    def test_refuses_any_other_client_order_id(self, kraken, venue, name):
        before = venue.book()
        assert add(kraken, cl_ord_id=name) == ["EGeneral:Invalid arguments:cl_ord_id"]
        assert venue.book() == before

    def test_lets_a_client_order_id_be_used_again_once_its_order_is_closed(self, kraken, venue):
        name = new_id()
        assert placed(kraken, name) != placed(kraken, name)
        resting = add(kraken, name, price="10.00", timeinforce="GTC")
        assert add(kraken, name) == ["EGeneral:Invalid arguments:cl_ord_id not unique"]
        assert len(find(kraken, name)) == 3
        assert kraken.private("CancelOrder", txid=resting["txid"][0]) == {"count": 1}

    def test_takes_a_number_instead_of_a_client_order_id(self, kraken):
        txid = placed(kraken, userref="77")
        order = the_order(kraken, txid)
        assert order["userref"] == 77
        assert "cl_ord_id" not in order
        assert txid in kraken.private("ClosedOrders", userref="77")["closed"]
        assert add(kraken, new_id(), userref="77") == ["EGeneral:Invalid arguments"]

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"volume": "50000000"}, "EOrder:Insufficient funds"),
            ({"volume": "0.001"}, "EOrder:Order minimum not met"),
            ({"volume": "0.02"}, "EOrder:Cost minimum not met"),
            ({"volume": "1.001"}, "EGeneral:Invalid arguments:volume"),
            ({"volume": "0"}, "EGeneral:Invalid arguments:volume"),
            ({"volume": "1e3"}, "EGeneral:Invalid arguments:volume"),
            ({"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
            ({"volume": ""}, "EGeneral:Invalid arguments:volume"),
            ({"price": "20.00001"}, "EOrder:Invalid price:ABAN/USD price can only be specified up to 4 decimals."),
            ({"price": "+1"}, "EGeneral:Invalid arguments:price"),
            ({"price": ""}, "EGeneral:Invalid arguments:price"),
            ({"pair": "GONEUSD"}, "EQuery:Unknown asset pair"),
            ({"pair": ""}, "EQuery:Unknown asset pair"),
            ({"type": "steal"}, "EGeneral:Invalid arguments:type"),
            ({"ordertype": "stop-loss"}, "EGeneral:Invalid arguments:ordertype"),
            ({"timeinforce": "NOW"}, "EGeneral:Invalid arguments:timeinforce"),
            ({"oflags": "fcib,fciq"}, "EGeneral:Invalid arguments:oflags"),
            ({"oflags": "shiny"}, "EGeneral:Invalid arguments:oflags"),
            ({"leverage": "5"}, "EGeneral:Invalid arguments:leverage"),
            ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
            ({"deadline": "2036-01-01T00:00:00"}, "EGeneral:Invalid arguments:deadline"),
            ({"validate": "perhaps"}, "EGeneral:Invalid arguments:validate"),
            ({"userref": "many"}, "EGeneral:Invalid arguments:userref"),
        ],
    )
    def test_refuses_in_krakens_words_and_places_nothing(self, kraken, venue, changes, word):
        before, money = venue.book(), funds(venue)
        assert add(kraken, **changes) == [word]
        assert (venue.book(), funds(venue)) == (before, money)

    def test_refuses_a_price_off_the_tick(self, kraken, venue):
        venue.set_filters("ABAN", tick="0.05")
        assert add(kraken, price="20.01") == ["EOrder:Tick size check failed"]
        venue.set_filters("ABAN", tick="0.0001")

    def test_refuses_an_order_whose_commission_cannot_be_paid(self, kraken, venue):
        venue.set_account(balances={"USDT": "200.1"})
        assert add(kraken, volume="10.00") == ["EOrder:Insufficient funds"]
        assert isinstance(add(kraken, volume="10.00", oflags="fcib"), dict)
        venue.set_account(balances={"USDT": "200.2"})
        assert isinstance(add(kraken, volume="10.00"), dict)
        assert funds(venue)["USDT"] == 0

    def test_refuses_orders_while_the_market_is_closed(self, kraken, venue):
        venue.set_status(ABAN="HALT")
        assert kraken.public("AssetPairs", pair="ABANUSD")["ABANUSD"]["status"] == "cancel_only"
        assert add(kraken) == ["EService:Market in cancel_only mode"]

    @pytest.mark.parametrize(
        ("seconds", "word"),
        [
            (-1, "EService:Deadline elapsed"),
            (1, "EGeneral:Invalid arguments:deadline"),
            (70, "EGeneral:Invalid arguments:deadline"),
        ],
    )
    def test_refuses_a_deadline_that_has_passed_or_is_out_of_bounds(self, kraken, venue, seconds, word):
        before = venue.book()
        assert add(kraken, deadline=rfc3339(seconds)) == [word]
        assert venue.book() == before

    def test_refuses_an_order_that_reaches_the_engine_after_its_deadline(self, kraken, venue):
        before = venue.book()
        venue.fail({"on": "place", "action": "delay", "wait": 2.5, "times": 1})
        assert add(kraken, deadline=rfc3339(2.3)) == ["EService:Deadline elapsed"]
        assert venue.book() == before
        assert isinstance(add(kraken, deadline=rfc3339(10)), dict)


class TestCancelOrder:
    def test_ends_an_open_order_by_each_of_its_names(self, kraken):
        for name in ("txid", "cl_ord_id", "userref"):
            mine = new_id()
            naming = {"userref": "8"} if name == "userref" else {"cl_ord_id": mine}
            txid = placed(kraken, price="10.00", timeinforce="GTC", **naming)
            assert the_order(kraken, txid)["status"] == "open"
            told = {"txid": {"txid": txid}, "cl_ord_id": {"cl_ord_id": mine}, "userref": {"txid": "8"}}[name]
            assert kraken.private("CancelOrder", **told) == {"count": 1}
            order = the_order(kraken, txid)
            assert (order["status"], order["reason"]) == ("canceled", "User requested")
            assert order["closetm"] >= order["opentm"]

    def test_refuses_an_order_that_is_not_open(self, kraken):
        txid = placed(kraken)
        assert kraken.private("CancelOrder", txid=txid) == ["EOrder:Unknown order"]
        assert kraken.private("CancelOrder", cl_ord_id=new_id()) == ["EOrder:Unknown order"]
        assert kraken.private("CancelOrder") == ["EGeneral:Invalid arguments"]


class TestLookingUp:
    def test_finds_an_order_whose_answer_was_lost_by_its_client_order_id(self, kraken, venue):
        name = new_id()
        venue.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        with pytest.raises(httpx.TransportError):
            add(kraken, name)
        [(txid, order)] = find(kraken, name)
        assert (order["status"], order["cl_ord_id"], len(order["trades"])) == ("closed", name, 1)
        assert the_order(kraken, txid)["trades"] == order["trades"]

    def test_finds_nothing_under_a_name_that_is_not_known(self, kraken):
        assert find(kraken, new_id()) == []

    def test_leaves_orders_out_that_the_book_does_not_have(self, kraken):
        known = placed(kraken)
        assert list(kraken.private("QueryOrders", txid=f"{known},{write_id(ORDER, 10**8)}")) == [known]

    def test_says_the_ids_of_trades_only_if_asked_to(self, kraken):
        txid = placed(kraken)
        assert "trades" not in kraken.private("QueryOrders", txid=txid)[txid]

    @pytest.mark.parametrize("txid", ["", ",".join(["OABCDE-ABCDE-ABCDEF"] * 51)])
    def test_refuses_no_id_and_too_many(self, kraken, txid):
        assert kraken.private("QueryOrders", txid=txid) == ["EGeneral:Invalid arguments"]

    def test_refuses_what_is_no_id(self, kraken):
        assert kraken.private("QueryOrders", txid="mine") == ["EOrder:Invalid order"]

    def test_shows_orders_of_the_other_dialect(self, kraken, venue):
        name = new_id()
        placed(kraken, name, pair="ABANUSDT")
        assert [order["descr"]["pair"] for _, order in find(kraken, name)] == ["ABANUSDT"]

    def test_takes_many_fills_over_several_pages(self, kraken, venue):
        venue.set_market(ABAN={"depth": LEVELS})
        txid = placed(kraken, volume="501.00", price="26.00")
        order = the_order(kraken, txid)
        assert (order["status"], len(order["trades"])) == ("closed", 501)
        trades = the_trades(kraken, txid)
        assert {trade["ordertxid"] for trade in trades} == {txid}
        for total, part in (("vol_exec", "vol"), ("cost", "cost"), ("fee", "fee")):
            assert Decimal(order[total]) == sum(Decimal(trade[part]) for trade in trades)
        too_many = ",".join(order["trades"][:21])
        assert kraken.private("QueryTrades", txid=too_many) == ["EGeneral:Invalid arguments"]


class TestLists:
    def test_page_over_closed_orders_the_newest_first(self, kraken):
        before = kraken.private("ClosedOrders")["count"]
        mine = [placed(kraken) for _ in range(60)]
        first = kraken.private("ClosedOrders")
        second = kraken.private("ClosedOrders", ofs="50")
        assert first["count"] == second["count"] == before + 60
        assert [*first["closed"], *second["closed"]][:60] == mine[::-1]
        assert len(first["closed"]) == 50
        assert "count" not in kraken.private("ClosedOrders", without_count="true")

    def test_keep_to_the_two_moments(self, kraken):
        old = placed(kraken)
        time.sleep(0.05)
        new = placed(kraken)
        opened = {txid: the_order(kraken, txid)["opentm"] for txid in (old, new)}

        def listed(**bounds):
            return list(kraken.private("ClosedOrders", closetime="open", **bounds)["closed"])

        assert listed(start=opened[old]) == listed(start=old) == [new]
        assert listed(end=opened[old])[0] == old
        assert listed(start=opened[new]) == []
        assert kraken.private("ClosedOrders", start="yesterday") == ["EGeneral:Invalid arguments:start"]

    def test_tell_the_time_of_opening_from_the_time_of_closing(self, kraken):
        txid = placed(kraken, new_id(), price="10.00", timeinforce="GTC")
        time.sleep(0.05)
        between = time.time()
        kraken.private("CancelOrder", txid=txid)
        for closetime, is_listed in (("open", False), ("close", True), ("both", True)):
            listed = kraken.private("ClosedOrders", start=f"{between:.3f}", closetime=closetime)["closed"]
            assert (txid in listed) is is_listed

    def test_show_open_orders_apart(self, kraken):
        txid = placed(kraken, price="10.00", timeinforce="GTC")
        assert txid in kraken.private("OpenOrders")["open"]
        assert txid not in kraken.private("ClosedOrders")["closed"]
        kraken.private("CancelOrder", txid=txid)
        assert txid not in kraken.private("OpenOrders")["open"]

    def test_page_over_trades(self, kraken, venue):
        venue.set_market(ABAN={"depth": LEVELS[:60]})
        txid = placed(kraken, volume="60.00", price="26.00")
        first, second = kraken.private("TradesHistory"), kraken.private("TradesHistory", ofs="50")
        assert first["count"] == second["count"]
        listed = [*first["trades"], *second["trades"]][:60]
        assert listed[::-1] == the_order(kraken, txid)["trades"]
        since = kraken.private("TradesHistory", start=listed[-1])["trades"]
        assert txid not in {trade["ordertxid"] for trade in since.values()} or since


class TestTheAccount:
    def test_holds_the_dollars_under_both_of_their_names(self, kraken, venue):
        venue.set_account(balances={"BTC": "0.5"})
        balance = kraken.private("Balance")
        assert [Decimal(balance[name]) for name in ("ZUSD", "USDT", "XXBT", "ABAN")] == [
            10**6,
            10**6,
            Decimal("0.5"),
            1000,
        ]
        extended = kraken.private("BalanceEx")
        assert {name: Decimal(held["balance"]) for name, held in extended.items()} == {
            name: Decimal(total) for name, total in balance.items()
        }

    def test_holds_back_what_an_open_order_may_cost(self, kraken):
        txid = placed(kraken, price="10.00", timeinforce="GTC", volume="2.00")
        held = kraken.private("BalanceEx")["USDT"]
        assert (Decimal(held["balance"]), Decimal(held["hold_trade"])) == (10**6, 20)
        kraken.private("CancelOrder", txid=txid)
        assert Decimal(kraken.private("BalanceEx")["USDT"]["hold_trade"]) == 0

    def test_says_the_fee_in_percent(self, kraken, venue):
        venue.set_account(commission_rate="0.0026")
        assert kraken.private("TradeVolume", pair="XBTUSD")["fees"]["XXBTZUSD"]["fee"] == "0.2600"
        assert "fees" not in kraken.private("TradeVolume")


class TestFaults:
    @pytest.mark.parametrize(("action", "executed"), [("drop", False), ("accept_then_drop", True), ("down", False)])
    def test_cut_the_connection_before_or_after_the_order_is_accepted(self, kraken, venue, action, executed):
        name = new_id()
        venue.fail({"on": "place", "symbol": "ABANUSDT", "action": action, "times": 1})
        with pytest.raises(httpx.TransportError):
            add(kraken, name)
        assert any(order["clientOrderId"] == name for order in venue.book()) is executed
        assert isinstance(add(kraken, new_id()), dict), "the rule applies only once"

    def test_accept_an_order_and_do_not_answer(self, kraken, venue):
        name = new_id()
        venue.fail({"on": "place", "action": "accept_then_hang", "wait": 0.3, "times": 1})
        with pytest.raises(httpx.TransportError):
            add(kraken, name)
        assert len(find(kraken, name)) == 1

    def test_replace_the_answer_by_html(self, kraken, venue):
        for action, status in (("accept_then_500", 502), ("garbage", 200)):
            venue.fail({"on": "place", "action": action, "times": 1})
            order = {"pair": "ABANUSD", "type": "buy", "ordertype": "limit", "volume": "1", "price": "20"}
            answer = kraken.send("AddOrder", **order)
            assert (answer.status_code, "html" in answer.headers["Content-Type"]) == (status, True)

    @pytest.mark.parametrize(
        ("rule", "word"),
        [
            ({"action": "reject"}, "EQuery:Unknown asset pair"),
            ({"action": "reject", "msg": "EOrder:Insufficient funds"}, "EOrder:Insufficient funds"),
            ({"action": "reject", "msg": "EGeneral:Permission denied"}, "EGeneral:Permission denied"),
            ({"action": "reject", "msg": "EService:Unavailable"}, "EService:Unavailable"),
            (
                {"action": "reject", "code": -2010, "msg": "Account has insufficient balance for requested action."},
                "EOrder:Insufficient funds",
            ),
            (
                {"action": "reject", "code": -1006, "msg": "An unexpected response was received."},
                "EGeneral:Internal error",
            ),
            ({"action": "rate_limit"}, "EOrder:Rate limit exceeded"),
            ({"action": "rate_limit", "status": 418}, "EGeneral:Temporary lockout"),
        ],
    )
    def test_refuse_an_order_in_krakens_words(self, kraken, venue, rule, word):
        before = venue.book()
        venue.fail({"on": "place", "times": 1, **rule})
        assert add(kraken, new_id()) == [word]
        assert venue.book() == before

    def test_limit_the_rate_of_questions(self, kraken, venue):
        venue.fail(
            {"on": "ticker", "action": "rate_limit", "times": 1}, {"on": "query", "action": "rate_limit", "times": 1}
        )
        assert kraken.public("Ticker", pair="ABANUSD") == ["EAPI:Rate limit exceeded"]
        assert kraken.private("ClosedOrders") == ["EAPI:Rate limit exceeded"]

    def test_fill_an_order_partly(self, kraken, venue):
        venue.fail({"on": "place", "action": "partial", "fraction": "0.25", "times": 1})
        order = the_order(kraken, placed(kraken, new_id()))
        assert (order["status"], Decimal(order["vol_exec"]), order["misc"]) == ("canceled", Decimal("0.25"), "partial")

    def test_deny_an_order_as_often_as_it_would_have_been_shown(self, kraken, venue):
        name = new_id()
        txid = placed(kraken, name)
        venue.fail({"on": "query", "symbol": "ABANUSDT", "action": "not_found", "times": 1})
        assert kraken.private("OpenOrders", cl_ord_id=name)["open"] == {}
        assert kraken.private("ClosedOrders", cl_ord_id=name) == {"closed": {}, "count": 0}
        assert txid in kraken.private("ClosedOrders", cl_ord_id=name)["closed"]

    def test_deny_an_order_in_lists_and_its_trades(self, kraken, venue):
        txid = placed(kraken)
        [trade] = the_order(kraken, txid)["trades"]
        other = placed(kraken, pair="XBTUSD", volume="0.001", price="65000")
        venue.fail(*({"on": occasion, "symbol": "ABANUSDT", "action": "not_found"} for occasion in ("list", "trades")))
        listed = kraken.private("ClosedOrders")["closed"]
        assert (txid in listed, other in listed) == (False, True)
        assert kraken.private("QueryTrades", txid=trade) == {}
        assert trade not in kraken.private("TradesHistory")["trades"]
        assert txid in kraken.private("QueryOrders", txid=txid)

    def test_lie_about_an_order(self, kraken, venue):
        txid = placed(kraken)
        for path, said in (("result.OTHER.cost", "20.00000000"), (f"result.{txid}.cost", "1"), ("result.*.cost", "1")):
            venue.fail({"on": "query", "action": "lie", "changes": {path: "1"}, "times": 1})
            assert the_order(kraken, txid)["cost"] == said

    def test_spare_other_symbols_and_occasions(self, kraken, venue):
        venue.fail({"on": "ticker", "symbol": "BTCUSDT", "action": "drop"}, {"on": "account", "action": "reject"})
        assert isinstance(add(kraken), dict)
        assert "ABANUSD" in kraken.public("Ticker", pair="ABANUSD")
        with pytest.raises(httpx.TransportError):
            kraken.public("Ticker", pair="XBTUSD")
        assert kraken.private("Balance") == ["EQuery:Unknown asset pair"]

    def test_hit_all_endpoints_but_the_accounts_without_an_occasion(self, kraken, venue):
        venue.fail({"action": "down"})
        for ask in (
            lambda: kraken.public("Time"),
            lambda: kraken.public("AssetPairs"),
            lambda: kraken.public("Ticker"),
            lambda: kraken.private("OpenOrders"),
            lambda: add(kraken),
        ):
            with pytest.raises(httpx.TransportError):
                ask()
        assert "ZUSD" in kraken.private("Balance")


class TestTransactionIds:
    def test_can_be_read_back(self):
        for number in (1, 7, 10**6, 2**30 - 1):
            assert read_id(ORDER, write_id(ORDER, number)) == number
            assert read_id(TRADE, write_id(ORDER, number)) is None

    def test_are_read_only_if_the_book_wrote_them(self):
        assert read_id(ORDER, "OQCLML-BW3P3-BUCMWZ") is None
        assert read_id(ORDER, "") is None


def test_orders_and_nonces_outlive_the_process(tmp_path):
    port, book = free_port(), tmp_path / "book.sqlite"
    again, kraken = Simulator(local_url(port)), Kraken(local_url(port))
    nonce, name = time.time_ns() + 10**12, new_id()
    for round_number in range(2):
        with stopped(start(simulator(port=port, book=book))) as process:
            wait_for(again.answers, seconds=15)
            if round_number == 0:
                order = {"pair": "ABANUSD", "type": "buy", "ordertype": "market", "volume": "1", "cl_ord_id": name}
                txid = unpacked(kraken.send("AddOrder", nonce=nonce, oflags="fcib", **order))["txid"][0]
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            else:
                assert unpacked(kraken.send("Balance", nonce=nonce)) == ["EAPI:Invalid nonce"]
                found = unpacked(kraken.send("ClosedOrders", nonce=nonce + 1, cl_ord_id=name))["closed"]
                assert found[txid]["oflags"] == "fcib"
    again.close()
