"""Cases for OKX: answers in the form of its API guide V5 and of its list of error codes, made by hand."""

import hashlib
import hmac
from base64 import b64encode
from datetime import timedelta
from decimal import Decimal

import requests

from settlement.venues.profiles.okx import OKX
from settlement.venues.profiles.words import AccountTerms
from settlement.venues.protocol import (
    Executed,
    MarketRules,
    NotPlaced,
    OrderNotFound,
    Refused,
    Trouble,
    Unknown,
    Untrue,
)
from tests.settlement.conformance.harness import (
    OUR_ID,
    SINCE,
    Case,
    Config,
    Conformance,
    FakeReply,
    balances,
    buy_and_look_up,
    buy_as,
    buy_within,
    find_in_lists,
    find_in_lists_since,
    list_figures,
    list_purchases,
    look_up,
    rules,
    terms,
)

PLACE = "OKX API guide V5, Place order"
DETAILS = "OKX API guide V5, Order details"
FILLS = "OKX API guide V5, Transaction details (last 3 months)"
PENDING = "OKX API guide V5, Order List"
HISTORY = "OKX API guide V5, Order history (last 7 days)"
ERRORS = "OKX API guide V5, Error Code"
TIMEOUTS = "OKX API guide V5, Transaction Timeouts"
ORDER_ID = "680800019749904384"

INSTRUMENT = {
    "instType": "SPOT",
    "instId": "BTC-USDT",
    "baseCcy": "BTC",
    "quoteCcy": "USDT",
    "settleCcy": "",
    "ctVal": "",
    "ctMult": "",
    "ctValCcy": "",
    "optType": "",
    "stk": "",
    "listTime": "1611916828000",
    "expTime": "",
    "lever": "10",
    "tickSz": "0.1",
    "lotSz": "0.00000001",
    "minSz": "0.00001",
    "ctType": "",
    "state": "live",
    "maxLmtSz": "9999999999",
    "maxMktSz": "1000000",
    "maxLmtAmt": "20000000",
}
PUBLIC = [
    FakeReply(
        method="GET",
        path="/api/v5/public/instruments",
        body={"code": "0", "msg": "", "data": [INSTRUMENT]},
        having={"instType": "SPOT"},
        again=True,
    ),
    FakeReply(
        method="GET",
        path="/api/v5/public/time",
        body={"code": "0", "msg": "", "data": [{"ts": "1795780800250"}]},
        again=True,
    ),
]
SENT = {
    "instId": "BTC-USDT",
    "tdMode": "cash",
    "clOrdId": OUR_ID,
    "side": "buy",
    "ordType": "ioc",
    "px": "60000",
    "sz": "0.015",
}
SENT_HEADERS = {
    "expTime": "1795780805250",
    "OK-ACCESS-KEY": "our-key",
    "OK-ACCESS-PASSPHRASE": "our-passphrase",
    "OK-ACCESS-TIMESTAMP": "2026-11-27T12:00:00.250Z",
    "Content-Type": "application/json",
}


def get(path, rows, *, code="0", message="", **changes):
    body = {"code": code, "msg": message, "data": rows}
    return FakeReply(method="GET", path=f"/api/v5/{path}", **{"body": body, **changes})


def post(code, entry=None, *, message="", **changes):
    body = {"code": code, "msg": message, "data": [entry] if entry else [], "inTime": "1795780800300000"}
    return FakeReply(method="POST", path="/api/v5/trade/order", **{"body": body, **changes})


PLACED = {"clOrdId": OUR_ID, "ordId": ORDER_ID, "tag": "", "ts": "1795780800301", "sCode": "0", "sMsg": ""}


def placed(**changes):
    return post("0", {**PLACED, **changes})


def declined(code, text, *, status=200):
    """An error of the order itself."""
    entry = {"clOrdId": OUR_ID, "ordId": "", "tag": "", "ts": "1795780800301", "sCode": code, "sMsg": text}
    return post("1", entry, message="All operations failed", status=status)


def order(**changes):
    return {
        "instType": "SPOT",
        "instId": "BTC-USDT",
        "ordId": ORDER_ID,
        "clOrdId": OUR_ID,
        "px": "60000",
        "sz": "0.015",
        "ordType": "ioc",
        "side": "buy",
        "tdMode": "cash",
        "tgtCcy": "",
        "accFillSz": "0.015",
        "avgPx": "59900",
        "fillPx": "59900",
        "fillSz": "0.005",
        "tradeId": "744876981",
        "state": "filled",
        "feeCcy": "BTC",
        "fee": "-0.000015",
        "cTime": "1795780800301",
        "uTime": "1795780800302",
        **changes,
    }


NOTHING = {"state": "canceled", "accFillSz": "0", "avgPx": "", "fillPx": "", "fillSz": "0", "fee": "0", "feeCcy": ""}


def fill(number, quantity, price, fee, *, asset="BTC", **changes):
    return {
        "instType": "SPOT",
        "instId": "BTC-USDT",
        "tradeId": str(744876000 + number),
        "ordId": ORDER_ID,
        "clOrdId": OUR_ID,
        "billId": str(680800019754098000 + number),
        "fillSz": quantity,
        "fillPx": price,
        "fillTime": "1795780800302",
        "side": "buy",
        "posSide": "net",
        "execType": "T",
        "fee": fee,
        "feeCcy": asset,
        "ts": "1795780800302",
        **changes,
    }


