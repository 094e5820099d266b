"""Cases for KuCoin: answers in the form of its REST documentation, made by hand."""

from decimal import Decimal

import requests

from settlement.venues.profiles.kucoin import KUCOIN
from settlement.venues.protocol import (
    AccountTerms,
    Executed,
    NotPlaced,
    OrderNotFound,
    Refused,
    Trouble,
    Unknown,
    Untrue,
    VenueAway,
)
from tests.settlement.conformance.harness import (
    OUR_ID,
    Case,
    Config,
    Conformance,
    FakeReply,
    balances,
    buy_and_look_up,
    buy_as,
    find_in_lists,
    list_figures,
    list_in_vain,
    list_of_nine_days,
    list_purchases,
    look_up,
    rehearse,
    terms,
)

ADD = "REST, Add Order"
QUERY = "REST, Get Order By OrderId"
BY_CLIENT = "REST, Get Order By ClientOid"
FILLS = "REST, Get Trade History"
DONE = "REST, Get Closed Orders"
ERRORS = "Error Code"
SPOT_ERRORS = "Spot Error Code"
CCXT = "from ccxt's source, unconfirmed"
LIMITS = "Rate Limit"
GATEWAY = "Error Code, Gateway"
CLIENTS = "recorded by public clients"
KUCOIN_NET = "Kucoin.Net's table of errors, unconfirmed"
ORDER = "671124f9365ccb00073debd4"
AT = 1795780800300

MARKET = {
    "symbol": "BTC-USDT",
    "name": "BTC-USDT",
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "feeCurrency": "USDT",
    "market": "USDS",
    "baseMinSize": "0.00001",
    "quoteMinSize": "0.1",
    "baseMaxSize": "10000000000",
    "quoteMaxSize": "99999999",
    "baseIncrement": "0.00000001",
    "quoteIncrement": "0.000001",
    "priceIncrement": "0.1",
    "priceLimitRate": "0.1",
    "minFunds": "0.1",
    "isMarginEnabled": True,
    "enableTrading": True,
    "feeCategory": 1,
    "makerFeeCoefficient": "1.00",
    "takerFeeCoefficient": "1.00",
    "st": False,
}


def said(data, code="200000", **changes):
    return {"code": code, "data": data, **changes}


PUBLIC = [
    FakeReply(method="GET", path="/api/v2/symbols", body=said([MARKET]), again=True),
    FakeReply(method="GET", path="/api/v1/timestamp", body=said(1795780800250), again=True),
]
SENT = {
    "clientOid": OUR_ID,
    "side": "buy",
    "symbol": "BTC-USDT",
    "type": "limit",
    "price": "60000",
    "size": "0.015",
    "timeInForce": "IOC",
    "clientTimestamp": 1795780800250,
    "allowMaxTimeWindow": 5000,
}
HEADERS = {"KC-API-KEY": "our-key", "KC-API-TIMESTAMP": "1795780800250", "Content-Type": "application/json"}


def placed(order=ORDER, client=OUR_ID, **changes):
    body = said({"orderId": order, "clientOid": client})
    return FakeReply(method="POST", path="/api/v1/hf/orders", **{"body": body, **changes})


def order(**changes):
    return {
        "id": ORDER,
        "clientOid": OUR_ID,
        "symbol": "BTC-USDT",
        "opType": "DEAL",
        "type": "limit",
        "side": "buy",
        "price": "60000",
        "size": "0.015",
        "funds": "900",
        "dealSize": "0.015",
        "dealFunds": "898.5",
        "remainSize": "0",
        "remainFunds": "0",
        "cancelledSize": "0",
        "cancelledFunds": "0",
        "fee": "0.8985",
        "feeCurrency": "USDT",
        "stp": None,
        "timeInForce": "IOC",
        "postOnly": False,
        "hidden": False,
        "iceberg": False,
        "visibleSize": "0",
        "cancelAfter": 0,
        "channel": "API",
        "remark": None,
        "tags": None,
        "cancelExist": False,
        "tradeType": "TRADE",
        "inOrderBook": False,
        "active": False,
        "tax": "0",
        "createdAt": AT,
        "lastUpdatedAt": AT + 2,
        **changes,
    }


def trade(number, quantity, price, fee, *, order_id=ORDER, asset="USDT", **changes):
    return {
        "id": 19814995255300 + number,
        "orderId": order_id,
        "counterOrderId": "67112a0d0f1e5d0007a0d1f2",
        "tradeId": 11029373945659390 + number,
        "symbol": "BTC-USDT",
        "side": "buy",
        "liquidity": "taker",
        "type": "limit",
        "forceTaker": False,
        "price": price,
        "size": quantity,
        "funds": f"{Decimal(quantity) * Decimal(price):f}",
        "fee": fee,
        "feeRate": "0.001",
        "feeCurrency": asset,
        "stop": "",
        "tradeType": "TRADE",
        "taxRate": "0",
        "tax": "0",
        "createdAt": AT + number,
        **changes,
    }


