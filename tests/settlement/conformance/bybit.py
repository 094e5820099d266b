"""Cases for Bybit: answers in the form of its V5 documentation, made by hand."""

from dataclasses import replace
from decimal import Decimal

import requests

from settlement.venues.profiles.bybit import BYBIT
from settlement.venues.protocol import (
    AccountTerms,
    Executed,
    NotPlaced,
    OrderNotFound,
    Refused,
    Trouble,
    Unknown,
    Untrue,
)
from tests.settlement.conformance.harness import (
    BUY,
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

CREATE = "V5, Place Order"
REALTIME = "V5, Get Open & Closed Orders"
HISTORY = "V5, Get Order History"
FILLS = "V5, Get Trade History"
ERRORS = "V5, Error Codes"
CCXT = "from ccxt's source, unconfirmed"
ENUMS = "V5, Enums Definitions"
GUIDE = "V5, Integration Guidance"
LIMITS = "V5, Rate Limit"
ORDER = "1523347543495541248"
AT = 1795780800300

MARKET = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "innovation": "0",
    "status": "Trading",
    "marginTrading": "utaOnly",
    "lotSizeFilter": {
        "basePrecision": "0.000001",
        "quotePrecision": "0.0000001",
        "minOrderQty": "0.000011",
        "maxOrderQty": "83",
        "minOrderAmt": "5",
        "maxOrderAmt": "8000000",
    },
    "priceFilter": {"tickSize": "0.01"},
}


def said(result, code=0, message="OK", **changes):
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": AT, **changes}


PUBLIC = [
    FakeReply(
        method="GET",
        path="/v5/market/instruments-info",
        body=said({"category": "spot", "list": [MARKET]}),
        again=True,
    ),
    FakeReply(
        method="GET",
        path="/v5/market/time",
        body=said({"timeSecond": "1795780800", "timeNano": "1795780800250000000"}, time=1795780800250),
        again=True,
    ),
]
SENT = {
    "category": "spot",
    "symbol": "BTCUSDT",
    "isLeverage": 0,
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.015",
    "price": "60000",
    "timeInForce": "IOC",
    "orderLinkId": OUR_ID,
}
HEADERS = {
    "X-BAPI-API-KEY": "our-key",
    "X-BAPI-TIMESTAMP": "1795780800250",
    "X-BAPI-RECV-WINDOW": "5000",
    "Content-Type": "application/json",
}


def placed(order=ORDER, link=OUR_ID, **changes):
    body = said({"orderId": order, "orderLinkId": link})
    return FakeReply(method="POST", path="/v5/order/create", **{"body": body, **changes})


def order(**changes):
    return {
        "orderId": ORDER,
        "orderLinkId": OUR_ID,
        "blockTradeId": "",
        "symbol": "BTCUSDT",
        "price": "60000.00",
        "qty": "0.015000",
        "side": "Buy",
        "isLeverage": "0",
        "orderStatus": "Filled",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "avgPrice": "59900.00",
        "leavesQty": "0.000000",
        "cumExecQty": "0.015000",
        "cumExecValue": "898.50000000",
        "cumExecFee": "0.000015",
        "timeInForce": "IOC",
        "orderType": "Limit",
        "createdTime": str(AT),
        "updatedTime": str(AT + 2),
        **changes,
    }


def trade(number, quantity, price, fee, *, order_id=ORDER, asset="BTC", **changes):
    return {
        "symbol": "BTCUSDT",
        "orderId": order_id,
        "orderLinkId": OUR_ID,
        "side": "Buy",
        "orderPrice": "60000.00",
        "orderQty": "0.015000",
        "leavesQty": "0",
        "orderType": "Limit",
        "execFee": fee,
        "execId": f"2100000000{number:06}",
        "execPrice": price,
        "execQty": quantity,
        "execType": "Trade",
        "execValue": f"{Decimal(quantity) * Decimal(price):f}",
        "execTime": str(AT + number),
        "feeCurrency": asset,
        "isMaker": False,
        "feeRate": "0.001",
        "extraFees": "",
        **changes,
    }


