"""Further cases for Binance's interface: each documented code, and answers that are rare, broken or contradictory.

Their forms are those of the documentation, and of answers that users of public clients have recorded.
"""

import hashlib
import hmac
from datetime import timedelta
from decimal import Decimal

from settlement.venues.protocol import Executed, MarketRules, NotPlaced, OrderNotFound, Trouble, Unknown, Untrue
from tests.settlement.conformance.dialects.binance import (
    ALL_ORDERS,
    BOUGHT,
    ERRORS,
    FILLED,
    FILTERS,
    IN_COIN,
    LIMITS,
    NEW_ORDER,
    QUERY,
    SENT,
    TRADES,
    TRADES_IN_COIN,
    fill,
    order,
    placed,
    query,
    refusal,
    refused,
    trade,
    trades,
)
from tests.settlement.conformance.harness import (
    OUR_ID,
    Case,
    FakeReply,
    buy_as,
    buy_within,
    find_in_lists,
    look_up,
    rules,
)

STP = "{api}, Self Trade Prevention FAQ"
CHANGES = "{api}, changelog of 2023-03"
HAND_MADE = "hand-made: a contradiction, or a field that is missing"
PAGE = "a proxy's page, or none"
BODY = (
    "timestamp=1795780800250&symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.015&price=60000"
    f"&newClientOrderId={OUR_ID}&newOrderRespType=FULL&recvWindow=5000"
)
SIGNATURE = hmac.new(b"our-secret", BODY.encode(), hashlib.sha256).hexdigest()
NOTHING = {"executedQty": "0.00000000", "cummulativeQuoteQty": "0.00000000"}
PART = {"executedQty": "0.01000000", "cummulativeQuoteQty": "599.00000000"}
BOUGHT_PART = {"final": True, "quantity": "0.01", "cost": "599", "commission": "0.00001"}
LIST = {"method": "GET", "path": "/api/v3/allOrders"}


def told(name, body, expected, *, row="no answer", source=HAND_MADE, **fields):
    """An answer to a purchase."""
    return Case(row=row, source=source, name=name, answers=[placed(body)], expected=expected, fields=fields)


def found(name, body, expected, *, row="no answer", source=QUERY, more=(), **fields):
    """An answer to a look-up, and further ones."""
    answers = [query(body), *more]
    return Case(row=row, source=source, name=name, call=look_up, answers=answers, expected=expected, fields=fields)


def without(name):
    return {key: value for key, value in FILLED.items() if key != name}


