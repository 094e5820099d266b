"""Cases for OKX: answers in the form of its API guide V5 and of its list of error codes, made by hand."""

from decimal import Decimal

import requests

from settlement.venues.profiles.okx import OKX
from settlement.venues.profiles.words import AccountTerms
from settlement.venues.protocol import Executed, NotPlaced, OrderNotFound, Refused, Trouble, Unknown, Untrue
from tests.settlement.conformance.harness import (
    OUR_ID,
    Case,
    Config,
    Conformance,
    FakeReply,
    balances,
    buy_and_look_up,
    find_in_lists,
    list_figures,
    list_purchases,
    look_up,
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


def placed(**changes):
    entry = {"clOrdId": OUR_ID, "ordId": ORDER_ID, "tag": "", "ts": "1795780800301", "sCode": "0", "sMsg": ""}
    return post("0", {**entry, **changes})


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