TRADES = [fill(2, "0.005", "59900", "-0.000005"), fill(1, "0.01", "59900", "-0.00001")]
BOUGHT = {
    "final": True,
    "status": "closed",
    "venue_order_id": ORDER_ID,
    "quantity": "0.015",
    "cost": "898.5",
    "commission": "0.000015",
    "quote_commission": "0",
    "foreign_commission": "",
    "asked": "0.015",
    "limit_price": "60000",
}


def asked(*rows, **changes):
    return get("trade/order", list(rows), having={"ordId": ORDER_ID, "instId": "BTC-USDT"}, **changes)


def asked_by_our_id(*rows, **changes):
    return get("trade/order", list(rows), having={"clOrdId": OUR_ID, "instId": "BTC-USDT"}, **changes)


def fills(*rows, **changes):
    having = {"ordId": ORDER_ID, "instId": "BTC-USDT", "instType": "SPOT", "limit": "100"}
    return get("trade/fills-history", list(rows), **{"having": having, "lacks": ("after",), **changes})


def refused(row, code, text, trouble, *, status=200, source=ERRORS, by_request=False, **fields):
    return Case(
        row=row,
        source=source,
        name=f"{code} {text}",
        answers=[post(code, message=text, status=status) if by_request else declined(code, text, status=status)],
        expected=NotPlaced,
        fields={"trouble": trouble, "retry_after_seconds": None, **fields},
    )


def many(first, count):
    return [fill(first - number, "0.00001", "59900", "-0.00000001") for number in range(count)]