TRADES = [trade(2, "0.005", "59900", "0.000005"), trade(1, "0.01", "59900", "0.00001")]
NOTHING = order(orderStatus="Cancelled", cumExecQty="0.000000", cumExecValue="0.00000000", avgPrice="")
PARTLY = order(orderStatus="PartiallyFilledCanceled", cumExecQty="0.010000", cumExecValue="599.00000000")
BOUGHT = {
    "final": True,
    "status": "closed",
    "venue_order_id": ORDER,
    "quantity": "0.015",
    "cost": "898.5",
    "commission": "0.000015",
    "quote_commission": "0",
    "foreign_commission": "",
    "asked": "0.015",
    "limit_price": "60000",
}


def page(path, rows, cursor="", *, after="", **having):
    """Answer for a page of a list, after the cursor `after`; `cursor` is the next one."""
    body = said({"list": rows, "nextPageCursor": cursor, "category": "spot"})
    wanted = {"category": "spot", **having, **({"cursor": after} if after else {})}
    return FakeReply(method="GET", path=f"/v5/{path}", body=body, having=wanted, lacks=() if after else ("cursor",))


def realtime(rows, name="orderId", value=ORDER):
    return page("order/realtime", rows, symbol="BTCUSDT", **{name: value})


def history(rows, name="orderId", value=ORDER):
    return page("order/history", rows, symbol="BTCUSDT", **{name: value})


def fills(rows, cursor="", *, after=""):
    return page("execution/list", rows, cursor, after=after, orderId=ORDER, limit=100)


def refusal(code, message="no", status=200, **changes):
    return placed(body=said({}, code, message), status=status, **changes)


def refused(row, code, trouble, *, source=ERRORS, status=200, **fields):
    return Case(
        row=row,
        source=source,
        name=f"{status} {code}",
        answers=[refusal(code, status=status)],
        expected=NotPlaced,
        fields={"trouble": trouble, "retry_after_seconds": None, **fields},
    )


def unknown(row, code, *, source=ERRORS, status=200):
    return Case(
        row=row, source=source, name=f"{status} {code}", answers=[refusal(code, status=status)], expected=Unknown
    )


