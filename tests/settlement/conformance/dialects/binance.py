"""Cases for Binance's interface, which Binance.US runs too: answers in the form of their documentation, made by hand.

`{api}` stands for the venue's documentation: each venue's module fills it in, and adds what only its own venue has.
"""

from dataclasses import replace
from decimal import Decimal

import requests

from settlement.venues.protocol import (
    Executed,
    NotPlaced,
    OrderNotFound,
    Refused,
    Trouble,
    Unknown,
    Untrue,
)
from tests.settlement.conformance.harness import (
    OUR_ID,
    Case,
    Config,
    Conformance,
    FakeReply,
    balances,
    buy,
    buy_and_look_up,
    find_in_lists,
    list_figures,
    list_purchases,
    look_up,
    read_rules_and_buy,
    rehearse,
)

NEW_ORDER = "{api}, New order"
QUERY = "{api}, Query order"
TRADES = "{api}, Account trade list"
ERRORS = "{api}, Error codes"
FILTERS = "{api}, Filters"
LIMITS = "{api}, General API information: limits and HTTP return codes"
ALL_ORDERS = "{api}, All orders"

LISTED = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quotePrecision": 8,
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"],
    "isSpotTradingAllowed": True,
    "permissions": [],
    "permissionSets": [["SPOT"]],
}
STEPS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001"},
]
NO_STEPS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.00", "maxPrice": "0.00", "tickSize": "0.00000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00000000", "maxQty": "9000.00", "stepSize": "0.00000000"},
]


def public(*, minimum, steps=STEPS):
    """Return the public answers of a venue whose market has this filter of the smallest notional."""
    market = {**LISTED, "filters": [*steps, minimum]}
    return [
        FakeReply(method="GET", path="/api/v3/exchangeInfo", body={"timezone": "UTC", "symbols": [market]}, again=True),
        FakeReply(method="GET", path="/api/v3/time", body={"serverTime": 1795780800250}, again=True),
    ]


def fill(number, quantity, price, commission, asset):
    return {
        "price": price,
        "qty": quantity,
        "commission": commission,
        "commissionAsset": asset,
        "tradeId": number,
    }


def trade(number, quantity, price, commission, asset, *, order=28, **changes):
    cost = f"{Decimal(quantity) * Decimal(price):.8f}"
    return {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": order,
        "orderListId": -1,
        "price": price,
        "qty": quantity,
        "quoteQty": cost,
        "commission": commission,
        "commissionAsset": asset,
        "time": 1795780800300 + number,
        "isBuyer": True,
        "isMaker": False,
        "isBestMatch": True,
        **changes,
    }


def order(**changes):
    return {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "orderListId": -1,
        "clientOrderId": OUR_ID,
        "price": "60000.00000000",
        "origQty": "0.01500000",
        "executedQty": "0.01500000",
        "origQuoteOrderQty": "0.000000",
        "cummulativeQuoteQty": "898.50000000",
        "status": "FILLED",
        "timeInForce": "IOC",
        "type": "LIMIT",
        "side": "BUY",
        **changes,
    }


IN_COIN = [
    fill(56, "0.01000000", "59900.00000000", "0.00001000", "BTC"),
    fill(57, "0.00500000", "59900.00000000", "0.00000500", "BTC"),
]
FILLED = order(transactTime=1795780800300, workingTime=1795780800300, selfTradePreventionMode="NONE", fills=IN_COIN)
TRADES_IN_COIN = [trade(56, "0.01", "59900", "0.00001", "BTC"), trade(57, "0.005", "59900", "0.000005", "BTC")]
SENT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "IOC",
    "quantity": "0.015",
    "price": "60000",
    "newClientOrderId": OUR_ID,
    "newOrderRespType": "FULL",
    "recvWindow": "5000",
    "timestamp": "1795780800250",
}
BOUGHT = {
    "final": True,
    "status": "closed",
    "venue_order_id": "28",
    "quantity": "0.015",
    "cost": "898.5",
    "commission": "0.000015",
    "quote_commission": "0",
    "foreign_commission": "",
    "asked": "0.015",
    "limit_price": "60000",
}