TRADES = [trade(2, "0.005", "59900", "0.2995"), trade(1, "0.01", "59900", "0.599")]
NOTHING = order(dealSize="0", dealFunds="0", fee="0", cancelExist=True, cancelledSize="0.015")
PARTLY = order(dealSize="0.01", dealFunds="599", cancelExist=True, cancelledSize="0.005")
BOUGHT = {
    "final": True,
    "status": "closed",
    "venue_order_id": ORDER,
    "quantity": "0.015",
    "cost": "899.3985",
    "commission": "0",
    "quote_commission": "0.8985",
    "foreign_commission": "",
    "asked": "0.015",
    "limit_price": "60000",
}


def got(path, data, **having):
    return FakeReply(method="GET", path=f"/api/v1/{path}", body=said(data), having=having)


def queried(data):
    return got(f"hf/orders/{ORDER}", data, symbol="BTC-USDT")


def by_client(data):
    return got(f"hf/orders/client-order/{OUR_ID}", data, symbol="BTC-USDT")


def not_there(message, code="400100", status=200):
    path = f"/api/v1/hf/orders/client-order/{OUR_ID}"
    return FakeReply(method="GET", path=path, body={"code": code, "msg": message}, status=status)


def page(path, rows, *, after="", **having):
    """Answer for a page of a list, after the row with the id `after`."""
    last = rows[-1]["id"] if rows else 0
    return FakeReply(
        method="GET",
        path=f"/api/v1/hf/{path}",
        body=said({"items": rows, "lastId": last}),
        having={"symbol": "BTC-USDT", "limit": 100, **having, **({"lastId": after} if after else {})},
        lacks=() if after else ("lastId",),
    )


def fills(rows, *, after=""):
    return page("fills", rows, after=after, orderId=ORDER)


def refusal(code, message="no", status=200, **changes):
    return placed(body={"code": str(code), "msg": message}, status=status, **changes)


def refused(row, code, trouble, message="no", *, source=SPOT_ERRORS, status=200, **fields):
    return Case(
        row=row,
        source=source,
        name=f"{status} {code} {message}",
        answers=[refusal(code, message, status)],
        expected=NotPlaced,
        fields={"trouble": trouble, "retry_after_seconds": None, **fields},
    )


def unknown(row, code, message="no", *, source=SPOT_ERRORS, status=200):
    return Case(
        row=row,
        source=source,
        name=f"{status} {code} {message}",
        answers=[refusal(code, message, status)],
        expected=Unknown,
    )


