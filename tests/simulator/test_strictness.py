"""The simulator refuses what Binance's documentation says is refused, over HTTP, as the bytes arrive."""

import hashlib
import hmac
import http.client
import time
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.simulator.test_simulator import buy, code, signed
from tests.simulators import running_simulator

ORDER = {
    "symbol": "ABANUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "IOC",
    "quantity": "1.00",
    "price": "20.00",
}
MARKET = {"symbol": "ABANUSDT", "side": "BUY", "type": "MARKET", "quantity": "1.00"}
STEPLESS = {"tick": "0.0001", "step": "0.01", "minimum": "0.01", "maximum": "100000", "notional": "5"}
NO_RULES = dict.fromkeys(
    ("notional_maximum", "price_minimum", "price_maximum", "market_step", "market_minimum", "market_maximum"), "0"
)
BANDS = {"bid_multiplier_up": "5", "bid_multiplier_down": "0.2", "ask_multiplier_up": "5", "ask_multiplier_down": "0.2"}
FILTERS = {**STEPLESS, **NO_RULES, **BANDS, "average_minutes": "0", "max_orders": "200", "max_position": "0"}


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("strict"), "--spread", "0") as running:
        yield running


@pytest.fixture(autouse=True)
def as_new(venue):
    venue.fail()
    httpx.delete(f"{venue.url}/control/limits").raise_for_status()
    for order in signed(venue, "GET", "openOrders").json():
        signed(venue, "DELETE", "order", symbol=order["symbol"], orderId=order["orderId"]).raise_for_status()
    venue.set_market(ABAN={"spread": "0", "depth": None, "refill_seconds": 0, "average": None, "fills": None})
    venue.set_prices(ABAN="20.00")
    venue.set_filters("ABAN", **FILTERS)
    venue.set_account(
        balances={"USDT": "1000000", "ABAN": "1000", "BNB": "0"},
        commission_rate="0.001",
        commission_asset=None,
        commission_discount=0,
    )


@pytest.fixture
def nothing_happens(venue):
    """Check that neither the book nor the balances change during a test."""
    before = (len(venue.book()), account(venue))
    yield
    assert (len(venue.book()), account(venue)) == before


def signed_text(text):
    return hmac.new(b"simulator-secret", text.encode(), hashlib.sha256).hexdigest()


def now():
    return int(time.time() * 1000)


def send(venue, method, path, query="", body="", **headers):
    """Send exactly these bytes."""
    connection = http.client.HTTPConnection(urlsplit(venue.url).netloc, timeout=5)
    told = {"X-MBX-APIKEY": "simulator-key", "Content-Type": "application/x-www-form-urlencoded", **headers}
    connection.request(method, f"/api/v3/{path}?{query}", body=body or None, headers=told)
    answer = connection.getresponse()
    content = httpx.Response(answer.status, content=answer.read())
    connection.close()
    return content


def place(venue, **order):
    return signed(venue, "POST", "order", **order)


def account(venue):
    told = signed(venue, "GET", "account").json()["balances"]
    return {entry["asset"]: (Decimal(entry["free"]), Decimal(entry["locked"])) for entry in told}


def without(order, *names):
    return {name: value for name, value in order.items() if name not in names}