BY_LINK = {"name": "orderLinkId", "value": OUR_ID}
MANY = [trade(each, "0.0001", "59900", "0.0000001") for each in range(150, 0, -1)]
CASES = [
    Case(
        row="filled",
        source=f"{CREATE}; {REALTIME}; {FILLS}",
        answers=[placed(), realtime([order()]), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
        headers=HEADERS,
    ),
    Case(
        row="filled",
        name="and only in the history already",
        source=f"{REALTIME}: cleared when the service restarts",
        answers=[placed(), realtime([]), history([order()]), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="filled",
        name="accepted, and not listed yet",
        source=f"{HISTORY}: data may be delayed",
        answers=[placed(), realtime([]), history([])],
        expected=Unknown,
    ),
    Case(
        row="partly filled",
        source=REALTIME,
        answers=[placed(), realtime([PARTLY]), fills(TRADES[1:])],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0.01", "cost": "599", "commission": "0.00001"},
    ),
    Case(
        row="nothing filled",
        source=REALTIME,
        answers=[placed(), realtime([NOTHING])],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="nothing filled",
        name="accepted, and rejected later",
        source="V5, Enums Definitions: orderStatus, rejectReason",
        answers=[
            placed(),
            realtime([{**NOTHING, "orderStatus": "Rejected", "rejectReason": "EC_NoImmediateQtyToFill"}]),
        ],
        expected=Executed,
        fields={"final": True, "status": "rejected", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="still open",
        source=REALTIME,
        answers=[placed(), realtime([{**NOTHING, "orderStatus": "New"}])],
        expected=Executed,
        fields={"final": False, "status": "open"},
    ),
    Case(
        row="lost and found",
        source=f"{REALTIME}; {HISTORY}",
        call=buy_and_look_up,
        answers=[
            placed(error=requests.ReadTimeout()),
            realtime([], **BY_LINK),
            history([order()], **BY_LINK),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    ),
    Case(
        row="lost and found",
        name="our id was used before",
        source=f"{ERRORS}: 170141",
        call=buy_and_look_up,
        answers=[refusal(170141, "Duplicate clientOrderId."), realtime([order()], **BY_LINK), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="not found",
        source=f"{REALTIME}; {HISTORY}",
        call=look_up,
        answers=[realtime([], **BY_LINK), history([], **BY_LINK)],
        expected=OrderNotFound,
    ),
    Case(
        row="no answer",
        name="a list that leaves our id aside",
        source="hand-made: a venue that does not know the parameter",
        call=look_up,
        answers=[realtime([order(orderLinkId="")], **BY_LINK)],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="an error",
        source=ERRORS,
        call=look_up,
        answers=[FakeReply(method="GET", path="/v5/order/realtime", body=said({}, 10016, "Server error."))],
        expected=Unknown,
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=text[:12],
            call=look_up,
            answers=[FakeReply(method="GET", path="/v5/order/realtime", body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "[]", "<html>busy</html>", '{"retCode":0}', '{"retCode":0,"result":{}}')
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=f"to a purchase {text[:12]}",
            answers=[placed(body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "<html>busy</html>", '{"retCode":0}', '{"retCode":0,"result":{}}')
    ),
    Case(
        row="no answer",
        name="about another order of ours",
        source=CREATE,
        answers=[placed(link="ce9")],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="another order by its id",
        source=REALTIME,
        answers=[placed(), realtime([order(orderLinkId="ce9")])],
        expected=Untrue,
    ),
    refused("refused: funds", 170131, Trouble.COIN),
    refused("refused: funds", 110007, Trouble.COIN),
    refused("refused: funds", 170033, Trouble.COIN),
    refused("refused: size", 170140, None),
    refused("refused: size", 170136, None),
    refused("refused: size", 170137, None),
    refused("refused: size", 170134, None),
    refused("refused: size", 170124, None),
    refused("refused: size", 10001, Trouble.COIN),
    refused("refused: price band", 170193, None),
    refused("refused: price band", 170132, None),
    Case(row="refused: symbol", source=ERRORS, answers=[refusal(170121, "Invalid symbol.")], expected=Refused),
    refused("refused: symbol", 10029, Trouble.COIN),
    refused("refused: permission", 10005, Trouble.VENUE),
    refused("refused: permission", 10010, Trouble.VENUE),
    refused("refused: permission", 10024, Trouble.VENUE),
    refused("refused: permission", 170201, Trouble.VENUE, source=CCXT),
    refused("refused: key", 10003, Trouble.VENUE),
    refused("refused: key", 10003, Trouble.VENUE, status=401),
    refused("refused: key", 33004, Trouble.VENUE),
    refused("refused: signature", 10004, Trouble.VENUE),
    refused("refused: clock", 10002, None, source=f"{ERRORS}; {GUIDE}"),
    unknown("refused: words of no table", 179999),
    unknown("refused: words of no table", 10014),
    unknown("refused: words of no table", 170007),
    unknown("refused: words of no table", 170146),
    unknown("refused: words of no table", 170131, status=502),
    Case(
        row="refused: words of no table",
        name="an error and an order",
        source="hand-made: a contradiction",
        answers=[placed(body=said({"orderId": ORDER, "orderLinkId": OUR_ID}, 170131, "no"))],
        expected=Unknown,
    ),
    refused("too many calls", 10018, Trouble.CALLS, source=LIMITS, retry_after_seconds=10),
    Case(
        row="too many calls",
        name="until the time that it says",
        source=LIMITS,
        answers=[
            refusal(10006, "Too many visits!", headers={"X-Bapi-Limit-Reset-Timestamp": str(AT + 2500)}),
        ],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 2.5},
    ),
    Case(
        row="too many calls",
        name="429",
        source=ERRORS,
        answers=[placed(body="", status=429)],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 10},
    ),
    refused("too many calls", 170005, Trouble.VENUE, retry_after_seconds=10),
    Case(
        row="too many calls",
        name="of a question",
        source=LIMITS,
        call=look_up,
        answers=[FakeReply(method="GET", path="/v5/order/realtime", body=said({}, 10006, "Too many visits!"))],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    unknown("unavailable", 10016),
    unknown("unavailable", 10000),
    *(
        Case(
            row="unavailable",
            source=f"{ERRORS}: HTTP codes, and a proxy's",
            name=str(status),
            answers=[placed(body="<html>", status=status)],
            expected=Unknown,
        )
        for status in (400, 404, 500, 502, 503, 504)
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
        name="a key in one line",
        source="ccxt's source: sign",
        answers=[],
        config={"api_secret": "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA==\\n-----END PRIVATE KEY-----"},
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="nothing sent",
        name="no connection",
        source="requests' documentation, Errors and Exceptions",
        answers=[placed(error=requests.ConnectTimeout())],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    Case(
        row="nothing sent",
        name="no markets",
        source="ccxt's source: load_markets",
        answers=[],
        public=[FakeReply(method="GET", path="/v5/market/instruments-info", status=502, body="<html>", again=True)],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    Case(
        row="commission in the coin",
        source=f"{FILLS}: feeCurrency",
        answers=[placed(), realtime([order()]), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="commission in the quote asset",
        source=f"{FILLS}: feeCurrency",
        answers=[placed(), realtime([order()]), fills([trade(1, "0.015", "59900", "0.8985", asset="USDT")])],
        expected=Executed,
        fields={"cost": "899.3985", "quote_commission": "0.8985", "commission": "0"},
    ),
    Case(
        row="commission in a third asset",
        source=f"{FILLS}: feeCurrency",
        answers=[placed(), realtime([order()]), fills([trade(1, "0.015", "59900", "1.2", asset="MNT")])],
        expected=Executed,
        fields={"foreign_commission": "MNT", "commission": "0", "quote_commission": "0"},
    ),
    Case(
        row="commission in a third asset",
        name="in none that is named",
        source=FILLS,
        answers=[placed(), realtime([order()]), fills([trade(1, "0.015", "59900", "1.2", asset="")])],
        expected=Executed,
        fields={"foreign_commission": "?"},
    ),
    Case(
        row="commission in a third asset",
        name="fees beside it",
        source=f"{FILLS}: extraFees",
        answers=[placed(), realtime([order()]), fills([trade(1, "0.015", "59900", "0", extraFees="[{}]")])],
        expected=Untrue,
    ),
    Case(
        row="commission with nine decimals",
        source="hand-made",
        answers=[
            placed(),
            realtime([order(orderStatus="PartiallyFilledCanceled", cumExecQty="0.007533", cumExecValue="451.2267")]),
            fills([trade(1, "0.007533", "59900", "0.000010015")]),
        ],
        expected=Executed,
        fields={"quantity": "0.007533", "commission": "0.00001002", "cost": "451.2267"},
    ),
    Case(
        row="many fills",
        source=f"{FILLS}: limit, cursor",
        answers=[
            placed(),
            realtime([order()]),
            fills(MANY[:100], "page2"),
            fills(MANY[100:], "page3", after="page2"),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="another order's fill",
        name="with ours",
        source=FILLS,
        answers=[
            placed(),
            realtime([order()]),
            fills([trade(9, "0.015", "59900", "9", order_id="OTHER", asset="USDT"), *TRADES]),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="another order's fill",
        name="instead of ours",
        source=FILLS,
        answers=[placed(), realtime([order()]), fills([trade(9, "0.015", "59900", "9", order_id="OTHER")])],
        expected=Unknown,
    ),
    Case(
        row="another order's fill",
        name="ours twice",
        source=FILLS,
        answers=[
            placed(),
            realtime([order()]),
            fills([TRADES[0], TRADES[0]], "page2"),
            fills([TRADES[1]], after="page2"),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="fills not there yet",
        source=FILLS,
        answers=[placed(), realtime([order()]), fills(TRADES[:1])],
        expected=Unknown,
    ),
    Case(
        row="list over pages",
        source=f"{HISTORY}: seven days, cursor",
        call=list_purchases,
        answers=[
            page(
                "order/realtime",
                [order(orderId="O3", orderLinkId="ce3", orderStatus="New", cumExecQty="0", cumExecValue="0")],
                "end",
                symbol="BTCUSDT",
                openOnly=0,
            ),
            page("order/realtime", [], "end", after="end"),
            page(
                "order/history",
                [order(orderId="O2", orderLinkId="ce2", createdTime=str(AT - 1000)), order(orderLinkId="")],
                "page2",
                symbol="BTCUSDT",
                startTime=1795777200000,
            ),
            page(
                "order/history",
                [
                    order(orderId="O2", orderLinkId="ce2", createdTime=str(AT - 1000)),
                    order(orderId="O1", createdTime=str(AT - 2000)),
                    order(orderId="O0", orderLinkId="ce0", createdTime="1795777199999"),
                ],
                after="page2",
            ),
        ],
        expected=[
            (OUR_ID, "O1", Decimal("0.015"), Decimal("898.5")),
            ("ce2", "O2", Decimal("0.015"), Decimal("898.5")),
            ("ce3", "O3", Decimal(0), Decimal(0)),
        ],
    ),
    Case(
        row="figures of a list",
        source=FILLS,
        call=list_figures,
        answers=[
            page("order/realtime", [], symbol="BTCUSDT"),
            page("order/history", [order(), order(orderId="O2", orderLinkId="ce2")], symbol="BTCUSDT"),
            page(
                "execution/list",
                [trade(9, "0.01", "59900", "0.00001", order_id="O2"), TRADES[0]],
                "page2",
                symbol="BTCUSDT",
                startTime=1795777200000,
            ),
            page("execution/list", [TRADES[1]], after="page2"),
        ],
        expected={ORDER: (Decimal("898.5"), Decimal("0.000015"), Decimal(0), "")},
    ),
    Case(
        row="found in the lists",
        source=HISTORY,
        call=find_in_lists,
        answers=[
            page("order/realtime", [], symbol="BTCUSDT"),
            page("order/history", [order()], symbol="BTCUSDT", startTime=1795777140000),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="found in the lists",
        name="neither there",
        source=FILLS,
        call=find_in_lists,
        answers=[
            page("order/realtime", [], symbol="BTCUSDT"),
            page("order/history", [], symbol="BTCUSDT"),
            page("execution/list", [], symbol="BTCUSDT"),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="found in the lists",
        name="a list without rows",
        source="hand-made",
        call=find_in_lists,
        answers=[FakeReply(method="GET", path="/v5/order/realtime", body=said({}))],
        expected=Unknown,
    ),
    Case(
        row="balances",
        source="V5, Get Wallet Balance",
        call=balances,
        answers=[
            FakeReply(
                method="GET",
                path="/v5/account/wallet-balance",
                having={"accountType": "UNIFIED"},
                again=True,
                body=said(
                    {
                        "list": [
                            {
                                "accountType": "UNIFIED",
                                "coin": [
                                    {
                                        "coin": "USDT",
                                        "walletBalance": "101.5",
                                        "locked": "0.75",
                                        "totalOrderIM": "0.5",
                                        "totalPositionIM": "",
                                    },
                                    {"coin": "BTC", "walletBalance": "0.805994", "locked": "0"},
                                    {"coin": "BAD", "walletBalance": "many", "locked": "0"},
                                ],
                            }
                        ]
                    }
                ),
            )
        ],
        expected=(Decimal("100.25"), {"USDT": Decimal("101.5"), "BTC": Decimal("0.805994")}),
    ),
    Case(
        row="third asset seen at start",
        name="permission and rate; no third asset is told",
        source="V5, Get API Key Information; Get Fee Rate",
        call=terms,
        answers=[
            FakeReply(
                method="GET",
                path="/v5/user/query-api",
                body=said({"readOnly": 0, "permissions": {"Spot": ["SpotTrade"], "Wallet": []}}),
            ),
            page(
                "account/fee-rate",
                [{"symbol": "BTCUSDT", "takerFeeRate": "0.0018", "makerFeeRate": "0.001"}],
                symbol="BTCUSDT",
            ),
        ],
        expected=AccountTerms(can_trade=True, taker_rate=Decimal("0.0018")),
    ),
    Case(
        row="third asset seen at start",
        name="a key that only reads",
        source="V5, Get API Key Information",
        call=terms,
        answers=[
            FakeReply(
                method="GET",
                path="/v5/user/query-api",
                body=said({"readOnly": 1, "permissions": {"Spot": ["SpotTrade"]}}),
            ),
            page("account/fee-rate", [], symbol="BTCUSDT"),
        ],
        expected=AccountTerms(can_trade=False),
    ),
    Case(
        row="sent as documented",
        source=f"{CREATE}; {GUIDE}",
        answers=[placed(), realtime([order()]), fills(TRADES)],
        expected=Executed,
        sent=SENT,
        headers=HEADERS,
    ),
]


def told(name, changes, expected, *, row="no answer", source=REALTIME, trades=(), **fields):
    """Make a case of an order whose answer has other fields; None as a value removes the field."""
    said_order = {name: value for name, value in order(**changes).items() if value is not None}
    answers = [placed(), realtime([said_order]), *([fills(list(trades))] if trades else [])]
    return Case(row=row, source=source, name=name, answers=answers, expected=expected, fields=fields)


def traded(name, trades, expected, *, row="another order's fill", source=FILLS, **fields):
    """Make a case of the executed order, and of what the list of its trades says."""
    answers = [placed(), realtime([order()]), fills(trades)]
    return Case(row=row, source=source, name=name, answers=answers, expected=expected, fields=fields)


def buying(**changes):
    """Make a call that buys something else."""
    return lambda venue: venue.buy(purchase=replace(BUY, **changes))


def whole(fee="0.000015", **changes):
    return trade(1, "0.015", "59900", fee, **changes)


EDGES = [
    *(
        Case(
            row="nothing sent",
            name=f"an id like {name!a}",
            source=f"{CREATE}: orderLinkId",
            call=buying(client_order_id=name),
            answers=[],
            expected=NotPlaced,
            fields={"trouble": Trouble.COIN},
        )
        for name in ("", "c" * 37, "ce 0", "ce0\n", "ce\u0660")
    ),
    Case(
        row="sent as documented",
        name="without exponents",
        source="hand-made",
        call=buying(quantity=Decimal("1E-7"), limit_price=Decimal("1E+5")),
        answers=[placed(body="")],
        expected=Unknown,
        sent={**SENT, "qty": "0.0000001", "price": "100000"},
    ),
    *(
        refused(row, code, trouble, source=source)
        for row, trouble, source, codes in (
            ("refused: funds", Trouble.COIN, ERRORS, (110004, 110012, 110045, 110052)),
            ("refused: size", None, ERRORS, (110094, 170341, 170381, 170382)),
            ("refused: size", Trouble.COIN, ERRORS, (170228,)),
            ("refused: price band", None, ERRORS, (30208, 110003, 110121, 170192, 170371, 170372)),
            ("refused: symbol", Trouble.COIN, ERRORS, (170151, 170157, 170217, 170221, 170227, 170709)),
            ("refused: permission", Trouble.COIN, ERRORS, (170224, 170241)),
            ("refused: permission", Trouble.COIN, CCXT, (170209,)),
            ("refused: permission", Trouble.VENUE, ERRORS, (10024, 10028, 110066, 110088, 170219, 170220, 170348)),
            ("refused: key", Trouble.VENUE, ERRORS, (10009, -2015)),
        )
        for code in codes
    ),
    refused("too many calls", 170222, Trouble.CALLS, retry_after_seconds=10),
    refused("too many calls", 110020, Trouble.VENUE, retry_after_seconds=10),
    refused("too many calls", 170810, Trouble.VENUE, retry_after_seconds=10),
    refused("refused: funds", 170131, Trouble.COIN, source="hand-made", status=400),
    refused("too many calls", 10006, Trouble.CALLS, source="hand-made", status=403, retry_after_seconds=10),
    *(
        unknown("refused: words of no table", code)
        for code in (-1, 429, 10014, 110072, 170001, 170032, 170035, 170139, 170141, 170149, 170234, 3400214)
    ),
    *(
        Case(
            row="refused: key",
            source=f"{ERRORS}: HTTP code 401",
            name=f"401 {body}",
            answers=[placed(body=body, status=401)],
            expected=NotPlaced,
            fields={"trouble": Trouble.VENUE},
        )
        for body in ("", "<html>")
    ),
    Case(
        row="too many calls",
        name="an address that is banned, which proves nothing about the order",
        source=f"{LIMITS}: 403, access too frequent; at least ten minutes",
        answers=[placed(body="<html>", status=403)],
        expected=Unknown,
        fields={"retry_after_seconds": 600},
    ),
    Case(
        row="too many calls",
        name="a question by an address that is banned",
        source=f"{LIMITS}: 403, access too frequent; at least ten minutes",
        call=look_up,
        answers=[FakeReply(method="GET", path="/v5/order/realtime", status=403, body="")],
        expected=Unknown,
        fields={"retry_after_seconds": 600},
    ),
    Case(
        row="refused: funds",
        name="a code as text",
        source="ccxt's recorded answers",
        answers=[refusal("170131", "Balance insufficient")],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    *(
        Case(
            row="no answer",
            source="hand-made",
            name=f"to a purchase, {name}",
            answers=[placed(body=body)],
            expected=Unknown,
        )
        for name, body in (
            ("cut off in a refusal", '{"retCode":170131,"retMsg":"Balance insuffic'),
            ("two of them", '{"retCode":170131,"result":{}}{"retCode":0}'),
            ("a code that is null", {"retCode": None, "retMsg": "", "result": {}}),
            ("a code with a point", '{"retCode":170131.5,"result":{}}'),
            ("the names of the version before", {"ret_code": 170131, "ret_msg": "Balance insufficient"}),
            ("an id that is a number", said({"orderId": 1523347543495541248, "orderLinkId": OUR_ID})),
            ("an id that is empty", said({"orderId": "", "orderLinkId": OUR_ID})),
            ("without our id", said({"orderId": ORDER})),
        )
    ),
    Case(
        row="too many calls",
        name="and an order",
        source="hand-made: a contradiction",
        answers=[placed(status=429)],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    told("no status", {"orderStatus": None}, Unknown),
    told("no quantity", {"cumExecQty": None}, Unknown),
    told("no value", {"cumExecValue": None}, Unknown),
    told("no time", {"createdTime": None}, Unknown),
    told("no id", {"orderId": None}, Unknown),
    told("an empty quantity", {"cumExecQty": ""}, Untrue),
    told("a status that is not documented", {"orderStatus": "PendingCancel"}, Untrue),
    told("another market", {"symbol": "BTCUSDC"}, Untrue),
    told("to sell", {"side": "Sell"}, Untrue),
    told("filled, and nothing executed", {"cumExecQty": "0", "cumExecValue": "0"}, Untrue),
    told("a value that its trades deny", {"cumExecValue": "899.5"}, Untrue, trades=TRADES),
    told("our id is not repeated", {"orderLinkId": None}, Executed, row="filled", trades=TRADES, **BOUGHT),
    told(
        "numbers, and further fields",
        {"cumExecQty": 0.015, "cumExecValue": 898.5, "cumFeeDetail": {"BTC": "0.000015"}, "new": {"of": [1]}},
        Executed,
        row="filled",
        source=f"{REALTIME}: cumFeeDetail; numbers are hand-made",
        trades=[whole(1.5e-05, execQty=0.015, execValue=898.5)],
        **BOUGHT,
    ),
    told(
        "cancelled, and executed in part",
        {"orderStatus": "Cancelled", "cumExecQty": "0.010000", "cumExecValue": "599.00000000"},
        Executed,
        row="partly filled",
        source=f"{HISTORY}: orderStatus",
        trades=TRADES[1:],
        final=True,
        status="canceled",
        quantity="0.01",
    ),
    *(
        told(status, {**NOTHING, "orderStatus": status}, Executed, row=row, source=ENUMS, final=final, quantity="0")
        for row, final, statuses in (
            ("still open", False, ("Created", "New", "PartiallyFilled", "Untriggered", "Triggered")),
            ("nothing filled", True, ("Deactivated", "Rejected", "PartiallyFilledCanceled")),
        )
        for status in statuses
    ),
    traded("more than was executed", [*TRADES, trade(3, "0.005", "59900", "0.000005")], Untrue),
    traded("ours in two ways", [*TRADES, trade(1, "0.01", "59900", "0.00002")], Untrue),
    traded("to sell", [whole(side="Sell")], Untrue),
    traded("in another market", [whole(symbol="BTCUSDC")], Unknown),
    traded(
        "a fee for something else",
        [*TRADES, trade(3, "0", "59900", "0.0000001", execType="Funding")],
        Untrue,
        source=f"{ENUMS}: execType",
    ),
    traded("a commission that is missing", [whole(None)], Unknown, row="commission in the coin"),
    traded("a commission of nothing", [whole("0", asset="")], Executed, row="commission in the coin", commission="0"),
    traded("a rebate, which a taker does not get", [whole("-0.000015")], Untrue, row="commission in the coin"),
    traded("no further fees, as JSON", [whole(extraFees="[]")], Executed, row="commission in the coin", **BOUGHT),
    traded(
        "in the coin and in a third asset",
        [TRADES[0], trade(1, "0.01", "59900", "0.5", asset="MNT")],
        Executed,
        row="commission in a third asset",
        source=f"{FILLS}: feeCurrency; {REALTIME}: cumFeeDetail",
        foreign_commission="MNT",
    ),
    Case(
        row="many fills",
        name="a cursor is sent back as it came",
        source=f"{FILLS}: nextPageCursor",
        answers=[
            placed(),
            realtime([order()]),
            fills(MANY[:100], "132766%3A2%2C132766%3A2"),
            fills(MANY[100:], after="132766:2,132766:2"),  # as the wire decodes it
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="many fills",
        name="as many as a page holds, which names a cursor nevertheless",
        source="hand-made",
        answers=[
            placed(),
            realtime([order(cumExecQty="0.0101")]),
            fills(MANY[:100], "page2"),
            fills([], "page2", after="page2"),
        ],
        expected=Unknown,
    ),
    Case(
        row="many fills",
        name="the same page again",
        source="hand-made",
        answers=[placed(), realtime([order()]), fills(MANY[:100], "page2"), fills(MANY[:100], "page2", after="page2")],
        expected=Unknown,
    ),
    Case(
        row="many fills",
        name="a full page without a cursor",
        source="hand-made",
        answers=[
            placed(),
            realtime([order()]),
            FakeReply(method="GET", path="/v5/execution/list", body=said({"list": MANY[:100]})),
        ],
        expected=Unknown,
    ),
    Case(
        row="found in the lists",
        name="a full page without a cursor is no end",
        source="hand-made",
        call=find_in_lists,
        answers=[
            page("order/realtime", []),
            FakeReply(
                method="GET",
                path="/v5/order/history",
                body=said({"list": [order(orderId=f"O{each}", orderLinkId="") for each in range(50)]}),
            ),
        ],
        expected=Unknown,
    ),
    Case(
        row="found in the lists",
        name="although another order was executed in another way",
        source=f"{ENUMS}: execType",
        call=find_in_lists,
        answers=[
            page("order/realtime", []),
            page("order/history", [order(orderId="O2", orderLinkId="")]),
            page("execution/list", [trade(9, "1", "59900", "0", order_id="O2", execType="BlockTrade")]),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="lost and found",
        name="the newest of two with our id",
        source="hand-made",
        call=look_up,
        answers=[
            realtime([order(orderId="OLD", createdTime=str(AT - 9)), order(orderLinkId=OUR_ID)], **BY_LINK),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="third asset seen at start",
        name="an answer that says nothing of permissions",
        source="V5, Get API Key Information",
        call=terms,
        answers=[
            FakeReply(method="GET", path="/v5/user/query-api", body=said({"permissions": None})),
            page("account/fee-rate", [{"symbol": "ETHUSDT", "takerFeeRate": "0.001"}], symbol="BTCUSDT"),
        ],
        expected=AccountTerms(),
    ),
]

CONFORMANCE = Conformance(
    profile=BYBIT,
    config=Config(),
    purchase="/v5/order/create",
    signature=frozenset(),
    public=PUBLIC,
    cases=[*CASES, *EDGES],
    has_no={
        "refused: nonce": f"{GUIDE}: requests are dated, and not numbered",
        "rehearsed": "V5, Trade: no endpoint checks a spot order without placing it",
    },
)