MANY = [trade(each, "0.0001", "59900", "0.00599") for each in range(150, 0, -1)]
CASES = [
    Case(
        row="filled",
        source=f"{ADD}; {QUERY}; {FILLS}",
        answers=[placed(), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
        headers=HEADERS,
    ),
    Case(
        row="partly filled",
        source=QUERY,
        answers=[placed(), queried(PARTLY), fills(TRADES[1:])],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0.01", "cost": "599.599"},
    ),
    Case(
        row="nothing filled",
        source=QUERY,
        answers=[placed(), queried(NOTHING)],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="still open",
        source=f"{QUERY}: active",
        answers=[placed(), queried({**NOTHING, "active": True})],
        expected=Executed,
        fields={"final": False, "status": "open"},
    ),
    Case(
        row="lost and found",
        source=BY_CLIENT,
        call=buy_and_look_up,
        answers=[placed(error=requests.ReadTimeout()), by_client(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    ),
    Case(
        row="lost and found",
        name="our id was used before",
        source=CCXT,
        call=buy_and_look_up,
        answers=[refusal(400100, "clientOid duplicate"), by_client(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    *(
        Case(
            row="not found",
            source=f"{BY_CLIENT}: a prompt that it does not exist; the words are {CCXT}",
            name=f"{code} {message}",
            call=look_up,
            answers=[not_there(message, code, status)],
            expected=OrderNotFound,
        )
        for message, code, status in (
            ("order not exist.", "400100", 200),
            ("The order does not exist.", "400100", 200),
            ("order_not_exist", "order_not_exist", 200),
            ("error.getOrder.orderNotExist", "100001", 400),
        )
    ),
    Case(
        row="no answer",
        name="another error with the same code",
        source=SPOT_ERRORS,
        call=look_up,
        answers=[not_there("Parameter Error")],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="not there, in a 5XX",
        source=SPOT_ERRORS,
        call=look_up,
        answers=[not_there("order not exist.", status=502)],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="an order that does not say whether it is active",
        source="hand-made",
        call=look_up,
        answers=[by_client({**order(), "active": None})],
        expected=Unknown,
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=text[:12],
            call=look_up,
            answers=[FakeReply(method="GET", path=f"/api/v1/hf/orders/client-order/{OUR_ID}", body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "[]", "<html>busy</html>", '{"code":"200000"}', '{"code":"200000","data":null}')
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=f"to a purchase {text[:12]}",
            answers=[placed(body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "<html>busy</html>", '{"code":"200000"}', '{"code":"200000","data":{}}')
    ),
    Case(
        row="no answer",
        name="about another order of ours",
        source=ADD,
        answers=[placed(client="ce9")],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="another order by its id",
        source=QUERY,
        answers=[placed(), queried(order(clientOid="ce9"))],
        expected=Untrue,
    ),
    refused("refused: funds", 200004, Trouble.COIN, "Balance insufficient!"),
    refused("refused: funds", 400100, Trouble.COIN, "account.available.amount"),
    refused("refused: size", 400100, None, "Order size below the minimum requirement.", source=CCXT),
    refused("refused: size", 600100, None, "Order size increment invalid.", source=CCXT),
    refused("refused: size", 600101, None, "The order funds should more then 0.1 USDT.", source=CCXT),
    refused("refused: size", 400100, Trouble.COIN, "Parameter Error"),
    refused("refused: price band", 400370, None, "Max. price: 0.025", source=CCXT),
    refused("refused: price band", 400760, None, "order price should be more than 1", source=CCXT),
    Case(
        row="refused: symbol",
        source=CCXT,
        answers=[refusal(400100, "Unsupported trading pair.")],
        expected=Refused,
    ),
    refused("refused: symbol", 400600, Trouble.COIN, "validation.createOrder.symbolNotAvailable"),
    refused("refused: symbol", 600203, Trouble.COIN, "Symbol BTC-USDT cant be traded"),
    refused("refused: symbol", 200001, Trouble.COIN, "Order creation for this pair suspended"),
    refused("refused: permission", 400007, Trouble.VENUE, source=ERRORS),
    refused("refused: permission", 400006, Trouble.VENUE, source=ERRORS),
    refused("refused: permission", 411100, Trouble.VENUE),
    refused("refused: permission", 200009, Trouble.COIN),
    refused("refused: permission", 400500, Trouble.COIN),
    refused("refused: key", 400003, Trouble.VENUE, source=ERRORS),
    refused("refused: key", 400003, Trouble.VENUE, source=ERRORS, status=401),
    refused("refused: key", 400004, Trouble.VENUE, source=ERRORS),
    refused("refused: signature", 400005, Trouble.VENUE, source=ERRORS),
    refused("refused: clock", 400002, None, "Invalid KC-API-TIMESTAMP", source=ERRORS),
    unknown("refused: words of no table", 999999),
    unknown("refused: words of no table", 400100, "clientOid duplicate", source=CCXT),
    unknown("refused: words of no table", 126041, "clientTimestamp parameter error", source=CCXT),
    unknown("refused: words of no table", 200004, "Balance insufficient!", status=502),
    Case(
        row="refused: words of no table",
        name="an error and an order",
        source="hand-made: a contradiction",
        answers=[placed(body=said({"orderId": ORDER, "clientOid": OUR_ID}, "200004"))],
        expected=Unknown,
    ),
    refused("too many calls", 429000, Trouble.CALLS, "Too many requests.", source=LIMITS, retry_after_seconds=10),
    Case(
        row="too many calls",
        name="until the time that it says",
        source=f"{LIMITS}: gw-ratelimit-reset",
        answers=[refusal(429000, "Too many requests.", headers={"gw-ratelimit-reset": "2500"})],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 2.5},
    ),
    Case(
        row="too many calls",
        name="429",
        source=LIMITS,
        answers=[refusal(429000, "Too many requests.", 429)],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS},
    ),
    refused("too many calls", 200003, Trouble.VENUE, "Number of orders breached the limit", retry_after_seconds=10),
    Case(
        row="too many calls",
        name="of a question",
        source=LIMITS,
        call=look_up,
        answers=[not_there("Too many requests.", "429000")],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    unknown("unavailable", 500000, "Internal Server Error"),
    unknown("unavailable", 230005, "System busy"),
    *(
        Case(
            row="unavailable",
            source="a proxy's page",
            name=str(status),
            answers=[placed(body="<html>", status=status)],
            expected=Unknown,
        )
        for status in (302, 403, 500, 502, 503, 504)
    ),
    *(
        Case(
            row="nothing sent",
            name=f"no {name}",
            source="ccxt's source: sign",
            answers=[],
            config={name: ""},
            expected=NotPlaced,
            fields={"trouble": Trouble.VENUE},
        )
        for name in ("api_key", "api_secret", "api_password")
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
        public=[FakeReply(method="GET", path="/api/v2/symbols", status=502, body="<html>", again=True)],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    Case(
        row="commission in the coin",
        source=f"{FILLS}: feeCurrency",
        answers=[placed(), queried(order()), fills([trade(1, "0.015", "59900", "0.000015", asset="BTC")])],
        expected=Executed,
        fields={"commission": "0.000015", "quote_commission": "0", "cost": "898.5"},
    ),
    Case(
        row="commission in the quote asset",
        source=f"{FILLS}: feeCurrency",
        answers=[placed(), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="commission in a third asset",
        source=f"{FILLS}: feeCurrency; fees can be paid in KCS",
        answers=[placed(), queried(order()), fills([trade(1, "0.015", "59900", "0.07", asset="KCS")])],
        expected=Executed,
        fields={"foreign_commission": "KCS", "commission": "0", "quote_commission": "0"},
    ),
    Case(
        row="commission in a third asset",
        name="a tax beside it",
        source=f"{FILLS}: tax",
        answers=[placed(), queried(order()), fills([trade(1, "0.015", "59900", "0.8985", tax="0.1")])],
        expected=Untrue,
    ),
    Case(
        row="commission with nine decimals",
        source="hand-made",
        answers=[
            placed(),
            queried(order(dealSize="0.007533", dealFunds="451.2267")),
            fills([trade(1, "0.007533", "59900", "0.451226701")]),
        ],
        expected=Executed,
        fields={"quantity": "0.007533", "quote_commission": "0.45122671", "cost": "451.67792671"},
    ),
    Case(
        row="many fills",
        source=f"{FILLS}: limit, lastId",
        answers=[
            placed(),
            queried(order()),
            fills(MANY[:100]),
            fills(MANY[100:], after=MANY[99]["id"]),
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
            queried(order()),
            fills([trade(9, "0.015", "59900", "9", order_id="OTHER"), *TRADES]),
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
            queried(order()),
            fills([trade(9, "0.015", "59900", "9", order_id="OTHER")]),
            fills([], after=19814995255309),
        ],
        expected=Unknown,
    ),
    Case(
        row="another order's fill",
        name="ours twice",
        source=FILLS,
        answers=[placed(), queried(order()), fills([*TRADES, *TRADES])],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="fills not there yet",
        source=FILLS,
        answers=[placed(), queried(order()), fills(TRADES[:1]), fills([], after=TRADES[0]["id"])],
        expected=Unknown,
    ),
    Case(
        row="list over pages",
        source=f"{DONE}: lastId, and the last seven days",
        call=list_purchases,
        answers=[
            got(
                "hf/orders/active",
                [order(id="O3", clientOid="ce3", active=True, dealSize="0", dealFunds="0")],
                symbol="BTC-USDT",
            ),
            page(
                "orders/done",
                [order(id="O2", clientOid="ce2", createdAt=AT - 1000), order(clientOid="", id="BY-HAND")],
                startAt=1795777200000,
            ),
            page(
                "orders/done",
                [order(id="O1", createdAt=AT - 2000), order(id="O0", clientOid="ce0", createdAt=1795777199999)],
                after="BY-HAND",
            ),
            page("orders/done", [], after="O0"),
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
            got("hf/orders/active", [], symbol="BTC-USDT"),
            page("orders/done", [order(), order(id="O2", clientOid="ce2")]),
            page("orders/done", [], after="O2"),
            page("fills", [trade(9, "0.01", "59900", "0.599", order_id="O2"), TRADES[0]], startAt=1795777200000),
            page("fills", [TRADES[1]], after=TRADES[0]["id"]),
            page("fills", [], after=TRADES[1]["id"]),
        ],
        expected={ORDER: (Decimal("898.5"), Decimal(0), Decimal("0.8985"), "")},
    ),
    Case(
        row="found in the lists",
        source=DONE,
        call=find_in_lists,
        answers=[
            got("hf/orders/active", [], symbol="BTC-USDT"),
            page("orders/done", [order()], startAt=1795777140000),
            page("orders/done", [], after=ORDER),
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
            got("hf/orders/active", [], symbol="BTC-USDT"),
            page("orders/done", []),
            page("fills", []),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="found in the lists",
        name="a list without rows",
        source="hand-made",
        call=find_in_lists,
        answers=[got("hf/orders/active", [], symbol="BTC-USDT"), got("hf/orders/done", {}, symbol="BTC-USDT")],
        expected=Unknown,
    ),
    Case(
        row="balances",
        source="REST, Get Account List - Spot",
        call=balances,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v1/accounts",
                again=True,
                body=said(
                    [
                        {"id": "1", "currency": "USDT", "type": "main", "balance": "9", "available": "9", "holds": "0"},
                        {
                            "id": "2",
                            "currency": "USDT",
                            "type": "trade",
                            "balance": "101",
                            "available": "100.25",
                            "holds": "0.75",
                        },
                        {
                            "id": "3",
                            "currency": "BTC",
                            "type": "trade",
                            "balance": "1.5",
                            "available": "1",
                            "holds": "0.5",
                        },
                        {
                            "id": "4",
                            "currency": "BAD",
                            "type": "trade",
                            "balance": "many",
                            "available": "0",
                            "holds": "0",
                        },
                    ]
                ),
            )
        ],
        expected=(Decimal("100.25"), {"USDT": Decimal(101), "BTC": Decimal("1.5")}),
    ),
    Case(
        row="third asset seen at start",
        name="permission and rate; whether fees are taken in KCS is not told",
        source="REST, Get Apikey Info; Get Actual Fee - Spot",
        call=terms,
        answers=[
            got("user/api-key", {"remark": "ours", "permission": "General,Spot", "uid": 1}),
            got(
                "trade-fees",
                [{"symbol": "BTC-USDT", "takerFeeRate": "0.001", "makerFeeRate": "0.001"}],
                symbols="BTC-USDT",
            ),
        ],
        expected=AccountTerms(can_trade=True, taker_rate=Decimal("0.001")),
    ),
    Case(
        row="third asset seen at start",
        name="a key that only reads",
        source="REST, Get Apikey Info",
        call=terms,
        answers=[got("user/api-key", {"permission": "General"}), got("trade-fees", [], symbols="BTC-USDT")],
        expected=AccountTerms(can_trade=False),
    ),
    Case(
        row="rehearsed",
        source="REST, Add Order Test",
        call=rehearse,
        answers=[
            FakeReply(
                method="POST",
                path="/api/v1/hf/orders/test",
                body=said({"orderId": ORDER, "clientOid": OUR_ID}),
                having=SENT,
            )
        ],
        expected=None,
    ),
    Case(
        row="rehearsed",
        name="and refused",
        source="REST, Add Order Test",
        call=rehearse,
        answers=[
            FakeReply(
                method="POST",
                path="/api/v1/hf/orders/test",
                body={"code": "400007", "msg": "Access denied, requires more permission."},
            )
        ],
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="sent as documented",
        source=f"{ADD}: clientTimestamp, allowMaxTimeWindow",
        answers=[placed(), queried(order()), fills(TRADES)],
        expected=Executed,
        sent=SENT,
        headers=HEADERS,
    ),
]


def bought(name, said, trades=TRADES, *, row="filled", source=QUERY, expected=Executed, fields=BOUGHT):
    """Return a case of a purchase whose order is told in another form, and of what comes of it."""
    answers = [placed(), queried(said)] if trades is None else [placed(), queried(said), fills(trades)]
    return Case(
        row=row,
        name=name,
        source=source,
        answers=answers,
        expected=expected,
        fields=fields if expected is Executed else {},
    )


def answered(name, body, expected, *, row="no answer", source="hand-made", status=200, headers=None, **fields):
    """Return a case of a purchase with this answer, which is all that is asked for."""
    answers = [placed(body=body, status=status, headers=headers or {})]
    return Case(row=row, name=name, source=source, answers=answers, expected=expected, fields=fields)


def changed(**changes):
    return [{**each, **changes} for each in TRADES]


AS_NUMBERS = order(price=60000.0, size=0.015, dealSize=1.5e-2, dealFunds=898.5, fee=0.8985)
BUSY = {"code": "429000", "msg": "Too many requests in a short period of time, please retry later"}
FULL = [trade(each, "0.00015", "59900", "0.008985") for each in range(100, 0, -1)]
RECORDED = {
    "symbol": "BTC-USDT",
    "price": "72.8",
    "size": "0.010055",
    "funds": "0.732004",
    "fee": "0.000732004",
    "feeRate": "0.001",
}


def found_by_trade(name, said, expected, **fields):
    """Return a case of an order that no list has, and a trade of it."""
    path = "/api/v1/hf/orders/OLD"
    return Case(
        row="found in the lists",
        name=name,
        source=FILLS,
        call=find_in_lists,
        answers=[
            got("hf/orders/active", None, symbol="BTC-USDT"),
            page("orders/done", []),
            page("fills", [trade(9, "0.01", "59900", "0.599", order_id="OLD")]),
            page("fills", [], after=19814995255309),
            FakeReply(method="GET", path=path, body=said, having={"symbol": "BTC-USDT"}),
            *([page("fills", [trade(9, "0.01", "59900", "0.599", order_id="OLD")], orderId="OLD")] if fields else []),
        ],
        expected=expected,
        fields=fields,
    )


STRICT = [
    # An order with our id is at the venue already: the purchase may have been made by a copy of the same request.
    Case(
        row="lost and found",
        name="our id was used before, in other words",
        source="JKorf/Kucoin.Net, issue 120",
        call=buy_and_look_up,
        answers=[refusal(400100, "validation.createOrder.clientOidDuplicated"), by_client(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    unknown("refused: words of no table", 400100, "Duplicate custom order ID", source=KUCOIN_NET),
    unknown("refused: words of no table", 102426, "Duplicate custom order ID", source=KUCOIN_NET),
    unknown("refused: words of no table", 126033, "Duplicate order", source=CCXT),
    unknown("refused: words of no table", 400100, "order not exist.", source=CCXT),
    unknown("refused: words of no table", 408000, "Network timeout, please try again later", source=CCXT),
    unknown("refused: words of no table", 400003, "KC-API-KEY not exists", source=ERRORS, status=500),
    unknown("refused: words of no table", 200002, "Order cancel for this pair suspended"),
    unknown("unavailable", 500000, "Internal Server Error", status=500),
    *(
        refused("refused: size", code, None, message, source=source)
        for code, message, source in (
            (300000, "Order size invalid.", f"{CLIENTS} (abayomi185/simple-pump-and-dump-bot, issue 18)"),
            (300000, "Order funds invalid.", "Kucoin/kucoin-api-docs, issue 342"),
            (400100, "The quantity is below the minimum requirement.", CCXT),
            (600100, "Funds below the minimum requirement.", CCXT),
            (102434, "The order quantity is too large", KUCOIN_NET),
            (102435, "The order quantity is too low", KUCOIN_NET),
        )
    ),
    *(
        refused(row, code, trouble, message, source=source)
        for row, code, trouble, message, source in (
            ("refused: price band", 400330, None, "Order price can't deviate from NAV by 50%", CCXT),
            ("refused: price band", 102429, None, "The order price is too low", KUCOIN_NET),
            ("refused: price band", 400100, Trouble.COIN, "price not in the given range!", CCXT),
            ("refused: funds", 102421, Trouble.COIN, "Insufficient account balance", KUCOIN_NET),
            ("refused: funds", 230003, Trouble.COIN, "Balance insufficient!", CCXT),
            ("refused: size", 102411, Trouble.COIN, "Order parameter error", KUCOIN_NET),
            ("refused: permission", 400350, Trouble.COIN, "Upper limit for holding: 10,000USDT", CCXT),
            ("refused: permission", 400200, Trouble.COIN, "Forbidden to place an order", SPOT_ERRORS),
            ("refused: permission", 400700, Trouble.VENUE, "Transaction restricted", SPOT_ERRORS),
            ("refused: permission", 400303, Trouble.VENUE, "complete the identity verification", CCXT),
            ("refused: permission", 400301, Trouble.VENUE, "Operation restricted due to local laws", GATEWAY),
            ("refused: permission", 400010, Trouble.VENUE, "UID access denied", GATEWAY),
            ("refused: signature", 400201, Trouble.VENUE, "Invalid KC-API-PARTNER-SIGN.", GATEWAY),
            ("refused: key", 400001, Trouble.VENUE, "Any of KC-API-KEY is missing in your request header", ERRORS),
            ("refused: key", 400008, Trouble.VENUE, "V1 & V2 API keys are no longer supported", GATEWAY),
            ("refused: key", 400009, Trouble.VENUE, "Invalid KC-API-KEY-VERSION.", GATEWAY),
        )
    ),
    refused("refused: clock", 400002, None, "Invalid KC-API-TIMESTAMP", source="hummingbot, issue 6866", status=400),
    refused(
        "too many calls", 102427, Trouble.VENUE, "Orders exceed the limit", source=KUCOIN_NET, retry_after_seconds=10
    ),
    Case(
        row="refused: symbol",
        name="900001",
        source=SPOT_ERRORS,
        answers=[refusal(900001, "symbol not exists")],
        expected=Refused,
    ),
    *(
        answered(
            name,
            BUSY,
            NotPlaced,
            row="too many calls",
            source=LIMITS,
            status=429,
            headers=headers,
            retry_after_seconds=wait,
        )
        for name, headers, wait in (
            ("429, until the time that it says", {"gw-ratelimit-reset": "28000"}, 28),
            ("429, and both", {"gw-ratelimit-reset": "28000", "Retry-After": "3"}, 3),
            ("429, and a time that cannot be", {"GW-RateLimit-Reset": "99999999"}, 10),
            ("429, and no number", {"gw-ratelimit-reset": "soon"}, 10),
        )
    ),
    answered("a proxy's 429", "<html>error 1015</html>", NotPlaced, row="too many calls", status=429),
    answered("429, and an order", said({"orderId": ORDER}), Unknown, row="too many calls", status=429),
    answered(
        "an error, an order and 429",
        {**BUSY, "data": {"orderId": ORDER, "clientOid": OUR_ID}},
        Unknown,
        row="refused: words of no table",
        status=429,
    ),
    answered(
        "an error, and an order by number", said({"orderId": 7}, "200004"), Unknown, row="refused: words of no table"
    ),
    *(
        answered(f"to a purchase {text[:45]}", text, Unknown)
        for text in (
            '{"code":"200000","data":{"orderId":7}}',
            '{"code":"200000","data":{"orderId":"7","clientOid":null}}',
            '{"code":"200000","data":[{"orderId":"7"}]}',
            '{"code":"200000","data":{"orderId":"671124f936',
            '{"code":"200","data":{"orderId":"7"}}',
            '{"msg":"success","data":{"orderId":"7"}}',
            '{"success":false,"code":null,"data":null}',
        )
    ),
    *(
        Case(
            row="filled",
            name=name,
            source=source,
            answers=[answer, queried(order()), fills(TRADES)],
            expected=Executed,
            fields=BOUGHT,
        )
        for name, source, answer in (
            ("the code is a number", "hand-made", placed(body=said({"orderId": ORDER, "clientOid": OUR_ID}, 200000))),
            ("the answer leaves our id out", f"{ADD}, of before", placed(body=said({"orderId": ORDER}))),
        )
    ),
    bought("figures as numbers, and in exponents", AS_NUMBERS),
    *(
        bought(
            name,
            {**NOTHING, **told},
            None,
            row=row,
            source=f"{QUERY}: cancelExist, cancelledSize",
            fields={"final": row != "still open", "quantity": "0"},
        )
        for name, row, told in (
            ("its rest is cancelled by size", "nothing filled", {"cancelExist": False}),
            ("its rest is cancelled by the mark", "nothing filled", {"cancelledSize": "0"}),
            ("neither active nor cancelled", "still open", {"cancelExist": False, "cancelledSize": "0"}),
            ("neither active nor said to be cancelled", "still open", {"cancelExist": None, "cancelledSize": None}),
        )
    ),
    bought("the order does not repeat our id: it was asked for by the id of our request", order(clientOid=None)),
    bought(
        "further fields, and none",
        {name: value for name, value in order(origin="x").items() if name not in {"opType", "stp", "tax"}},
    ),
    *(
        bought(name, order(**{field: value}), None, row="no answer", expected=expected)
        for name, field, value, expected in (
            ("no quantity", "dealSize", None, Unknown),
            ("no cost", "dealFunds", None, Unknown),
            ("active in another form", "active", "false", Unknown),
            ("no time", "createdAt", None, Unknown),
            ("no id", "id", None, Unknown),
            ("nobody's id", "clientOid", "", Untrue),
            ("less than nothing", "dealSize", "-0.01", Untrue),
            ("no number", "dealFunds", "NaN", Untrue),
            ("coins for nothing", "dealFunds", "0", Untrue),
            ("a sale", "side", "sell", Untrue),
            ("another pair", "symbol", "ETH-USDT", Untrue),
        )
    ),
    bought(
        "a fill as recorded",
        order(size="0.010055", dealSize="0.010055", dealFunds="0.732004"),
        [{**trade(1, "0.010055", "72.8", "0"), **RECORDED}],
        row="commission with nine decimals",
        source="ccxt's static responses, fetchMyTrades",
        fields={"quantity": "0.010055", "cost": "0.73273601", "quote_commission": "0.00073201"},
    ),
    *(
        bought(name, order(), changed(**{field: value}), row=row, source=FILLS, expected=expected)
        for name, field, value, row, expected in (
            ("a rebate", "fee", "-0.1", "commission in the quote asset", Untrue),
            ("no number", "fee", "many", "commission in the quote asset", Untrue),
            ("no fee", "fee", None, "fills not there yet", Unknown),
            ("a sale", "side", "sell", "another order's fill", Untrue),
            ("a tax that is no number", "tax", "many", "commission in a third asset", Untrue),
        )
    ),
    *(
        bought(
            name,
            order(),
            changed(feeCurrency=asset),
            row="commission in a third asset",
            source=f"{FILLS}: feeCurrency",
            fields={"foreign_commission": "?", "commission": "0", "quote_commission": "0"},
        )
        for name, asset in (("no asset", None), ("an empty asset", ""))
    ),
    bought("free of charge, and in no asset", order(), changed(fee="0", feeCurrency=""), fields={"cost": "898.5"}),
    bought("a tax of nothing", order(), changed(tax="", taxRate=None), source=f"{FILLS}: tax"),
    bought("a page that is full, and the last one", order(), FULL, row="many fills", source=f"{FILLS}: limit"),
    bought(
        "one trade in two ways",
        order(),
        [*TRADES, {**TRADES[0], "fee": "0.3"}],
        row="another order's fill",
        expected=Untrue,
    ),
    Case(
        row="many fills",
        name="a page without the id to read on from",
        source="hand-made",
        answers=[
            placed(),
            queried(order()),
            FakeReply(method="GET", path="/api/v1/hf/fills", body=said({"items": FULL[:50]}), lacks=("lastId",)),
        ],
        expected=Unknown,
    ),
    Case(
        row="many fills",
        name="the same page again",
        source="hand-made",
        answers=[
            placed(),
            queried(order()),
            fills(FULL[:50]),
            fills(FULL[:50], after=FULL[49]["id"]),
        ],
        expected=Unknown,
    ),
    Case(
        row="not found",
        name="102436",
        source=KUCOIN_NET,
        call=look_up,
        answers=[not_there("Unknown order", "102436")],
        expected=OrderNotFound,
    ),
    Case(
        row="too many calls",
        name="of a question, with its time",
        source=LIMITS,
        call=look_up,
        answers=[
            FakeReply(
                method="GET",
                path=f"/api/v1/hf/orders/client-order/{OUR_ID}",
                status=429,
                body=BUSY,
                headers={"gw-ratelimit-reset": "28000"},
            )
        ],
        expected=Unknown,
        fields={"retry_after_seconds": 28},
    ),
    Case(
        row="list over pages",
        name="refused: of more than seven days",
        source=f"{DONE}: seven days",
        call=list_of_nine_days,
        answers=[],
        expected=VenueAway,
    ),
    *(
        Case(
            row="list over pages",
            name=f"refused: {name}",
            source="hand-made",
            call=list_in_vain,
            answers=[got("hf/orders/active", None, symbol="BTC-USDT"), page("orders/done", rows), *further],
            expected=VenueAway,
        )
        for name, rows, further in (
            ("an order without figures", [order(dealSize=None)], [page("orders/done", [], after=ORDER)]),
            ("an order without a time", [order(createdAt="soon")], []),
            ("an order that is neither active nor done", [order(active=None)], [page("orders/done", [], after=ORDER)]),
        )
    ),
    found_by_trade(
        "a trade of an order that is ours and in no list",
        said(order(id="OLD", dealSize="0.01", dealFunds="599", cancelExist=True)),
        Executed,
        quantity="0.01",
        venue_order_id="OLD",
    ),
    found_by_trade("a trade of somebody else's order", said(order(id="OLD", clientOid="")), OrderNotFound),
    found_by_trade("a trade of an order that is forgotten", {"code": "400100", "msg": "order not exist."}, Unknown),
    Case(
        row="balances",
        name="of the high-frequency account, if there is one",
        source="REST, Get Account List - Spot",
        call=balances,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v1/accounts",
                again=True,
                body=said(
                    [
                        {"currency": "USDT", "type": "trade", "balance": "101", "available": "100.25"},
                        {"currency": "USDT", "type": "trade_hf", "balance": "7", "available": "5"},
                    ]
                ),
            )
        ],
        expected=(Decimal(5), {"USDT": Decimal(7)}),
    ),
    *(
        Case(
            row="nothing sent",
            name=f"an id of another form: {client_order_id}",
            source=f"{ADD}: clientOid",
            call=buy_as(client_order_id),
            answers=[],
            expected=NotPlaced,
            fields={"trouble": Trouble.COIN},
        )
        for client_order_id in (f"{OUR_ID}-12345678", f"{OUR_ID}.1", "", "a blank")
    ),
]

CONFORMANCE = Conformance(
    profile=KUCOIN,
    config=Config(api_password="our-passphrase"),
    purchase="/api/v1/hf/orders",
    signature=frozenset(),
    public=PUBLIC,
    cases=[*CASES, *STRICT],
    has_no={"refused: nonce": "Authentication: requests are dated, and not numbered"},
)