def placed(body, status=200, **changes):
    return FakeReply(method="POST", path="/api/v3/order", body=body, status=status, **changes)


def refusal(code, message, status=400, **changes):
    return placed({"code": code, "msg": message}, status, **changes)


def query(body, status=200, **changes):
    return FakeReply(
        method="GET",
        path="/api/v3/order",
        having={"symbol": "BTCUSDT", "origClientOrderId": OUR_ID},
        body=body,
        status=status,
        **changes,
    )


def trades(body, **having):
    return FakeReply(method="GET", path="/api/v3/myTrades", having={"symbol": "BTCUSDT", **having}, body=body)


def refused(row, code, message, trouble, *, status=400, source=ERRORS, name="", **fields):
    return Case(
        row=row,
        source=source,
        name=name or str(code),
        answers=[refusal(code, message, status)],
        expected=NotPlaced,
        fields={"trouble": trouble, **fields},
    )


def many_fills(number, first=1):
    """Return so many trades of one order, of 0.00001 coins each."""
    return [trade(first + each, "0.00001", "59900", "0.00000001", "BTC") for each in range(number)]


MANY = order(origQty="0.01002000", executedQty="0.01002000", cummulativeQuoteQty="600.19800000", status="EXPIRED")

CASES = [
    Case(
        row="filled",
        source=NEW_ORDER,
        answers=[placed(FILLED)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
        headers={"X-MBX-APIKEY": "our-key"},
    ),
    Case(
        row="partly filled",
        source=NEW_ORDER,
        answers=[
            placed(order(executedQty="0.01", cummulativeQuoteQty="599.00000000", status="EXPIRED", fills=IN_COIN[:1]))
        ],
        expected=Executed,
        fields={"final": True, "status": "expired", "quantity": "0.01", "cost": "599", "commission": "0.00001"},
    ),
    Case(
        row="nothing filled",
        source=NEW_ORDER,
        answers=[placed(order(executedQty="0.00000000", cummulativeQuoteQty="0.00000000", status="EXPIRED", fills=[]))],
        expected=Executed,
        fields={"final": True, "status": "expired", "quantity": "0", "cost": "0", "commission": "0"},
    ),
    Case(
        row="still open",
        source=QUERY,
        call=look_up,
        answers=[query(order(executedQty="0", cummulativeQuoteQty="0", status="NEW"))],
        expected=Executed,
        fields={"final": False, "status": "open", "quantity": "0"},
    ),
    Case(
        row="lost and found",
        source=QUERY,
        call=buy_and_look_up,
        answers=[
            placed(None, error=requests.ReadTimeout()),
            query(order()),
            trades(TRADES_IN_COIN, orderId=28),
        ],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    ),
    Case(
        row="lost and found",
        name="a 5XX",
        source=LIMITS,
        call=buy_and_look_up,
        answers=[refusal(-1007, "Timeout.", 503), query(order()), trades(TRADES_IN_COIN, orderId=28)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="lost and found",
        name="a cut connection",
        source="requests' documentation, Errors and Exceptions",
        answers=[placed(None, error=requests.ConnectionError("Connection aborted."))],
        expected=Unknown,
    ),
    Case(
        row="not found",
        source=ERRORS,
        call=look_up,
        answers=[query({"code": -2013, "msg": "Order does not exist."}, 400)],
        expected=OrderNotFound,
    ),
    Case(
        row="no answer",
        source=ERRORS,
        name="an error of another kind",
        call=look_up,
        answers=[query({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, 400)],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        source=LIMITS,
        name="not found, in a 5XX",
        call=look_up,
        answers=[query({"code": -2013, "msg": "Order does not exist."}, 500)],
        expected=Unknown,
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=text[:10],
            call=call,
            answers=[make(text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "[]", "<html>busy</html>", '"x"')
        for call, make in ((look_up, query), (buy, placed))
    ),
    Case(
        row="no answer",
        source=QUERY,
        name="another order",
        call=look_up,
        answers=[query(order(clientOrderId="ce9"))],
        expected=Untrue,
    ),
    refused("refused: funds", -2010, "Account has insufficient balance for requested action.", Trouble.COIN),
    refused("refused: size", -1013, "Filter failure: LOT_SIZE", None, source=FILTERS, name="step"),
    Case(
        row="refused: size",
        source=FILTERS,
        name="MAX_POSITION",
        answers=[refusal(-2010, "Filter failure: MAX_POSITION")],
        expected=Refused,
    ),
    refused("refused: size", -1111, "Parameter 'quantity' has too much precision.", None),
    Case(row="refused: symbol", source=ERRORS, answers=[refusal(-1121, "Invalid symbol.")], expected=Refused),
    refused("refused: permission", -2010, "This symbol is not permitted for this account.", Trouble.COIN),
    refused("refused: permission", -2010, "This action is disabled on this account.", Trouble.VENUE),
    refused(
        "refused: permission",
        -2015,
        "Invalid API-key, IP, or permissions for action.",
        Trouble.VENUE,
        status=401,
    ),
    refused("refused: key", -2014, "API-key format invalid.", Trouble.VENUE, status=401),
    refused("refused: signature", -1022, "Signature for this request is not valid.", Trouble.VENUE),
    refused("refused: clock", -1021, "Timestamp for this request is outside of the recvWindow.", None),
    refused("refused: clock", -1021, "Timestamp for this request was 1000ms ahead of the server's time.", None),
    *(
        refused("refused: size", code, message, Trouble.COIN)
        for code, message in (
            (-1100, "Illegal characters found in parameter 'price'."),
            (-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
            (-1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
            (-1106, "Parameter 'timeInForce' sent when not required."),
        )
    ),
    *(
        Case(
            row="refused: words of no table",
            source=ERRORS,
            name=f"{status} {code} {message}",
            answers=[refusal(code, message, status)],
            expected=Unknown,
        )
        for status, code, message in (
            (400, -2010, "Duplicate order sent."),
            (400, -1006, "An unexpected response was received from the message bus."),
            (400, -9999, "Something new."),
            (403, 0, ""),
            (500, -1121, "Invalid symbol."),
            (200, -1121, "Invalid symbol."),
        )
    ),
    Case(
        row="too many calls",
        source=LIMITS,
        answers=[refusal(-1003, "Too many requests.", 429, headers={"Retry-After": "7"})],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 7},
    ),
    Case(
        row="too many calls",
        source=LIMITS,
        name="banned",
        answers=[placed("", 418, headers={"retry-after": "120"})],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 120},
    ),
    Case(
        row="too many calls",
        source=LIMITS,
        name="orders alone",
        answers=[refusal(-1015, "Too many new orders.", 429, headers={"Retry-After": "7"})],
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE, "retry_after_seconds": 7},
    ),
    Case(
        row="too many calls",
        source=LIMITS,
        name="of a question",
        call=look_up,
        answers=[query({"code": -1003, "msg": "Too many requests."}, 429, headers={"Retry-After": "7"})],
        expected=Unknown,
        fields={"retry_after_seconds": 7},
    ),
    *(
        Case(
            row="unavailable",
            source=LIMITS,
            name=str(status),
            answers=[placed("<html>", status)],
            expected=Unknown,
            fields={"retry_after_seconds": None},
        )
        for status in (302, 403, 500, 502, 503, 504)
    ),
    Case(
        row="nothing sent",
        source="ccxt's source: sign",
        name="no key",
        answers=[],
        config={"api_key": ""},
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="nothing sent",
        source="ccxt's source: sign",
        name="a key in one line",
        answers=[],
        config={"api_secret": "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA==\\n-----END PRIVATE KEY-----"},
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="nothing sent",
        source="requests' documentation, Errors and Exceptions",
        name="no connection",
        answers=[placed(None, error=requests.ConnectTimeout())],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    Case(
        row="nothing sent",
        name="no markets",
        source="ccxt's source: load_markets",
        answers=[],
        public=[FakeReply(method="GET", path="/api/v3/exchangeInfo", status=502, body="<html>", again=True)],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    Case(
        row="nothing sent",
        name="too many calls before it",
        source="ccxt's source: load_markets",
        answers=[],
        public=[
            FakeReply(
                method="GET",
                path="/api/v3/exchangeInfo",
                body={"code": -1003, "msg": "Too many requests."},
                again=True,
                status=429,
                headers={"Retry-After": "7"},
            )
        ],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 7},
    ),
    Case(row="commission in the coin", source=NEW_ORDER, answers=[placed(FILLED)], expected=Executed, fields=BOUGHT),
    Case(
        row="commission in the quote asset",
        source=NEW_ORDER,
        answers=[placed(order(fills=[fill(56, "0.015", "59900", "0.8985", "USDT")]))],
        expected=Executed,
        fields={"cost": "899.3985", "quote_commission": "0.8985", "commission": "0"},
    ),
    Case(
        row="commission in a third asset",
        source=NEW_ORDER,
        answers=[placed(order(fills=[fill(56, "0.015", "59900", "0.001", "BNB")]))],
        expected=Executed,
        fields={"foreign_commission": "BNB", "commission": "0", "quote_commission": "0"},
    ),
    Case(
        row="commission with nine decimals",
        source="hand-made: 0.007533 coins less 0.000010015",
        answers=[
            placed(
                order(
                    executedQty="0.007533",
                    cummulativeQuoteQty="451.2267",
                    status="EXPIRED",
                    fills=[fill(56, "0.007533", "59900", "0.000010015", "BTC")],
                )
            )
        ],
        expected=Executed,
        fields={"quantity": "0.007533", "commission": "0.00001002", "cost": "451.2267"},
    ),
    *(
        Case(
            row="many fills",
            source=TRADES,
            name=f"{size} a page",
            call=look_up,
            answers=[
                query(MANY),
                *(
                    trades(many_fills(min(size, 1002 - start), start + 1), orderId=28, limit=1000)
                    if not start
                    else trades(many_fills(min(size, 1002 - start), start + 1), orderId=28, fromId=start + 1)
                    for start in range(0, 1002, size)
                ),
            ],
            expected=Executed,
            fields={"quantity": "0.01002", "cost": "600.198", "commission": "0.00001002", "status": "expired"},
        )
        for size in (500, 501, 1000)
    ),
    Case(
        row="another order's fill",
        source=TRADES,
        name="with ours",
        call=look_up,
        answers=[
            query(order()),
            trades([trade(55, "0.015", "59900", "9", "USDT", order=27), *TRADES_IN_COIN], orderId=28),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="another order's fill",
        source=TRADES,
        name="instead of ours",
        call=look_up,
        answers=[
            query(order()),
            trades([trade(55, "0.015", "59900", "9", "USDT", order=27)], orderId=28),
            trades([], orderId=28, fromId=56),
        ],
        expected=Unknown,
    ),
    Case(
        row="another order's fill",
        source=TRADES,
        name="ours twice",
        call=look_up,
        answers=[query(order()), trades([*TRADES_IN_COIN, *TRADES_IN_COIN], orderId=28)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="fills not there yet",
        source=TRADES,
        call=look_up,
        answers=[
            query(order()),
            trades(TRADES_IN_COIN[:1], orderId=28),
            trades([], orderId=28, fromId=57),
        ],
        expected=Unknown,
    ),
    Case(
        row="fills not there yet",
        source=ERRORS,
        name="an error",
        call=look_up,
        answers=[
            query(order()),
            FakeReply(
                method="GET",
                path="/api/v3/myTrades",
                status=429,
                headers={"Retry-After": "3"},
                body={"code": -1003, "msg": "Too many requests."},
            ),
        ],
        expected=Unknown,
        fields={"retry_after_seconds": 3},
    ),
    Case(
        row="list over pages",
        source=ALL_ORDERS,
        call=list_purchases,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/allOrders",
                having={"symbol": "BTCUSDT", "startTime": 1795777200000},
                body=[order(orderId=27, clientOrderId="by-hand"), order()],
            ),
            FakeReply(
                method="GET",
                path="/api/v3/allOrders",
                having={"symbol": "BTCUSDT", "orderId": 29},
                body=[order(orderId=30, clientOrderId="ce2", executedQty="0", cummulativeQuoteQty="0", status="NEW")],
            ),
            FakeReply(method="GET", path="/api/v3/allOrders", having={"orderId": 31}, body=[]),
        ],
        expected=[(OUR_ID, "28", Decimal("0.015"), Decimal("898.5")), ("ce2", "30", Decimal(0), Decimal(0))],
    ),
    Case(
        row="figures of a list",
        source=TRADES,
        call=list_figures,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/allOrders",
                having={"startTime": 1795777200000},
                body=[order(), order(orderId=30, clientOrderId="ce2"), order(orderId=31, clientOrderId="ce3")],
            ),
            FakeReply(method="GET", path="/api/v3/allOrders", having={"orderId": 32}, body=[]),
            trades(
                [
                    *TRADES_IN_COIN,
                    trade(60, "0.015", "59900", "0.8985", "USDT", order=30),
                    trade(61, "0.01", "59900", "0", "BTC", order=31),
                ],
                startTime=1795777200000,
            ),
            trades([], fromId=62),
        ],
        expected={
            "28": (Decimal("898.5"), Decimal("0.000015"), Decimal(0), ""),
            "30": (Decimal("898.5"), Decimal(0), Decimal("0.8985"), ""),
        },
    ),
    Case(
        row="found in the lists",
        source=ALL_ORDERS,
        call=find_in_lists,
        answers=[
            FakeReply(method="GET", path="/api/v3/allOrders", having={"startTime": 1795777140000}, body=[order()]),
            FakeReply(method="GET", path="/api/v3/allOrders", having={"orderId": 29}, body=[]),
            trades(TRADES_IN_COIN, orderId=28),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="found in the lists",
        source=TRADES,
        name="neither there",
        call=find_in_lists,
        answers=[
            FakeReply(method="GET", path="/api/v3/allOrders", having={"startTime": 1795777140000}, body=[]),
            trades([], startTime=1795777200000),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="balances",
        source="{api}, Account information",
        call=balances,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/account",
                again=True,
                body={
                    "canTrade": True,
                    "balances": [
                        {"asset": "BTC", "free": "4723846.89208129", "locked": "1.5"},
                        {"asset": "USDT", "free": "100.25", "locked": "0.75"},
                        {"asset": "BAD", "free": "many", "locked": "0"},
                    ],
                },
            )
        ],
        expected=(Decimal("100.25"), {"BTC": Decimal("4723848.39208129"), "USDT": Decimal(101)}),
    ),
    Case(
        row="rehearsed",
        source="{api}, Test new order",
        call=rehearse,
        answers=[FakeReply(method="POST", path="/api/v3/order/test", body={}, having={"newClientOrderId": OUR_ID})],
        expected=None,
    ),
    Case(
        row="rehearsed",
        name="and refused",
        source="{api}, Test new order",
        call=rehearse,
        answers=[
            FakeReply(
                method="POST",
                path="/api/v3/order/test",
                body={"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
                status=401,
            )
        ],
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(row="sent as documented", source=NEW_ORDER, answers=[placed(FILLED)], expected=Executed, sent=SENT),
]


def conformance(*, profile, api, minimum, cases, **changes):
    """Return the cases of a venue that speaks this interface: those that all have, and its own."""
    stepless = Case(
        row="filled",
        name="in a market without step and tick",
        source=f"{FILTERS}: 0 disables a rule",
        public=public(minimum=minimum, steps=NO_STEPS),
        call=read_rules_and_buy,
        answers=[placed(FILLED)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    )
    return Conformance(
        profile=profile,
        config=Config(),
        purchase="/api/v3/order",
        signature=frozenset({"signature"}),
        public=public(minimum=minimum),
        cases=[replace(case, source=case.source.replace("{api}", api)) for case in (*CASES, stepless, *cases)],
        has_no={"refused: nonce": f"{api}, Request security: requests are dated, and not numbered"},
        **changes,
    )