@pytest.mark.usefixtures("nothing_happens")
class TestParameters:
    @pytest.mark.parametrize(
        ("order", "number", "message"),
        [
            (
                without(ORDER, "symbol"),
                -1102,
                "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            ),
            (without(ORDER, "price"), -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
            (
                without(MARKET, "quantity"),
                -1102,
                "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
            ),
            ({**ORDER, "newClientOrderId": ""}, -1105, "Parameter 'newClientOrderId' was empty."),
            (
                {**ORDER, "colour": "red"},
                -1104,
                "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.",
            ),
            ({**MARKET, "price": "20.00"}, -1106, "Parameter 'price' sent when not required."),
            ({**MARKET, "timeInForce": "IOC"}, -1106, "Parameter 'timeInForce' sent when not required."),
            ({**ORDER, "stopPrice": "19.00"}, -1106, "Parameter 'stopPrice' sent when not required."),
            ({**MARKET, "quoteOrderQty": "20"}, -1128, "Combination of optional parameters invalid."),
            ({**ORDER, "timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
            ({**ORDER, "type": "limit"}, -1116, "Invalid orderType."),
            ({**ORDER, "side": "buy"}, -1117, "Invalid side."),
            ({**ORDER, "newOrderRespType": "ALL"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
            ({**ORDER, "strategyType": "5"}, -1134, "strategyType was less than 1000000."),
            ({**ORDER, "strategyId": "99999999999999999999"}, -1108, "Parameter 'strategyId' overflowed."),
            ({**ORDER, "quantity": "1.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
            ({**ORDER, "price": "20.000000001"}, -1111, "Parameter 'price' has too much precision."),
            ({**ORDER, "quantity": "1." + "0" * 20}, -1111, "Parameter 'quantity' has too much precision."),
            ({**ORDER, "type": "STOP_LOSS"}, -2010, "Stop loss orders are not supported for this symbol."),
            ({**ORDER, "icebergQty": "0.5"}, -2010, "Iceberg orders are not supported for this symbol."),
            (
                {**without(MARKET, "quantity"), "quoteOrderQty": "20"},
                -2010,
                "Quote order qty market orders are not support for this symbol.",
            ),
            ({**ORDER, "symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
        ],
    )
    def test_of_an_order_are_refused_as_documented(self, venue, order, number, message):
        for path in ("order", "order/test"):
            answer = signed(venue, "POST", path, **order)
            assert (answer.status_code, answer.json()) == (400, {"code": number, "msg": message})

    @pytest.mark.parametrize("quantity", ["1e-3", "1.", ".5", "+1", "0x1", "1,5", "1." + "0" * 21, "٣", "1\n"])
    def test_that_are_no_decimals_name_their_legal_range(self, venue, quantity):
        answer = place(venue, **{**ORDER, "quantity": quantity})
        legal = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
        assert code(answer) == (400, -1100)
        assert answer.json()["msg"] == f"Illegal characters found in parameter 'quantity'; legal range is '{legal}'."

    @pytest.mark.parametrize("name", ["a" * 37, "with blank", "dot.ted", "ümlaut", "a\n"])
    def test_that_are_no_client_order_ids_name_their_legal_range(self, venue, name):
        answer = place(venue, **ORDER, newClientOrderId=name)
        assert code(answer) == (400, -1100)
        assert "'^[a-zA-Z0-9-_]{1,36}$'" in answer.json()["msg"]

    def test_sent_twice_are_refused_and_the_query_goes_before_the_body(self, venue):
        once = urlencode({"symbol": "ABANUSDT", "timestamp": now()})
        twice = f"{once}&symbol=BTCUSDT"
        assert code(send(venue, "GET", "openOrders", f"{twice}&signature={signed_text(twice)}")) == (400, -1101)
        body = "symbol=NOPEUSDT"
        both = send(venue, "DELETE", "openOrders", f"{once}&signature={signed_text(once + body)}", body)
        assert both.json()["code"] == -2011, "of the query's symbol no order is open"

    def test_of_a_get_are_read_from_its_query_alone(self, venue):
        body = urlencode({"symbol": "ABANUSDT", "timestamp": now()})
        assert code(send(venue, "GET", "openOrders", f"signature={signed_text(body)}", body)) == (400, -1102)

    @pytest.mark.parametrize(
        ("path", "given", "number"),
        [
            ("ping", {"a": 1}, -1101),
            ("time", {"symbol": "ABANUSDT"}, -1101),
            ("depth", {"symbol": "ABANUSDT", "depth": 5}, -1104),
            ("depth", {"symbol": "ABANUSDT", "limit": "five"}, -1100),
            ("depth", {"symbol": "ABANUSDT", "limit": ""}, -1105),
            ("depth", {"symbol": "ABANUSDT", "symbolStatus": "ASLEEP"}, -1122),
            ("depth", {"symbol": "ABANUSDT", "symbolStatus": "BREAK"}, -1220),
            ("depth", {"limit": 5}, -1102),
            ("klines", {"symbol": "ABANUSDT"}, -1102),
            ("klines", {"symbol": "ABANUSDT", "interval": "1M", "timeZone": "15"}, -1100),
            ("klines", {"symbol": "ABANUSDT", "interval": "2d"}, -1120),
            ("exchangeInfo", {"symbol": "ABANUSDT", "symbols": '["BTCUSDT"]'}, -1128),
            ("exchangeInfo", {"symbols": '["ABANUSDT","ABANUSDT"]'}, -1151),
            ("exchangeInfo", {"symbols": '["ABANUSDT", "BTCUSDT"]'}, -1100),
            ("ticker/24hr", {"type": "SHORT"}, -1139),
            *((path, {"symbol": "NOPEUSDT"}, -1121) for path in ("depth", "trades", "avgPrice", "exchangeInfo")),
            ("ticker/price", {"symbols": '["NOPEUSDT"]'}, -1121),
        ],
    )
    def test_of_public_endpoints_are_refused_as_documented(self, venue, path, given, number):
        assert code(httpx.get(f"{venue.url}/api/v3/{path}", params=given)) == (400, number)


class TestSignatures:
    def test_are_of_the_encoded_text_as_it_arrives(self, venue):
        """Signed as documented: what is encoded is signed encoded. A client that signs the plain text is refused."""
        at = now()
        encoded, plain = (f"symbol={name}&timestamp={at}" for name in ("%41BANUSDT", "ABANUSDT"))
        assert send(venue, "GET", "openOrders", f"{encoded}&signature={signed_text(encoded)}").is_success
        assert code(send(venue, "GET", "openOrders", f"{encoded}&signature={signed_text(plain)}")) == (400, -1022)

    def test_cover_query_and_body_without_anything_between_them(self, venue):
        query, body = "symbol=ABANUSDT&side=BUY&type=LIMIT&timeInForce=IOC", f"quantity=1&price=20&timestamp={now()}"
        right, wrong = signed_text(query + body), signed_text(f"{query}&{body}")
        assert code(send(venue, "POST", "order/test", query, f"{body}&signature={wrong}")) == (400, -1022)
        assert send(venue, "POST", "order/test", query, f"{body}&signature={right}").is_success
        assert send(venue, "POST", "order/test", f"{query}&signature={right}", body).is_success

    def test_may_be_in_capitals(self, venue):
        text = f"timestamp={now()}"
        assert send(venue, "GET", "account", f"{text}&signature={signed_text(text).upper()}").is_success

    def test_are_needed(self, venue):
        assert code(send(venue, "GET", "account", f"timestamp={now()}")) == (400, -1102)
        assert code(send(venue, "GET", "account", f"timestamp={now()}&signature=")) == (400, -1105)

    @pytest.mark.parametrize(("key", "number"), [("", -2014), ("a key!", -2014), ("other", -2015)])
    def test_are_of_no_use_with_another_key(self, venue, key, number):
        text = f"timestamp={now()}"
        query = f"{text}&signature={signed_text(text)}"
        assert code(send(venue, "GET", "account", query, **{"X-MBX-APIKEY": key})) == (401, number)

    def test_may_be_dated_in_microseconds(self, venue):
        assert signed(venue, "GET", "account", at=now() * 1000).is_success
        assert code(signed(venue, "GET", "account", at=(now() - 6000) * 1000)) == (400, -1021)


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "order", "name"),
        [
            ({"price_minimum": "19"}, {"price": "18.00"}, "PRICE_FILTER"),
            ({"price_maximum": "21"}, {"price": "22.00"}, "PRICE_FILTER"),
            ({"tick": "0.05"}, {"price": "20.01"}, "PRICE_FILTER"),
            ({"bid_multiplier_up": "1.1"}, {"price": "22.01"}, "PERCENT_PRICE_BY_SIDE"),
            ({"bid_multiplier_down": "0.9"}, {"price": "17.99"}, "PERCENT_PRICE_BY_SIDE"),
            ({"ask_multiplier_up": "1.1"}, {"price": "22.01", "side": "SELL"}, "PERCENT_PRICE_BY_SIDE"),
            ({"minimum": "2"}, {}, "LOT_SIZE"),
            ({"maximum": "0.5"}, {}, "LOT_SIZE"),
            ({"market_maximum": "0.5"}, MARKET, "MARKET_LOT_SIZE"),
            ({"market_step": "0.3"}, MARKET, "MARKET_LOT_SIZE"),
            ({"notional": "20.01"}, {}, "NOTIONAL"),
            ({"notional": "20.01"}, MARKET, "NOTIONAL"),
            ({"notional_maximum": "19"}, {}, "NOTIONAL"),
            ({"max_position": "1000.99"}, {}, "MAX_POSITION"),
        ],
    )
    @pytest.mark.usefixtures("nothing_happens")
    def test_refuse_an_order_by_name(self, venue, filters, order, name):
        venue.set_filters("ABAN", **filters)
        wanted = order if order is MARKET else {**ORDER, **order}
        answer = place(venue, **wanted)
        assert (answer.status_code, answer.json()) == (400, {"code": -1013, "msg": f"Filter failure: {name}"})

    @pytest.mark.parametrize(
        "filters",
        [
            {"price_maximum": "20"},
            {"bid_multiplier_up": "1", "bid_multiplier_down": "1"},
            {"market_maximum": "0.5"},
            {"notional": "20", "notional_maximum": "20"},
            {"max_position": "1001"},
        ],
    )
    def test_let_an_order_pass_at_their_bounds(self, venue, filters):
        venue.set_filters("ABAN", **filters)
        assert place(venue, **ORDER).json()["status"] == "FILLED"

    def test_are_told_by_exchange_info(self, venue):
        venue.set_filters("ABAN", bid_multiplier_up="1.2", max_position="10", max_orders="3", average_minutes="5")
        [entry] = httpx.get(f"{venue.url}/api/v3/exchangeInfo", params={"symbol": "ABANUSDT"}).json()["symbols"]
        told = {rule["filterType"]: rule for rule in entry["filters"]}
        assert told["PERCENT_PRICE_BY_SIDE"]["bidMultiplierUp"] == "1.2"
        assert told["PERCENT_PRICE_BY_SIDE"]["avgPriceMins"] == 5
        assert (told["MAX_POSITION"]["maxPosition"], told["MAX_NUM_ORDERS"]["maxNumOrders"]) == ("10", 3)
        assert {"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL"} <= told.keys()

    def test_count_open_orders_of_the_market(self, venue):
        venue.set_filters("ABAN", max_orders="2")
        for name in ("first", "second"):
            assert buy(venue, name, price="19.00", timeInForce="GTC").json()["status"] == "NEW"
        assert buy(venue, "third").json()["msg"] == "Filter failure: MAX_NUM_ORDERS"
        assert buy(venue, "elsewhere", symbol="ETHUSDT", price="3200.00", quantity="0.01").is_success

    def test_count_open_purchases_into_the_position(self, venue):
        venue.set_filters("ABAN", max_position="1003")
        assert buy(venue, "waits", quantity="2.00", price="19.00", timeInForce="GTC").is_success
        assert buy(venue, "over", quantity="1.01").json()["msg"] == "Filter failure: MAX_POSITION"
        assert place(venue, **{**ORDER, "side": "SELL", "quantity": "5.00"}).is_success, "a sale makes it smaller"

    def test_go_by_the_average_price_of_trades_after_a_fall(self, venue):
        venue.set_filters("ABAN", bid_multiplier_down="0.8", average_minutes="5")
        venue.set_prices(BAND="20.00")
        venue.set_filters("BAND", bid_multiplier_down="0.8", average_minutes="5", step="0.01", minimum="0.01")
        assert buy(venue, "before", symbol="BANDUSDT").is_success
        venue.set_prices(BAND="14.00")
        fallen = buy(venue, "after", symbol="BANDUSDT", price="14.10")
        assert fallen.json()["msg"] == "Filter failure: PERCENT_PRICE_BY_SIDE"
        assert httpx.get(f"{venue.url}/api/v3/avgPrice", params={"symbol": "BANDUSDT"}).json()["price"] == "20.00000000"
        venue.set_market(BAND={"average": "14.00"})
        assert buy(venue, "later", symbol="BANDUSDT", price="14.10").json()["status"] == "FILLED"


class TestBalances:
    def test_are_locked_by_open_orders_and_freed_by_their_end(self, venue):
        free = Decimal(1_000_000)
        waits = buy(venue, "waits", quantity="2.00", price="19.00", timeInForce="GTC").json()
        assert account(venue)["USDT"] == (free - 38, 38)
        sale = place(venue, **{**ORDER, "side": "SELL", "price": "21.00", "timeInForce": "GTC"}).json()
        assert account(venue)["ABAN"] == (999, 1)
        for order in (waits, sale):
            signed(venue, "DELETE", "order", symbol="ABANUSDT", orderId=order["orderId"]).raise_for_status()
        assert account(venue)["USDT"] == (free, 0)
        assert account(venue)["ABAN"] == (1000, 0)

    def test_that_are_locked_buy_nothing_else(self, venue):
        venue.set_account(balances={"USDT": "40"})
        assert buy(venue, "waits", quantity="2.00", price="19.00", timeInForce="GTC").is_success
        assert code(buy(venue, "poor")) == (400, -2010)
        venue.set_account(balances={"USDT": "20"})
        assert account(venue)["USDT"] == (20, 38), "what is set is what is free"
        assert buy(venue, "rich").is_success

    def test_of_a_resting_order_that_is_filled_are_what_it_paid(self, venue):
        buy(venue, "waits", quantity="2.00", price="19.00", timeInForce="GTC")
        venue.set_prices(ABAN="18.00")
        assert account(venue)["USDT"] == (Decimal(1_000_000) - 36, 0)
        assert account(venue)["ABAN"] == (Decimal("1001.998"), 0)


class TestOrders:
    def test_of_fill_or_kill_are_filled_wholly_or_not_at_all(self, venue):
        venue.set_market(ABAN={"depth": [["20.00", "5"], ["20.10", "5"]]})
        killed = buy(venue, "killed", quantity="6.00", price="20.00", timeInForce="FOK").json()
        assert (killed["status"], killed["executedQty"]) == ("EXPIRED", "0.00000000")
        assert buy(venue, "filled", quantity="6.00", price="20.10", timeInForce="FOK").json()["status"] == "FILLED"

    def test_of_a_maker_are_refused_where_they_would_take(self, venue):
        maker = {**without(ORDER, "timeInForce"), "type": "LIMIT_MAKER"}
        assert place(venue, **maker).json() == {"code": -2010, "msg": "Order would immediately match and take."}
        rests = place(venue, **{**maker, "price": "19.00"}).json()
        assert set(rests) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}, "ACK is its answer"

    @pytest.mark.parametrize(
        ("kind", "more", "less"),
        [("ACK", (), ("status", "fills")), ("RESULT", ("status",), ("fills",)), ("FULL", ("status", "fills"), ())],
    )
    def test_are_answered_as_long_as_is_asked_for(self, venue, kind, more, less):
        answer = place(venue, **ORDER, newOrderRespType=kind).json()
        assert set(more) <= set(answer)
        assert not set(less) & set(answer)

    def test_are_found_by_two_ids_only_if_both_are_theirs(self, venue):
        first, second = (buy(venue, name).json()["orderId"] for name in ("one", "two"))
        asked = {"symbol": "ABANUSDT", "orderId": first}
        assert signed(venue, "GET", "order", **asked, origClientOrderId="one").json()["orderId"] == first
        assert code(signed(venue, "GET", "order", **asked, origClientOrderId="two")) == (400, -2013)
        assert code(signed(venue, "GET", "order", symbol="BTCUSDT", orderId=second)) == (400, -2013)
        assert code(signed(venue, "GET", "order", symbol="ABANUSDT")) == (400, -1102)

    def test_are_cancelled_under_restrictions(self, venue):
        buy(venue, "waits", price="19.00", timeInForce="GTC")
        asked = {"symbol": "ABANUSDT", "origClientOrderId": "waits"}
        assert code(signed(venue, "DELETE", "order", **asked, cancelRestrictions="ANY")) == (400, -1145)
        kept = signed(venue, "DELETE", "order", **asked, cancelRestrictions="ONLY_PARTIALLY_FILLED")
        assert kept.json()["msg"] == "Order was not canceled due to cancel restrictions."
        gone = signed(venue, "DELETE", "order", **asked, cancelRestrictions="ONLY_NEW", newClientOrderId="end").json()
        assert (gone["status"], gone["origClientOrderId"], gone["clientOrderId"]) == ("CANCELED", "waits", "end")

    def test_are_cancelled_all_at_once(self, venue):
        for name in ("a", "b"):
            buy(venue, name, price="19.00", timeInForce="GTC")
        gone = signed(venue, "DELETE", "openOrders", symbol="ABANUSDT").json()
        assert [order["origClientOrderId"] for order in gone] == ["a", "b"]
        assert code(signed(venue, "DELETE", "openOrders", symbol="ABANUSDT")) == (400, -2011)

    def test_for_a_test_change_nothing(self, venue, nothing_happens):
        assert signed(venue, "POST", "order/test", **ORDER).json() == {}
        told = signed(venue, "POST", "order/test", **ORDER, computeCommissionRates="true").json()
        assert told["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00100000"}
        assert code(signed(venue, "POST", "order/test", **{**ORDER, "quantity": "90000"})) == (400, -2010)


class TestManyFills:
    def test_of_one_order_are_told_all_at_once_and_listed_by_pages(self, venue):
        venue.set_market(ABAN={"fills": 501})
        order = buy(venue, "many", quantity="501.00").json()
        assert (order["status"], len(order["fills"]), order["executedQty"]) == ("FILLED", 501, "501.00000000")
        assert sum(Decimal(fill["qty"]) for fill in order["fills"]) == 501
        asked = {"symbol": "ABANUSDT", "orderId": order["orderId"]}
        newest = signed(venue, "GET", "myTrades", **asked).json()
        first = order["fills"][0]["tradeId"]
        assert [trade["id"] for trade in newest] == [fill["tradeId"] for fill in order["fills"][1:]], "the newest 500"
        page = signed(venue, "GET", "myTrades", **asked, fromId=first).json()
        rest = signed(venue, "GET", "myTrades", **asked, fromId=page[-1]["id"] + 1).json()
        assert (len(page), len(rest)) == (500, 1)
        assert len(signed(venue, "GET", "myTrades", **asked, limit=1000).json()) == 501

    def test_are_shared_out_over_the_levels(self, venue):
        venue.set_market(ABAN={"depth": [["20.00", "3"], ["20.10", "1"]], "fills": 8})
        order = buy(venue, "levels", quantity="4.00", price="20.10").json()
        assert [fill["price"] for fill in order["fills"]] == ["20.00000000"] * 6 + ["20.10000000"] * 2
        assert Decimal(order["cummulativeQuoteQty"]) == Decimal("80.10")

    def test_are_no_more_than_the_steps_of_an_order(self, venue):
        venue.set_market(ABAN={"fills": 10_000})
        assert len(buy(venue, "steps", quantity="0.30").json()["fills"]) == 30

    def test_come_from_a_deep_book_without_being_asked_for(self, venue):
        levels = [[f"{20 + Decimal(level) / 1000:f}", "0.50"] for level in range(600)]
        venue.set_market(ABAN={"depth": levels})
        order = buy(venue, "deep", quantity="300.00", price="21.00").json()
        assert (order["status"], len(order["fills"])) == ("FILLED", 600)


class TestCommission:
    def test_in_a_third_asset_is_worth_the_same_less_the_discount(self, venue):
        venue.set_prices(BNB="600.00")
        venue.set_account(balances={"BNB": "1"}, commission_asset="BNB", commission_discount="0.25")
        [fill] = buy(venue, "bnb", quantity="100.00").json()["fills"]
        assert (fill["commission"], fill["commissionAsset"]) == ("0.00250000", "BNB")
        assert account(venue)["BNB"] == (Decimal("0.9975"), 0)
        told = signed(venue, "GET", "account/commission", symbol="ABANUSDT").json()["discount"]
        assert (told["enabledForAccount"], told["discount"]) == (True, "0.25000000")

    def test_is_taken_in_the_coin_when_the_third_asset_is_used_up(self, venue):
        venue.set_prices(BNB="600.00")
        venue.set_account(balances={"BNB": "0.003"}, commission_asset="BNB")
        assets = [buy(venue, "bnb", quantity="50.00").json()["fills"][0]["commissionAsset"] for _ in range(3)]
        assert assets == ["BNB", "ABAN", "ABAN"]


class TestLists:
    @pytest.mark.parametrize(
        ("given", "number"),
        [
            ({"orderId": 1, "startTime": 1}, -1128),
            ({"fromId": 1, "startTime": 1}, -1128),
            ({"fromId": 1, "endTime": 1}, -1128),
            ({"orderId": 1, "fromId": 1, "startTime": 1}, -1128),
            ({"startTime": 1, "endTime": 86_400_002}, -1127),
            ({"startTime": 5, "endTime": 5}, -1102),
            ({"orderId": "x"}, -1100),
            ({"limit": "0"}, -1130),
        ],
    )
    def test_of_trades_refuse_what_cannot_be_combined(self, venue, given, number):
        assert code(signed(venue, "GET", "myTrades", symbol="ABANUSDT", **given)) == (400, number)

    @pytest.mark.parametrize(
        "names",
        [(), ("orderId",), ("startTime",), ("endTime",), ("fromId",), ("startTime", "endTime"), ("orderId", "fromId")],
    )
    def test_of_trades_take_what_is_documented(self, venue, names):
        venue.set_prices(TAKE="20.00")
        order = buy(venue, "listed", symbol="TAKEUSDT").json()
        values = {
            "orderId": order["orderId"],
            "startTime": order["transactTime"] - 1000,
            "endTime": order["transactTime"] + 1000,
            "fromId": order["fills"][0]["tradeId"],
        }
        trades = signed(venue, "GET", "myTrades", symbol="TAKEUSDT", **{name: values[name] for name in names}).json()
        assert order["orderId"] in {trade["orderId"] for trade in trades}

    def test_of_orders_begin_with_the_oldest_since_a_moment_and_end_with_the_newest_until_one(self, venue):
        venue.set_prices(LIST="20.00")
        ids = [buy(venue, f"n{number}", symbol="LISTUSDT").json()["orderId"] for number in range(5)]

        def listed(**given):
            answers = signed(venue, "GET", "allOrders", symbol="LISTUSDT", **given).json()
            return [ids.index(order["orderId"]) for order in answers]

        assert listed(limit=2) == [3, 4]
        assert listed(limit=2, startTime=1) == [0, 1]
        assert listed(limit=2, endTime=now() + 1000) == [3, 4]
        assert listed(limit=2, orderId=ids[1]) == [1, 2]
        assert listed(limit=5000) == [0, 1, 2, 3, 4]
        late = signed(venue, "GET", "allOrders", symbol="LISTUSDT", startTime=1, endTime=86_400_002)
        assert code(late) == (400, -1127)

    @pytest.mark.parametrize("path", ["openOrders", "allOrders", "myTrades", "account/commission"])
    def test_of_unknown_symbols_are_refused(self, venue, path):
        assert code(signed(venue, "GET", path, symbol="NOPEUSDT")) == (400, -1121)


class TestLimits:
    def test_are_told_with_each_answer(self, venue):
        first = httpx.get(f"{venue.url}/api/v3/ticker/price", params={"symbol": "ABANUSDT"})
        refused = httpx.get(f"{venue.url}/api/v3/ticker/price", params={"symbol": "NOPEUSDT"})
        used = [int(answer.headers["X-MBX-USED-WEIGHT-1M"]) for answer in (first, refused)]
        assert used[1] - used[0] in {2, 2 - used[0]}, "refused calls weigh as much, unless a minute has begun"
        order = buy(venue, "rests", price="19.00", timeInForce="GTC")
        assert (order.headers["X-MBX-ORDER-COUNT-10S"], order.headers["X-MBX-ORDER-COUNT-1D"]) == ("1", "1")
        assert buy(venue, "trades").headers["X-MBX-ORDER-COUNT-1D"] == "1", "an order that trades does not count"

    @pytest.mark.parametrize(
        ("path", "given", "weight"),
        [
            ("ping", {}, 1),
            ("exchangeInfo", {}, 20),
            ("depth", {"symbol": "ABANUSDT"}, 5),
            ("depth", {"symbol": "ABANUSDT", "limit": 5000}, 250),
            ("ticker/24hr", {"symbol": "ABANUSDT"}, 2),
            ("ticker/24hr", {}, 80),
            ("ticker/price", {}, 4),
            ("klines", {"symbol": "ABANUSDT", "interval": "1h"}, 2),
        ],
    )
    def test_weigh_a_call_as_documented(self, venue, path, given, weight):
        httpx.delete(f"{venue.url}/control/limits").raise_for_status()
        answer = httpx.get(f"{venue.url}/api/v3/{path}", params=given)
        assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)

    def test_refuse_a_caller_and_ban_one_who_goes_on(self, venue):
        limits = {"weight_per_minute": 3, "calls_before_ban": 2, "ban_seconds": 7}
        httpx.put(f"{venue.url}/control/limits", json=limits).raise_for_status()
        answers = [httpx.get(f"{venue.url}/api/v3/ping") for _ in range(7)]
        if len({answer.headers["X-MBX-USED-WEIGHT-1M"] for answer in answers}) < 6:
            pytest.skip("a minute has begun in between")
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 418, 418]
        assert {answer.json()["code"] for answer in answers[3:]} == {-1003}
        assert 0 < int(answers[3].headers["Retry-After"]) <= 60
        assert 0 < int(answers[5].headers["Retry-After"]) <= 7
        assert httpx.get(f"{venue.url}/control/limits").is_success, "the control API has no limit"
        httpx.delete(f"{venue.url}/control/limits").raise_for_status()
        assert httpx.get(f"{venue.url}/api/v3/ping").is_success

    def test_refuse_orders_that_do_not_trade(self, venue):
        httpx.put(f"{venue.url}/control/limits", json={"orders_per_day": 1}).raise_for_status()
        assert buy(venue, "rests", price="19.00", timeInForce="GTC").is_success
        refused = buy(venue, "more")
        assert code(refused) == (429, -1015)
        assert int(refused.headers["Retry-After"]) > 0
        counted = signed(venue, "GET", "rateLimit/order").json()
        assert [(entry["interval"], entry["count"]) for entry in counted][1] == ("DAY", 1)

    def test_are_told_by_exchange_info(self, venue):
        httpx.put(f"{venue.url}/control/limits", json={"weight_per_minute": 6000}).raise_for_status()
        told = httpx.get(f"{venue.url}/api/v3/exchangeInfo").json()["rateLimits"]
        assert {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000} in told

    @pytest.mark.parametrize("body", [{"weight": 1}, {"ban_seconds": "soon"}, []])
    def test_are_not_set_to_nonsense(self, venue, body):
        answer = httpx.put(f"{venue.url}/control/limits", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]


class TestMarketData:
    def test_tells_trades_and_candles_of_what_was_traded(self, venue):
        venue.set_prices(DATA="20.00")
        buy(venue, "one", symbol="DATAUSDT")
        venue.set_prices(DATA="22.00")
        buy(venue, "two", symbol="DATAUSDT", price="22.00", quantity="2.00")
        trades = httpx.get(f"{venue.url}/api/v3/trades", params={"symbol": "DATAUSDT"}).json()
        assert [(trade["price"], trade["qty"]) for trade in trades] == [
            ("20.00000000", "1.00000000"),
            ("22.00000000", "2.00000000"),
        ]
        for path in ("klines", "uiKlines"):
            candles = httpx.get(
                f"{venue.url}/api/v3/{path}", params={"symbol": "DATAUSDT", "interval": "1M", "limit": 2}
            ).json()
            assert candles[-1][1:6] == ["20.00000000", "22.00000000", "20.00000000", "22.00000000", "3.00000000"]
            assert candles[0][6] + 1 == candles[1][0], "without a gap"
        average = httpx.get(f"{venue.url}/api/v3/avgPrice", params={"symbol": "DATAUSDT"}).json()
        assert average["price"] == "21.33333333"

    @pytest.mark.parametrize("interval", ["1s", "1m", "4h", "1d", "3d", "1w", "1M"])
    def test_gives_candles_since_a_moment(self, venue, interval):
        begin = 1_700_000_000_000
        given = {"symbol": "ABANUSDT", "interval": interval, "startTime": begin, "limit": 3}
        candles = httpx.get(f"{venue.url}/api/v3/klines", params=given).json()
        assert len(candles) == 3
        assert candles[0][0] >= begin
        assert [candle[6] + 1 for candle in candles[:-1]] == [candle[0] for candle in candles[1:]]

    def test_shows_as_many_levels_as_are_asked_for(self, venue):
        venue.set_market(ABAN={"depth": [["20.00", "1"], ["20.10", "2"], ["20.20", "3"]]})
        book = httpx.get(f"{venue.url}/api/v3/depth", params={"symbol": "ABANUSDT", "limit": 2}).json()
        assert book["asks"] == [["20.00000000", "1.00000000"], ["20.10000000", "2.00000000"]]

    def test_leaves_out_markets_of_another_status(self, venue):
        venue.set_status(SOL="BREAK")
        told = httpx.get(f"{venue.url}/api/v3/ticker/price", params={"symbolStatus": "BREAK"}).json()
        venue.set_status(SOL="TRADING")
        assert [entry["symbol"] for entry in told] == ["SOLUSDT"]