MANY = many(249, 250)
CASES = [
    Case(
        row="filled",
        source=f"{PLACE}; {DETAILS}; {FILLS}",
        answers=[placed(), asked(order()), fills(*TRADES)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
        headers=SENT_HEADERS,
    ),
    Case(
        row="partly filled",
        source=DETAILS,
        answers=[placed(), asked(order(state="canceled", accFillSz="0.01")), fills(TRADES[1])],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0.01", "cost": "599", "commission": "0.00001"},
    ),
    Case(
        row="partly filled",
        name="at two prices",
        source=f"{DETAILS}: the average price is rounded",
        answers=[
            placed(),
            asked(order(state="canceled", accFillSz="0.003", avgPx="59866.6666666666666667")),
            fills(fill(2, "0.001", "59800", "-0.000001"), fill(1, "0.002", "59900", "-0.000002")),
        ],
        expected=Executed,
        fields={"quantity": "0.003", "cost": "179.6", "commission": "0.000003"},
    ),
    Case(
        row="nothing filled",
        source=DETAILS,
        answers=[placed(), asked(order(**NOTHING))],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="still open",
        source=DETAILS,
        answers=[placed(), asked(order(**{**NOTHING, "state": "live"}))],
        expected=Executed,
        fields={"final": False, "status": "open"},
    ),
    Case(
        row="lost and found",
        source=DETAILS,
        call=buy_and_look_up,
        answers=[
            post("0", error=requests.ReadTimeout()),
            asked_by_our_id(order()),
            fills(*TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    ),
    Case(
        row="lost and found",
        name="the request timed out at OKX",
        source=f"{ERRORS}: 50004 does not mean that the request was successful or failed",
        call=buy_and_look_up,
        answers=[
            post("50004", message="API endpoint request timeout", status=400),
            asked_by_our_id(order()),
            fills(*TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="lost and found",
        name="the id is known already",
        source=f"{ERRORS}: 51016 Client order ID already exists",
        call=buy_and_look_up,
        answers=[declined("51016", "Client order ID already exists."), asked_by_our_id(order()), fills(*TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="not found",
        source=f"{ERRORS}: 51603 Order does not exist",
        call=look_up,
        answers=[asked_by_our_id(code="51603", message="Order does not exist")],
        expected=OrderNotFound,
    ),
    Case(
        row="no answer",
        name="no order, and no error",
        source="hand-made",
        call=look_up,
        answers=[asked_by_our_id()],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="not found in other words",
        source=f"{ERRORS}: 51400 is about cancellations",
        call=look_up,
        answers=[asked_by_our_id(code="51400", message="Cancellation failed as the order does not exist.")],
        expected=Unknown,
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=text[:12],
            call=look_up,
            answers=[asked_by_our_id(body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "[]", "<html>busy</html>", '{"code":"0"}', '{"code":"0","data":null}')
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=f"to a purchase {text[:20]}",
            answers=[post("0", body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "<html>busy</html>", '{"code":"0"}', '{"code":"0","data":[]}')
    ),
    Case(
        row="no answer",
        name="about another of our orders",
        source=PLACE,
        answers=[placed(clOrdId="ce9")],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="another order",
        source=DETAILS,
        answers=[placed(), asked(order(clOrdId="ce9"))],
        expected=Untrue,
    ),
    Case(
        row="no answer",
        name="two orders",
        source=DETAILS,
        call=look_up,
        answers=[asked_by_our_id(order(), order(ordId="1"))],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="an average price that the transactions contradict",
        source="hand-made",
        answers=[placed(), asked(order(avgPx="59000")), fills(*TRADES)],
        expected=Untrue,
    ),
    refused("refused: funds", "51008", "Order failed. Your available USDT balance is insufficient.", Trouble.COIN),
    refused("refused: funds", "51008_1000", "Order failed. Insufficient USDT balance in account.", Trouble.COIN),
    refused("refused: funds", "51131", "Insufficient balance", Trouble.COIN, source="ccxt's source, unconfirmed"),
    refused("refused: size", "51020", "Your order should meet or exceed the minimum order amount.", None),
    refused("refused: size", "51121", "Order quantity must be a multiple of the lot size.", None),
    refused("refused: size", "51000", "Parameter sz error", Trouble.COIN, status=400, by_request=True),
    refused("refused: price band", "51006", "Order price is not within the price limit", None),
    refused("refused: price band", "51137", "The highest price limit for buy orders is 59,000", None),
    Case(
        row="refused: symbol",
        source=ERRORS,
        answers=[declined("51001", "Instrument ID, Instrument ID code or Spread ID doesn't exist.")],
        expected=Refused,
    ),
    refused("refused: permission", "50030", "You don't have permission to use this API endpoint", Trouble.VENUE),
    refused(
        "refused: permission",
        "50120",
        "This API key doesn't have permission to use this function",
        Trouble.VENUE,
        by_request=True,
    ),
    refused("refused: permission", "51010", "Request unsupported under current account mode", Trouble.VENUE),
    refused("refused: permission", "51155", "You can't trade this pair due to local laws", Trouble.COIN),
    refused("refused: permission", "51022", "Contract suspended.", Trouble.COIN),
    refused("refused: key", "50111", "Invalid OK-ACCESS-KEY", Trouble.VENUE, status=401, by_request=True),
    refused("refused: key", "50105", "OK-ACCESS-PASSPHRASE incorrect", Trouble.VENUE, status=401, by_request=True),
    refused("refused: key", "50110", "Your IP is not on the list", Trouble.VENUE, status=401, by_request=True),
    refused("refused: signature", "50113", "Invalid Sign", Trouble.VENUE, status=401, by_request=True),
    refused("refused: clock", "50102", "Timestamp request expired", None, status=401, by_request=True),
    refused("refused: clock", "50112", "Invalid OK-ACCESS-TIMESTAMP", None, status=401, by_request=True),
    refused("refused: clock", "50036", "The expTime can't be earlier than the current system time.", None),
    refused("refused: clock", "50037", "Order expired.", None),
    *(
        Case(
            row="refused: words of no table",
            source=source,
            name=name,
            answers=[answer],
            expected=Unknown,
        )
        for name, source, answer in (
            ("a new code", "hand-made", declined("59999", "Something new")),
            ("the request timed out", f"{ERRORS}: 51149, whose outcome is open", declined("51149", "Order timed out.")),
            ("only that it failed", f"{ERRORS}: 1 Operation failed", post("1", message="Operation failed.")),
            ("with a 502", "a 5XX proves nothing", declined("51008", "Order failed.", status=502)),
            ("no code", "hand-made", post("", message="Insufficient balance", status=400)),
        )
    ),
    Case(
        row="refused: words of no table",
        name="an error and an order",
        source="hand-made: a contradiction",
        answers=[placed(sCode="51008", sMsg="Order failed.")],
        expected=Unknown,
    ),
    refused(
        "too many calls",
        "50011",
        "Too Many Requests",
        Trouble.CALLS,
        status=429,
        by_request=True,
        retry_after_seconds=10,
    ),
    refused("too many calls", "50011", "Rate limit reached.", Trouble.CALLS, by_request=True, retry_after_seconds=10),
    refused(
        "too many calls", "50061", "You've reached the maximum order rate limit", Trouble.VENUE, retry_after_seconds=10
    ),
    Case(
        row="too many calls",
        name="of a question",
        source=ERRORS,
        call=look_up,
        answers=[asked_by_our_id(code="50011", message="Too Many Requests", status=429)],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    Case(
        row="unavailable",
        name="busy, with the status of a rate limit",
        source=f"{ERRORS}: 50013 Systems are busy",
        answers=[post("50013", message="Systems are busy. Please try again later.", status=429)],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    *(
        Case(
            row="unavailable",
            source=ERRORS,
            name=f"{status} {code}",
            answers=[post(code, message="Try again later", status=status)],
            expected=Unknown,
        )
        for code, status in (("50001", 503), ("50026", 500), ("51054", 500), ("50005", 410))
    ),
    *(
        Case(
            row="unavailable",
            source="a proxy's page",
            name=str(status),
            answers=[post("0", body="<html>", status=status)],
            expected=Unknown,
        )
        for status in (403, 502, 504, 520)
    ),
    Case(
        row="nothing sent",
        name="no key",
        source="ccxt's source: sign",
        answers=[],
        config={"api_key": ""},
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="nothing sent",
        name="no passphrase",
        source="ccxt's source: sign",
        answers=[],
        config={"api_password": ""},
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="commission in the coin",
        source=FILLS,
        answers=[placed(), asked(order()), fills(*TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="commission in the quote asset",
        source=f"{FILLS}: an account may be charged in the quote asset",
        answers=[
            placed(),
            asked(order(feeCcy="USDT", fee="-0.8985")),
            fills(fill(2, "0.005", "59900", "-0.2995", asset="USDT"), fill(1, "0.01", "59900", "-0.599", asset="USDT")),
        ],
        expected=Executed,
        fields={"commission": "0", "quote_commission": "0.8985", "cost": "899.3985"},
    ),
    Case(
        row="commission in a third asset",
        source="hand-made",
        answers=[
            placed(),
            asked(order()),
            fills(fill(2, "0.005", "59900", "-0.01", asset="OKB"), fill(1, "0.01", "59900", "-0.00001")),
        ],
        expected=Executed,
        fields={"commission": "0.00001", "foreign_commission": "OKB"},
    ),
    Case(
        row="commission with nine decimals",
        source=f"{FILLS}: fee of 0.000007533 for 0.007533",
        answers=[
            placed(),
            asked(order(state="canceled", accFillSz="0.007533")),
            fills(fill(1, "0.007533", "59900", "-0.000010015")),
        ],
        expected=Executed,
        fields={"quantity": "0.007533", "commission": "0.00001002", "cost": "451.2267"},
    ),
    Case(
        row="many fills",
        source=f"{FILLS}: at most 100, older ones after a billId",
        answers=[
            placed(),
            asked(order(state="canceled", accFillSz="0.0025")),
            fills(*MANY[:100]),
            fills(*MANY[100:200], having={"after": MANY[99]["billId"]}, lacks=()),
            fills(*MANY[200:], having={"after": MANY[199]["billId"]}, lacks=()),
        ],
        expected=Executed,
        fields={"quantity": "0.0025", "cost": "149.75", "commission": "0.0000025"},
    ),
    Case(
        row="another order's fill",
        name="with ours",
        source=FILLS,
        answers=[
            placed(),
            asked(order()),
            fills(fill(3, "0.015", "59900", "-0.9", ordId="1", clOrdId=""), *TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="another order's fill",
        name="instead of ours",
        source=FILLS,
        answers=[
            placed(),
            asked(order()),
            fills(fill(3, "0.015", "59900", "-0.9", ordId="1", clOrdId="")),
            fills(having={"after": "680800019754098003"}, lacks=()),
        ],
        expected=Unknown,
    ),
    Case(
        row="another order's fill",
        name="one of ours is told twice",
        source=FILLS,
        answers=[placed(), asked(order()), fills(TRADES[0], TRADES[0], TRADES[1])],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="fills not there yet",
        name="one is told twice, and another one is missing",
        source=FILLS,
        answers=[
            placed(),
            asked(order(accFillSz="0.02", state="canceled", sz="0.02")),
            fills(TRADES[1], TRADES[1]),
            fills(having={"after": TRADES[1]["billId"]}, lacks=()),
        ],
        expected=Unknown,
    ),
    Case(
        row="fills not there yet",
        source=FILLS,
        answers=[placed(), asked(order()), fills()],
        expected=Unknown,
    ),
    Case(
        row="fills not there yet",
        name="one is missing",
        source=FILLS,
        answers=[
            placed(),
            asked(order()),
            fills(TRADES[1]),
            fills(having={"after": TRADES[1]["billId"]}, lacks=()),
        ],
        expected=Unknown,
    ),
    Case(
        row="list over pages",
        source=f"{PENDING}; {HISTORY}",
        call=list_purchases,
        answers=[
            get(
                "trade/orders-pending",
                [order(clOrdId="ce3", ordId="683", cTime="1795780800900", **{**NOTHING, "state": "live"})],
                having={"instType": "SPOT", "instId": "BTC-USDT"},
                lacks=("after",),
            ),
            get("trade/orders-pending", [], having={"after": "683"}),
            get(
                "trade/orders-history",
                [order(clOrdId="ce2", ordId="682", cTime="1795780800700"), order(clOrdId="", ordId="681")],
                having={"begin": "1795777200000"},
                lacks=("after",),
            ),
            get(
                "trade/orders-history",
                [order(ordId="680"), order(ordId="679", clOrdId="ce0", cTime="1795777199999")],
                having={"after": "681"},
            ),
            get("trade/orders-history", [], having={"after": "679"}),
            get(
                "trade/fills-history",
                [fill(9, "0.015", "59900", "-0.000015", ordId="682"), fill(8, "0.015", "59900", "-0.1", ordId="681")],
                having={"begin": "1795777200000"},
                lacks=("after", "ordId"),
            ),
            get(
                "trade/fills-history",
                [fill(7, "0.015", "59901", "-0.000015", ordId="680")],
                having={"after": "680800019754098008"},
            ),
            get("trade/fills-history", [], having={"after": "680800019754098007"}),
        ],
        expected=[
            (OUR_ID, "680", Decimal("0.015"), Decimal("898.515")),
            ("ce2", "682", Decimal("0.015"), Decimal("898.5")),
            ("ce3", "683", Decimal(0), Decimal(0)),
        ],
    ),
    Case(
        row="figures of a list",
        source=FILLS,
        call=list_figures,
        answers=[
            get("trade/orders-pending", []),
            get("trade/orders-history", [order()], lacks=("after",)),
            get("trade/orders-history", [], having={"after": ORDER_ID}),
            get("trade/fills-history", TRADES, lacks=("after",)),
            get("trade/fills-history", [], having={"after": TRADES[1]["billId"]}),
            get("trade/fills-history", TRADES, lacks=("after",)),
            get("trade/fills-history", [], having={"after": TRADES[1]["billId"]}),
        ],
        expected={ORDER_ID: (Decimal("898.5"), Decimal("0.000015"), Decimal(0), "")},
    ),
    Case(
        row="found in the lists",
        source=HISTORY,
        call=find_in_lists,
        answers=[
            get("trade/orders-pending", []),
            get("trade/orders-history", [order()], lacks=("after",)),
            get("trade/orders-history", [], having={"after": ORDER_ID}),
            get("trade/fills-history", TRADES, lacks=("after", "ordId")),
            get("trade/fills-history", [], having={"after": TRADES[1]["billId"]}, lacks=("ordId",)),
            fills(*TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="found in the lists",
        name="neither there",
        source=HISTORY,
        call=find_in_lists,
        answers=[
            get("trade/orders-pending", []),
            get("trade/orders-history", []),
            get("trade/fills-history", []),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="found in the lists",
        name="an order whose transactions are not there yet",
        source=HISTORY,
        call=find_in_lists,
        answers=[
            get("trade/orders-pending", []),
            get("trade/orders-history", [order()], lacks=("after",)),
            get("trade/orders-history", [], having={"after": ORDER_ID}),
            get("trade/fills-history", []),
        ],
        expected=Unknown,
    ),
    Case(
        row="balances",
        source="OKX API guide V5, Get balance",
        call=balances,
        answers=[
            get(
                "account/balance",
                [
                    {
                        "uTime": "1795780800000",
                        "details": [
                            {"ccy": "USDT", "eq": "25435.3", "cashBal": "25435.21", "availBal": "17185.45"},
                            {"ccy": "BTC", "eq": "1.2435", "cashBal": "1.2435", "availBal": "0.8"},
                            {"ccy": "BAD", "eq": "1", "cashBal": "many", "availBal": "0"},
                        ],
                    }
                ],
                again=True,
            )
        ],
        expected=(Decimal("17185.45"), {"USDT": Decimal("25435.21"), "BTC": Decimal("1.2435")}),
    ),
    Case(
        row="third asset seen at start",
        name="permission and rate; there is no third asset",
        source="OKX API guide V5, Get account configuration; Get fee rates",
        call=terms,
        answers=[
            get("account/config", [{"acctLv": "1", "perm": "read_only,trade", "uid": "1"}]),
            get(
                "account/trade-fee",
                [{"instType": "SPOT", "level": "Lv1", "maker": "-0.0008", "taker": "-0.001"}],
                having={"instType": "SPOT", "instId": "BTC-USDT"},
            ),
        ],
        expected=AccountTerms(can_trade=True, taker_rate=Decimal("0.001")),
    ),
    Case(
        row="third asset seen at start",
        name="a key that only reads",
        source="OKX API guide V5, Get account configuration",
        call=terms,
        answers=[
            get("account/config", [{"acctLv": "1", "perm": "read_only"}]),
            get("account/trade-fee", [{"taker": "-0.0015"}]),
        ],
        expected=AccountTerms(can_trade=False, taker_rate=Decimal("0.0015")),
    ),
    Case(
        row="sent as documented",
        source=f"{PLACE}; {TIMEOUTS}",
        answers=[placed(), asked(order()), fills(*TRADES)],
        expected=Executed,
        sent=SENT,
        headers=SENT_HEADERS,
    ),
]

HAND_MADE = "hand-made: a contradiction, or a field that is missing"
PAGE = "a proxy's page, or none"
RULES = MarketRules(
    quantity_step=Decimal("0.00000001"),
    quantity_minimum=Decimal("0.00001"),
    quantity_maximum=Decimal(9999999999),
    price_tick=Decimal("0.1"),
    notional_minimum=Decimal(0),
)
BODY = (
    '{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"ce01234567ab4cde8f0123456789abcd","side":"buy","ordType":"ioc",'
    '"px":"60000","sz":"0.015"}'
)
SIGNED_TEXT = f"2026-11-27T12:00:00.250ZPOST/api/v5/trade/order{BODY}"
SIGNATURE = b64encode(hmac.new(b"our-secret", SIGNED_TEXT.encode(), hashlib.sha256).digest()).decode()


def answered(name, answer, expected, *more, row="no answer", source=PLACE, **fields):
    """An answer to a purchase, and further ones."""
    return Case(row=row, source=source, name=name, answers=[answer, *more], expected=expected, fields=fields)


def bought(name, order_told, expected, *more, row="no answer", source=DETAILS, **fields):
    """An order that was placed, and how it is told then."""
    return answered(name, placed(), expected, asked(order_told), *more, row=row, source=source, **fields)


def with_fills(name, expected, *rows, row="fills not there yet", source=FILLS, more=(), **fields):
    """An order that was filled, and its transactions."""
    return bought(name, order(), expected, fills(*rows), *more, row=row, source=source, **fields)


def looked_up(name, answer, expected, *more, row="no answer", source=ERRORS, **fields):
    answers = [answer, *more]
    return Case(row=row, source=source, name=name, call=look_up, answers=answers, expected=expected, fields=fields)


def in_place(name, value):
    return order(**{name: value})


REFUSALS = [
    refused(row, code, text, trouble, status=status, by_request=by_request, **fields)
    for row, trouble, status, by_request, fields, texts in (
        (
            "refused: size",
            Trouble.COIN,
            400,
            True,
            {},
            (
                ("50000", "Body for POST request cannot be empty."),
                ("50002", "JSON syntax error"),
                ("50006", 'Invalid Content-Type. Please use "application/JSON".'),
                ("50014", "Parameter px cannot be empty."),
            ),
        ),
        (
            "refused: size",
            Trouble.COIN,
            200,
            False,
            {},
            (
                ("50024", "Parameter px and pxUsd cannot exist at the same time."),
                ("50025", "Parameter clOrdId count exceeds the limit 1."),
                ("51012", "Token doesn't exist."),
                ("51015", "Instrument ID doesn't match instrument type."),
                ("51204", "The price for the limit order cannot be empty."),
            ),
        ),
        (
            "refused: size",
            None,
            200,
            False,
            {},
            (
                ("50122", "Order amount must exceed minimum amount"),
                ("51005", "Your order amount exceeds the max order amount."),
                ("51033", "The total amount per order for this pair has reached the upper limit."),
                ("51118", "Total amount should exceed the min amount per order."),
                ("51120", "Order quantity is less than 0.00001. Please try again."),
                ("51150", "The precision of the number of trades or the price exceeds the limit."),
                ("51185", "The maximum value allowed per order is 1000000 USD"),
                ("51203", "Order amount exceeds the limit 9999999999."),
            ),
        ),
        (
            "refused: price band",
            None,
            200,
            False,
            {},
            (
                ("51116", "Order price or trigger price exceeds 1000000."),
                ("51122", "Order price should be higher than the min price 0.1"),
            ),
        ),
        (
            "refused: permission",
            Trouble.VENUE,
            200,
            False,
            {},
            (
                ("50007", "Account blocked."),
                ("50010", "User ID cannot be empty."),
                ("50012", "Account status invalid. Check account status"),
                ("50027", "This account is restricted from trading."),
                ("50028", "Unable to take the order, please reach out to support center for details."),
                ("50029", "Your account has triggered OKX risk control."),
                ("50038", "This feature is unavailable in demo trading"),
                (
                    "50051",
                    "Due to compliance restrictions in your country or region, you are unable to use this feature.",
                ),
                ("50060", "For security and compliance purposes, please complete the identity verification process."),
                ("51009", "Order blocked. Please contact customer support for more details."),
                ("51024", "Trading account is blocked."),
            ),
        ),
        (
            "refused: permission",
            Trouble.COIN,
            200,
            False,
            {},
            (
                ("50018", "BTC frozen and related operations restricted due to auto-deleveraging (ADL)."),
                ("50032", "Your account has been set to prohibit transactions in this currency."),
                ("50033", "Instrument blocked."),
                ("50052", "Due to local laws and regulations, you cannot trade with your chosen crypto."),
                ("51021", "The pair or contract is not yet listed"),
                ("51087", "Listing canceled for this crypto"),
                ("51110", "You can only place a limit order after Call Auction has started."),
                ("51129", "The value of the position and buy order has reached the position limit."),
                ("51140", "Purchase failed due to insufficient sell orders, please try later."),
                ("51143", "There is no valid quotation in the market."),
            ),
        ),
        (
            "refused: key",
            Trouble.VENUE,
            401,
            True,
            {},
            (
                ("50101", "APIKey does not match current environment."),
                ("50103", 'Request header "OK-ACCESS-KEY" cannot be empty.'),
                ("50108", "Exchange ID does not exist."),
                ("50114", "Invalid authorization."),
                ("50119", "API key doesn't exist"),
            ),
        ),
        (
            "refused: funds",
            Trouble.COIN,
            200,
            False,
            {},
            (("51119", "Insufficient balance"), ("51127", "Balance is 0.")),
        ),
        ("refused: clock", None, 401, True, {}, (("50107", 'Header "OK-ACCESS-TIMESTAMP" cannot be empty.'),)),
        (
            "too many calls",
            Trouble.VENUE,
            200,
            False,
            {"retry_after_seconds": 10},
            (("50040", "Too frequent operations"), ("51025", "Order count exceeds the limit.")),
        ),
    )
    for code, text in texts
]
OPEN = [
    answered(f"{code} in a {status}", answer, Unknown, row="unavailable", source=f"{ERRORS}: the outcome is open")
    for code, status in (
        ("50001", 200),
        ("50004", 200),
        ("50004", 400),
        ("50004", 429),
        ("50005", 429),
        ("50013", 200),
        ("50026", 200),
        ("50026", 429),
        ("50042", 200),
        ("50071", 200),
        ("51011", 200),
        ("51054", 200),
        ("51149", 200),
    )
    for answer in (declined(code, "Try again later.", status=status), post(code, message="Try again.", status=status))
]
PAGES = [
    answered(f"{status} {body[:20]}", post("", body=body, status=status), Unknown, row="unavailable", source=PAGE)
    for status, body in (
        (400, ""),
        (400, '{"code":"51008","msg":"Insuff'),
        (400, '[{"code":"51008"}]'),
        (401, "<html>unauthorized</html>"),
        (403, "<html>Sorry, you have been blocked</html>"),
        (404, '{"msg":"no route"}'),
        (405, ""),
        (202, ""),
        (200, '{"code":"0","data":[{"clOrdId":"ce0123'),
        (200, '{"code":"0","data":{}}'),
        (200, '{"code":"0","data":[null]}'),
        (500, '{"code":"51008","msg":"Insufficient balance","data":[]}'),
        (400, '{"code":"0","msg":"","data":[]}'),
    )
]
PLACINGS = [
    answered(
        "codes that are numbers, fields that are new",
        post(0, {**PLACED, "sCode": 0, "subCode": ""}),
        Executed,
        asked(order(tradeQuoteCcy="USDT", linkedAlgoOrd={"algoId": ""}, rebate="0", rebateCcy="USDT")),
        fills(*TRADES),
        row="filled",
        **BOUGHT,
    ),
    answered(
        "an error of part of a request",
        post("2", {**PLACED, "ordId": "", "sCode": "51008", "sMsg": "Order failed."}),
        NotPlaced,
        row="refused: funds",
        trouble=Trouble.COIN,
    ),
    *(
        answered(name, post(code, entry), Unknown, source=HAND_MADE)
        for name, code, entry in (
            ("no sub-code", "0", {"clOrdId": OUR_ID, "ordId": ORDER_ID}),
            ("no id", "0", {**PLACED, "ordId": ""}),
            ("an id of nothing", "0", {**PLACED, "ordId": None}),
            ("an order, and that all operations failed", "1", PLACED),
            ("a refusal of another of our orders", "1", {**PLACED, "clOrdId": "ce9", "ordId": "", "sCode": "51008"}),
        )
    ),
    *(
        answered(
            f"a refusal and an order, {status}",
            post("1", {**PLACED, "sCode": "51008"}, status=status),
            Unknown,
            source=HAND_MADE,
        )
        for status in (200, 400, 429)
    ),
    answered(
        "two refusals",
        post("1", body={"code": "1", "msg": "", "data": [{"sCode": "51008"}, {"sCode": "51008"}]}),
        Unknown,
        source=HAND_MADE,
    ),
    answered(
        "an order that cannot be read yet",
        placed(),
        Unknown,
        asked(code="51603", message="Order does not exist"),
        source=ERRORS,
    ),
    answered("a page instead of the order", placed(), Unknown, asked(body="<html>", status=502), source=PAGE),
    answered(
        "a page with the status of a limit",
        post("", body="<html>slow down</html>", status=429),
        NotPlaced,
        row="too many calls",
        source=PAGE,
        trouble=Trouble.CALLS,
        retry_after_seconds=10,
    ),
]
ORDERS = [
    bought(
        "partly, and still open",
        order(state="partially_filled", accFillSz="0.01"),
        Executed,
        fills(TRADES[1]),
        row="still open",
        final=False,
        quantity="0.01",
    ),
    bought(
        "by the market maker's protection",
        order(**{**NOTHING, "state": "mmp_canceled"}),
        Executed,
        row="nothing filled",
        status="canceled",
        quantity="0",
    ),
    bought(
        "numbers that are no strings",
        order(accFillSz=0.015, sz="1.5E-2", px=60000, avgPx=59900.0, fee=-1.5e-5),
        Executed,
        fills(*({**each, "fillSz": float(each["fillSz"]), "fee": float(each["fee"])} for each in TRADES)),
        row="filled",
        **BOUGHT,
    ),
    bought(
        "an average of more places than the prices have",
        order(px="0.000002", sz="15000", accFillSz="15000", avgPx="0.0000019466667"),
        Executed,
        fills(fill(2, "8000", "0.00000195", "-8"), fill(1, "7000", "0.0000019428572", "-7")),
        row="filled",
        source="recorded by a user of a public client",
        quantity="15000",
        cost="0.02920001",
        commission="15",
    ),
    *(
        bought(f"{name} {value}", in_place(name, value), expected, source=HAND_MADE)
        for name, value, expected in (
            ("accFillSz", "", Unknown),
            ("accFillSz", None, Unknown),
            ("accFillSz", "-0.015", Untrue),
            ("accFillSz", "abc", Untrue),
            ("accFillSz", "0", Untrue),
            ("state", None, Unknown),
            ("state", "effective", Untrue),
            ("side", "sell", Untrue),
            ("instId", "ETH-USDT", Untrue),
            ("ordId", "", Unknown),
            ("cTime", "soon", Unknown),
        )
    ),
]
TRANSACTIONS = [
    with_fills(
        "a rebate",
        Untrue,
        fill(1, "0.015", "59900", "0.000015"),
        row="commission in the coin",
        source=f"{FILLS}: positive for a rebate, which a purchase that takes does not get",
    ),
    with_fills("a commission that is empty", Unknown, fill(1, "0.015", "59900", "")),
    with_fills("no commission", Unknown, fill(1, "0.015", "59900", None), source=HAND_MADE),
    with_fills(
        "a commission of nothing, in no asset",
        Executed,
        fill(1, "0.015", "59900", "0", asset=""),
        row="commission in the coin",
        **{**BOUGHT, "commission": "0"},
    ),
    with_fills(
        "a commission in no asset",
        Executed,
        fill(1, "0.015", "59900", "-0.00001", asset=""),
        row="commission in a third asset",
        foreign_commission="?",
    ),
    with_fills(
        "in two ways",
        Untrue,
        TRADES[0],
        fill(2, "0.005", "59900", "-0.9", billId="680800019754098009"),
        TRADES[1],
        row="another order's fill",
        source=HAND_MADE,
    ),
    with_fills(
        "of another market",
        Unknown,
        fill(1, "0.015", "59900", "-0.000015", instId="ETH-USDT"),
        row="another order's fill",
        source=HAND_MADE,
    ),
    with_fills(
        "one twice on a page, and another on the next one",
        Executed,
        TRADES[1],
        TRADES[1],
        more=[fills(TRADES[0], having={"after": TRADES[1]["billId"]}, lacks=())],
        row="another order's fill",
        source=HAND_MADE,
        **BOUGHT,
    ),
    with_fills(
        "one bill in two ways",
        Untrue,
        TRADES[0],
        {**TRADES[0], "fee": "-0.9"},
        TRADES[1],
        row="another order's fill",
        source=HAND_MADE,
    ),
    with_fills("more than the order", Untrue, fill(3, "0.02", "59900", "-0.00002"), source=HAND_MADE),
    with_fills("without its id", Unknown, {key: value for key, value in TRADES[0].items() if key != "billId"}),
    with_fills(
        "the same page again",
        Unknown,
        TRADES[1],
        more=[fills(TRADES[1], having={"after": TRADES[1]["billId"]}, lacks=())],
        source=HAND_MADE,
    ),
    bought(
        "a page that ends with the order",
        order(state="canceled", accFillSz="0.001"),
        Executed,
        fills(*many(99, 100)),
        row="many fills",
        source=FILLS,
        quantity="0.001",
        commission="0.000001",
    ),
]
FOUND = [
    looked_up(
        "in a 400",
        asked_by_our_id(code="51603", message="Order does not exist", status=400),
        OrderNotFound,
        row="not found",
    ),
    *(
        looked_up(f"{code} in a {status}", asked_by_our_id(code=code, message="", status=status), Unknown)
        for code, status in (("51603", 500), ("1", 200), ("51001", 200), ("50110", 401), ("50004", 400), ("50026", 200))
    ),
]
LISTS = [
    Case(
        row="found in the lists",
        name="beyond six days",
        source=f"{HISTORY}; Order history (last 3 months)",
        call=find_in_lists_since(SINCE - timedelta(days=7)),
        answers=[
            get("trade/orders-pending", []),
            get("trade/orders-history-archive", [order()], having={"begin": "1795172340000"}, lacks=("after",)),
            get("trade/orders-history-archive", [], having={"after": ORDER_ID}),
            get("trade/fills-history", TRADES, lacks=("after", "ordId")),
            get("trade/fills-history", [], having={"after": TRADES[1]["billId"]}, lacks=("ordId",)),
            fills(*TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    *(
        Case(
            row="list over pages",
            name=name,
            source=source,
            call=find_in_lists,
            answers=[get("trade/orders-pending", []), history],
            expected=Unknown,
        )
        for name, source, history in (
            ("cut", PAGE, get("trade/orders-history", None, body='{"code":"0","data":[{"ordId"')),
            ("too many calls", ERRORS, get("trade/orders-history", [], code="50011", status=429)),
            ("an order without its time", HAND_MADE, get("trade/orders-history", [{**order(), "cTime": ""}])),
            ("an order without its id", HAND_MADE, get("trade/orders-history", [{**order(), "ordId": None}])),
        )
    ),
]
CALLS = [
    Case(
        row="sent as documented",
        name="to the last byte",
        source=f"{PLACE}; REST Authentication",
        answers=[placed(), asked(order()), fills(*TRADES)],
        expected=Executed,
        url="https://www.okx.com/api/v5/trade/order",
        body=BODY,
        headers={**SENT_HEADERS, "OK-ACCESS-SIGN": SIGNATURE},
    ),
    Case(
        row="sent as documented",
        name="to demo trading",
        source="OKX API guide V5, Demo Trading Services",
        config={"sandbox": True},
        answers=[placed(), asked(order()), fills(*TRADES)],
        expected=Executed,
        url="https://www.okx.com/api/v5/trade/order",
        body=BODY,
        headers={**SENT_HEADERS, "x-simulated-trading": "1"},
    ),
    Case(
        row="sent as documented",
        name="with half a second",
        source=TIMEOUTS,
        call=buy_within(timedelta(milliseconds=500)),
        answers=[placed(), asked(order()), fills(*TRADES)],
        expected=Executed,
        headers={**SENT_HEADERS, "expTime": "1795780800750"},
    ),
    *(
        Case(
            row="nothing sent",
            name=f"an id like {text[:8]}",
            source=f"{PLACE}: clOrdId",
            call=buy_as(text),
            answers=[],
            expected=NotPlaced,
            fields={"trouble": Trouble.COIN},
        )
        for text in ("ce" + "0" * 31, "ce-0", "ce_0", "ce 0", "ce\u00e40", "")
    ),
    Case(
        row="refused: size",
        name="the rules that purchases keep to",
        source="OKX API guide V5, Get instruments",
        call=rules,
        answers=[],
        expected=RULES,
    ),
    *(
        Case(
            row="refused: symbol",
            name=f"a market in the state {state}",
            source="OKX API guide V5, Get instruments",
            call=rules,
            public=[get("public/instruments", [{**INSTRUMENT, "state": state}], again=True), *PUBLIC[1:]],
            answers=[],
            expected="NoAsk",
        )
        for state in ("suspend", "preopen", "test")
    ),
]
CASES += [*REFUSALS, *OPEN, *PAGES, *PLACINGS, *ORDERS, *TRANSACTIONS, *FOUND, *LISTS, *CALLS]

CONFORMANCE = Conformance(
    profile=OKX,
    config=Config(api_password="our-passphrase"),
    purchase="/api/v5/trade/order",
    signature=frozenset(),
    public=PUBLIC,
    cases=CASES,
    has_no={
        "refused: nonce": "OKX API guide V5, REST Authentication: requests are dated, not numbered",
        "rehearsed": "OKX API guide V5, Order precheck: not in the account modes for spot trading alone",
    },
)