REFUSALS = [
    refused(row, code, message, trouble, name=f"{code} {message}")
    for row, code, message, trouble in (
        ("refused: permission", -1002, "You are not authorized to execute this request.", Trouble.VENUE),
        ("refused: size", -1013, "Invalid quantity.", None),
        ("refused: permission", -1014, "UNKNOWN_ORDER_COMPOSITION", Trouble.COIN),
        ("refused: permission", -1016, "This service is no longer available.", Trouble.VENUE),
        ("refused: permission", -1020, "This operation is not supported.", Trouble.VENUE),
        ("refused: size", -1101, "Too many parameters; expected '8' and received '9'.", Trouble.COIN),
        ("refused: size", -1103, "An unknown parameter was sent.", Trouble.COIN),
        ("refused: size", -1105, "Parameter 'price' was empty.", Trouble.COIN),
        ("refused: size", -1108, "Parameter 'quantity' overflowed.", Trouble.COIN),
        ("refused: size", -1112, "No orders on book for symbol.", Trouble.COIN),
        ("refused: size", -1114, "TimeInForce parameter sent when not required.", Trouble.COIN),
        ("refused: size", -1115, "Invalid timeInForce.", Trouble.COIN),
        ("refused: size", -1116, "Invalid orderType.", Trouble.COIN),
        ("refused: size", -1117, "Invalid side.", Trouble.COIN),
        ("refused: size", -1118, "New client order ID was empty.", Trouble.COIN),
        ("refused: size", -1128, "Combination of optional parameters invalid.", Trouble.COIN),
        ("refused: size", -1130, "Data sent for parameter 'price' is not valid.", Trouble.COIN),
        ("refused: clock", -1131, "recvWindow must be less than 60000", Trouble.VENUE),
        ("refused: size", -1135, "JSON sent for parameter 'price' is not valid", Trouble.COIN),
        ("refused: key", -1099, "Not found, authenticated, or authorized", Trouble.VENUE),
        ("refused: permission", -2010, "Market is closed.", Trouble.COIN),
        ("refused: permission", -1013, "Market is closed.", Trouble.COIN),
        ("refused: size", -2010, "Price * QTY is zero or less.", None),
        ("refused: permission", -2010, "Unsupported order combination", Trouble.COIN),
        ("refused: permission", -2010, "This symbol is restricted for this account.", Trouble.COIN),
        ("refused: permission", -2010, "This account may not place or cancel orders.", Trouble.VENUE),
        ("refused: permission", -1013, "This order type is not possible in this trading phase.", Trouble.COIN),
        ("refused: permission", -2010, "Limit orders require GTC for this phase.", Trouble.COIN),
        ("refused: funds", -1010, "Account has insufficient balance for requested action.", Trouble.COIN),
        ("refused: size", -1013, "Filter failure: PRICE_FILTER", None),
        ("refused: size", -1013, "Filter failure: MAX_NUM_ORDERS", Trouble.COIN),
        ("refused: size", -2010, "Filter failure: EXCHANGE_MAX_NUM_ORDERS", Trouble.VENUE),
    )
]
OPEN = [
    Case(
        row="refused: words of no table",
        source=f"{ERRORS}: execution status unknown",
        name=f"{status} {code}",
        answers=[refusal(code, "Execution status unknown.", status)],
        expected=Unknown,
        fields={"retry_after_seconds": 10 if status == 429 else None},
    )
    for code, status in ((-1000, 400), (-1001, 400), (-1006, 429), (-1007, 408), (-1007, 429), (-1008, 503))
] + [
    Case(
        row="refused: words of no table",
        source=f"{ERRORS}, in an answer that is no 4XX",
        name=f"{status} {code}",
        answers=[refusal(code, message, status)],
        expected=Unknown,
    )
    for status, code, message in (
        (200, -2010, "Account has insufficient balance for requested action."),
        (502, -2010, "Account has insufficient balance for requested action."),
        (200, -1013, "Filter failure: LOT_SIZE"),
        (504, -1003, "Too many requests."),
        (400, -2010, "NEW_ORDER_REJECTED"),
        (400, -2011, "Unknown order sent."),
        (409, -2021, "Order cancel-replace partially failed."),
        (400, None, "Account is busy"),
    )
]
LIMITED = [
    Case(
        row="too many calls",
        source=LIMITS,
        name=name,
        answers=[answer],
        expected=NotPlaced,
        fields={"trouble": trouble, "retry_after_seconds": seconds},
    )
    for name, answer, trouble, seconds in (
        ("a page of a proxy's", placed("<html>slow down</html>", 429), Trouble.CALLS, 10),
        (
            "the end of a ban in its message",
            refusal(
                -1003,
                "Way too much request weight used; IP banned until 1795780920000. Please use WebSocket Streams for"
                " live updates to avoid bans.",
                418,
                headers={"Date": "Fri, 27 Nov 2026 12:00:00 GMT"},
            ),
            Trouble.CALLS,
            120,
        ),
        ("in a 400", refusal(-1003, "Too many requests queued."), Trouble.CALLS, 10),
        ("orders alone, in a 400", refusal(-1015, "Too many new orders."), Trouble.VENUE, 10),
        (
            "orders alone, and no time",  # "you will receive a 429 error without the Retry-After header"
            refusal(-1015, "Too many new orders; current limit is 50 orders per TEN_SECONDS.", 429),
            Trouble.VENUE,
            10,
        ),
    )
]
PAGES = [
    Case(row="unavailable", source=PAGE, name=f"{status} {body[:20]}", answers=[placed(body, status)], expected=Unknown)
    for status, body in (
        (400, ""),
        (400, '{"code":-2010,"msg":"Account has insuff'),
        (400, '[{"code":-2010}]'),
        (400, '{"msg":"Account is busy"}'),
        (401, "<html>unauthorized</html>"),
        (403, "<html>The request could not be satisfied</html>"),
        (404, "<html>nothing here</html>"),
        (405, ""),
        (202, ""),
        (200, '{"symbol":"BTCUSDT","orderId":28,"orderLis'),
        (200, "<html>Just a moment...</html>"),
    )
]
ORDERS = [
    told(
        "an order that would have met ours",
        order(**PART, status="EXPIRED_IN_MATCH", preventedMatchId=8, preventedQuantity="0.005", fills=IN_COIN[:1]),
        Executed,
        row="partly filled",
        source=STP,
        status="expired",
        **BOUGHT_PART,
    ),
    told(
        "called filled, and the rest prevented",
        order(**PART, preventedMatchId=8, preventedQuantity="0.00500000", fills=IN_COIN[:1]),
        Executed,
        row="partly filled",
        source=f"{STP}: the status will be one of EXPIRED_IN_MATCH, FILLED, or EXPIRED",
        status="expired",
        **BOUGHT_PART,
    ),
    told(
        "out of the range of prices",
        order(**NOTHING, status="EXPIRED", expiryReason="EXECUTION_RULE_PRICE_RANGE_EXCEEDED", fills=[]),
        Executed,
        row="nothing filled",
        source="{api}, Price Range Execution Rule",
        final=True,
        quantity="0",
    ),
    told(
        "rejected",
        order(**NOTHING, status="REJECTED", fills=[]),
        Executed,
        row="nothing filled",
        source="{api}, ENUM definitions",
        final=True,
        status="rejected",
        quantity="0",
    ),
    found(
        "partly, and still open",
        order(**PART, status="PARTIALLY_FILLED"),
        Executed,
        row="still open",
        more=[trades(TRADES_IN_COIN[:1], orderId=28)],
        final=False,
        quantity="0.01",
    ),
    *(
        found(name, order(**NOTHING, status=name), Executed, row="still open", final=False)
        for name in ("PENDING_NEW", "PENDING_CANCEL")
    ),
    found(
        "cancelled",
        order(**PART, status="CANCELED"),
        Executed,
        row="partly filled",
        more=[trades(TRADES_IN_COIN[:1], orderId=28)],
        status="canceled",
        **BOUGHT_PART,
    ),
    told(
        "the form ACK",
        {key: FILLED[key] for key in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")},
        Unknown,
        source=NEW_ORDER,
    ),
    Case(
        row="filled",
        name="the form RESULT",
        source=NEW_ORDER,
        answers=[placed(order()), trades(TRADES_IN_COIN, orderId=28)],
        expected=Executed,
        fields=BOUGHT,
    ),
    told("fewer fills than executed", order(fills=IN_COIN[:1]), Untrue),
    *(
        Case(
            row="no answer",
            source=HAND_MADE,
            name=f"an error and an order, {status}",
            answers=[answer],
            expected=Unknown,
        )
        for status in (200, 400, 429)
        for answer in [placed({**FILLED, "code": -2010, "msg": "Account has insufficient balance"}, status)]
    ),
    told("more fills than executed", order(fills=[*IN_COIN, fill(58, "0.001", "59900", "0", "BTC")]), Untrue),
    told(
        "fills without ids",
        order(fills=[{**fill(0, "0.0075", "59900", "0.0000075", "BTC"), "tradeId": None}] * 2),
        Executed,
        row="filled",
        source=f"{NEW_ORDER}, of 2018: fills had no tradeId",
        **BOUGHT,
    ),
    told(
        "numbers that are no strings, fields that are new",
        {
            **FILLED,
            "orderId": "28",
            "executedQty": 0.015,
            "origQty": "1.5E-2",
            "cummulativeQuoteQty": 898.5,
            "price": 60000,
            "strategyId": 1,
            "workingFloor": "EXCHANGE",
            "usedSor": False,
        },
        Executed,
        row="filled",
        source=NEW_ORDER,
        **BOUGHT,
    ),
    found(
        "a cost that the order does not tell",
        order(cummulativeQuoteQty="-1.00000000"),
        Executed,
        row="filled",
        source=f"{QUERY}: it will be < 0, meaning the data is not available at this time",
        more=[trades(TRADES_IN_COIN, orderId=28)],
        **BOUGHT,
    ),
    found(
        "a cost that the order does not tell, and a trade's price denies",
        order(cummulativeQuoteQty="-1.00000000"),
        Untrue,
        row="filled",
        source=f"{QUERY}: it will be < 0, meaning the data is not available at this time",
        more=[trades([TRADES_IN_COIN[0] | {"quoteQty": "59.90000000"}, TRADES_IN_COIN[1]], orderId=28)],
    ),
]
BROKEN = [
    *(
        told(f"without {name}", without(name), Unknown)
        for name in ("executedQty", "status", "orderId", "clientOrderId")
    ),
    *(
        told(f"{name} {value}", {**FILLED, name: value}, expected)
        for name, value, expected in (
            ("executedQty", None, Unknown),
            ("cummulativeQuoteQty", None, Unknown),
            ("clientOrderId", "", Untrue),
            ("executedQty", "abc", Untrue),
            ("executedQty", "-0.015", Untrue),
            ("executedQty", "NaN", Untrue),
            ("cummulativeQuoteQty", "0.00000000", Untrue),
            ("cummulativeQuoteQty", "897.50000000", Untrue),
            ("status", "HALTED", Untrue),
            ("side", "SELL", Untrue),
            ("symbol", "ETHUSDT", Untrue),
            ("fills", "many", Untrue),
        )
    ),
    *(
        told(f"a commission of {change}", order(fills=[{**fill(1, "0.015", "59900", "0", "BTC"), **change}]), expected)
        for change, expected in (
            ({"commission": None}, Unknown),
            ({"commission": "-0.00001"}, Untrue),
            ({"commission": ""}, Untrue),
        )
    ),
    told(
        "a commission in no asset",
        order(fills=[fill(1, "0.015", "59900", "0.00001", None)]),
        Executed,
        row="commission in a third asset",
        foreign_commission="?",
    ),
]
FOUND = [
    found(
        "both sides of a trade with ourselves",
        order(),
        Executed,
        row="another order's fill",
        source="{api}, changelog of 2018-01-20: myTrades returns both sides",
        more=[
            trades(
                [
                    trade(56, "0.015", "59900", "0.8", "USDT", order=27, isBuyer=False),
                    trade(56, "0.015", "59900", "0.000015", "BTC"),
                ],
                orderId=28,
            )
        ],
        **BOUGHT,
    ),
    found(
        "one trade in two ways",
        order(),
        Untrue,
        row="another order's fill",
        source=HAND_MADE,
        more=[trades([*TRADES_IN_COIN[:1], {**TRADES_IN_COIN[0], "commission": "9"}, TRADES_IN_COIN[1]], orderId=28)],
    ),
    found(
        "of another market",
        order(),
        Unknown,
        row="another order's fill",
        source=HAND_MADE,
        more=[trades([{**TRADES_IN_COIN[0], "symbol": "ETHUSDT", "qty": "0.015"}], orderId=28)],
    ),
    found(
        "one twice on a page, and another on the next one",
        order(),
        Executed,
        row="another order's fill",
        source=HAND_MADE,
        more=[
            trades([TRADES_IN_COIN[0], TRADES_IN_COIN[0]], orderId=28),
            trades([TRADES_IN_COIN[1]], orderId=28, fromId=57),
        ],
        **BOUGHT,
    ),
    found(
        "a page that ends with the order",
        order(origQty="0.01", executedQty="0.01", cummulativeQuoteQty="599"),
        Executed,
        row="many fills",
        source=TRADES,
        more=[trades([trade(n, "0.00001", "59900", "0.00000001", "BTC") for n in range(1000)], orderId=28, limit=1000)],
        quantity="0.01",
        commission="0.00001",
    ),
    found(
        "a trade without its id",
        order(),
        Unknown,
        row="fills not there yet",
        source=HAND_MADE,
        more=[
            trades([{key: value for key, value in TRADES_IN_COIN[0].items() if key != "id"}], orderId=28),
        ],
    ),
    found("a page instead of the trades", order(), Unknown, source=PAGE, more=[trades("<html>", orderId=28)]),
    found("a list", [order()], Unknown, source=HAND_MADE),
    *(
        Case(row="not found", source=source, name=f"{status} {code}", call=look_up, answers=[answer], expected=expected)
        for source, status, code, expected in (
            (ERRORS, 404, -2013, OrderNotFound),
            (f"{CHANGES}: canceled or expired with no executed qty, and archived", 400, -2026, OrderNotFound),
            (ERRORS, 200, -2013, Unknown),
            (f"{ERRORS}: of cancellations", 400, -2011, Unknown),
            (ERRORS, 400, -1102, Unknown),
            (ERRORS, 400, -1121, Unknown),
            (ERRORS, 401, -2015, Unknown),
            (ERRORS, 400, "Order does not exist.", Unknown),
        )
        for answer in [query({"code": code, "msg": "Order does not exist."}, status)]
    ),
]
LISTS = [
    Case(
        row="list over pages",
        name=name,
        source=ALL_ORDERS,
        call=find_in_lists,
        answers=[FakeReply(**LIST, having={"startTime": 1795777140000, "limit": 500}, body=first), *more],
        expected=Unknown,
    )
    for name, first, more in (
        ("cut", '[{"symbol":"BTCUSDT","orderId":27', ()),
        ("no list", {"code": -1003, "msg": "Too many requests."}, ()),
        ("an order without its id", [{**order(), "orderId": None}], ()),
        (
            "the same page again",
            [order(orderId=27, clientOrderId="a")],
            [FakeReply(**LIST, having={"orderId": 28}, body=[order(orderId=27, clientOrderId="a")])],
        ),
        (
            "the second page fails",
            [order(orderId=27, clientOrderId="a")],
            [FakeReply(**LIST, having={"orderId": 28}, body="<html>", status=502)],
        ),
    )
]
CALLS = [
    Case(
        row="sent as documented",
        name="with half a second",
        source="{api}, Timing security",
        call=buy_within(timedelta(milliseconds=500)),
        answers=[placed(FILLED)],
        expected=Executed,
        sent={**SENT, "recvWindow": "500"},
    ),
    Case(
        row="sent as documented",
        name="the longest id",
        source=f"{NEW_ORDER}: newClientOrderId",
        call=buy_as("ce-_" + "Z9" * 16),
        answers=[placed({**FILLED, "clientOrderId": "ce-_" + "Z9" * 16})],
        expected=Executed,
        sent={**SENT, "newClientOrderId": "ce-_" + "Z9" * 16},
    ),
    *(
        Case(
            row="nothing sent",
            name=f"an id like {text[:8]}",
            source=f"{NEW_ORDER}: newClientOrderId",
            call=buy_as(text),
            answers=[],
            expected=NotPlaced,
            fields={"trouble": Trouble.COIN},
        )
        for text in ("ce" + "0" * 35, "ce 0", "ce.0", "ce\u00e40", "")
    ),
]


def oddities(*, host, smallest):
    """Return the cases of a venue at this host, whose market has this smallest notional."""
    exact = Case(
        row="sent as documented",
        name="to the last byte",
        source="{api}, SIGNED Endpoint Examples for POST /api/v3/order: as a request body",
        answers=[placed(FILLED)],
        expected=Executed,
        url=f"https://{host}/api/v3/order",
        body=f"{BODY}&signature={SIGNATURE}",
        headers={"X-MBX-APIKEY": "our-key", "Content-Type": "application/x-www-form-urlencoded"},
    )
    filters = Case(
        row="refused: size",
        name="the rules that purchases keep to",
        source=FILTERS,
        call=rules,
        answers=[],
        expected=MarketRules(
            quantity_step=Decimal("0.00001"),
            quantity_minimum=Decimal("0.00001"),
            quantity_maximum=Decimal(9000),
            price_tick=Decimal("0.01"),
            notional_minimum=Decimal(smallest),
        ),
    )
    return [*REFUSALS, *OPEN, *LIMITED, *PAGES, *ORDERS, *BROKEN, *FOUND, *LISTS, *CALLS, exact, filters]
