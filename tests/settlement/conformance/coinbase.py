"""Cases for Coinbase: answers in the form of its Advanced Trade API reference, made by hand."""

from dataclasses import replace
from decimal import Decimal

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from settlement.venues.profiles.coinbase import COINBASE
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
from settlement.venues.quotes import Quoted
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
    rehearse,
    terms,
)

CREATE = "Advanced Trade, Create Order"
GET = "Advanced Trade, Get Order"
LIST = "Advanced Trade, List Orders"
FILLS = "Advanced Trade, List Fills"
PREVIEW = "Advanced Trade, Preview Order"
KEYS = "Advanced Trade, API Key Authentication"
CCXT = "from ccxt's source, unconfirmed"
ORDER = "0000-000000-000000"
PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    .decode()
)
KEY = "organizations/ours/apiKeys/ours"
HISTORICAL = "/api/v3/brokerage/orders/historical"

PRODUCT = {
    "product_id": "BTC-USD",
    "price": "59900.00",
    "base_increment": "0.00000001",
    "quote_increment": "0.01",
    "quote_min_size": "1",
    "quote_max_size": "150000000",
    "base_min_size": "0.00000001",
    "base_max_size": "3400",
    "base_name": "Bitcoin",
    "quote_name": "US Dollar",
    "is_disabled": False,
    "status": "online",
    "cancel_only": False,
    "limit_only": False,
    "post_only": False,
    "trading_disabled": False,
    "auction_mode": False,
    "product_type": "SPOT",
    "quote_currency_id": "USD",
    "base_currency_id": "BTC",
    "alias": "",
    "alias_to": ["BTC-USDC"],
    "view_only": False,
    "price_increment": "0.01",
    "display_name": "BTC-USD",
}
PUBLIC = [
    FakeReply(
        method="GET",
        path="/api/v3/brokerage/market/products",
        body={"products": [], "num_products": 0},
        having={"product_type": "FUTURE"},
        again=True,
    ),
    FakeReply(
        method="GET",
        path="/api/v3/brokerage/market/products",
        body={"products": [PRODUCT], "num_products": 1},
        again=True,
    ),
    FakeReply(
        method="GET",
        path="/api/v3/brokerage/time",
        body={"iso": "2026-11-27T12:00:00Z", "epochSeconds": "1795780800", "epochMillis": "1795780800250"},
        again=True,
    ),
]
CONFIGURATION = {"sor_limit_ioc": {"base_size": "0.015", "limit_price": "60000"}}
SENT = {
    "client_order_id": OUR_ID,
    "product_id": "BTC-USD",
    "side": "BUY",
    "order_configuration": CONFIGURATION,
}


def placed(order=ORDER, client=OUR_ID, **changes):
    body = {
        "success": True,
        "success_response": {"order_id": order, "product_id": "BTC-USD", "side": "BUY", "client_order_id": client},
        "order_configuration": CONFIGURATION,
    }
    return FakeReply(method="POST", path="/api/v3/brokerage/orders", **{"body": body, **changes})


def order(**changes):
    return {
        "order_id": ORDER,
        "product_id": "BTC-USD",
        "user_id": "2222-000000-000000",
        "order_configuration": {"sor_limit_ioc": {"base_size": "0.01500000", "limit_price": "60000.00"}},
        "side": "BUY",
        "client_order_id": OUR_ID,
        "status": "FILLED",
        "time_in_force": "IMMEDIATE_OR_CANCEL",
        "created_time": "2026-11-27T12:00:00.300123456Z",
        "completion_percentage": "100",
        "filled_size": "0.015",
        "average_filled_price": "59900",
        "fee": "",
        "number_of_fills": "2",
        "filled_value": "898.5",
        "pending_cancel": False,
        "size_in_quote": False,
        "total_fees": "10.782",
        "size_inclusive_of_fees": False,
        "total_value_after_fees": "909.282",
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": "LIMIT",
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": True,
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "",
        **changes,
    }


def trade(number, quantity, price, fee, *, order_id=ORDER, **changes):
    return {
        "entry_id": f"entry-{number}",
        "trade_id": f"trade-{number}",
        "order_id": order_id,
        "trade_time": f"2026-11-27T12:00:00.{300 + number}123Z",
        "trade_type": "FILL",
        "price": price,
        "size": quantity,
        "commission": fee,
        "product_id": "BTC-USD",
        "sequence_timestamp": f"2026-11-27T12:00:00.{310 + number}Z",
        "liquidity_indicator": "TAKER",
        "size_in_quote": False,
        "user_id": "3333-333333-3333333",
        "side": "BUY",
        "retail_portfolio_id": "ours",
        **changes,
    }


TRADES = [trade(2, "0.005", "59900", "3.594"), trade(1, "0.01", "59900", "7.188")]
NOTHING = order(status="CANCELLED", filled_size="0", filled_value="0", total_fees="0", number_of_fills="0")
PARTLY = order(status="CANCELLED", filled_size="0.01", filled_value="599", total_fees="7.188")
BOUGHT = {
    "final": True,
    "status": "closed",
    "venue_order_id": ORDER,
    "quantity": "0.015",
    "cost": "909.282",
    "commission": "0",
    "quote_commission": "10.782",
    "foreign_commission": "",
    "asked": "0.015",
    "limit_price": "60000",
}


def queried(said, **changes):
    return FakeReply(method="GET", path=f"{HISTORICAL}/{ORDER}", **{"body": {"order": said}, **changes})


def page(kind, rows, cursor="", *, after="", **having):
    """Answer for a page of a list, after the cursor `after`; `cursor` is the next one."""
    name = "orders" if kind == "batch" else "fills"
    body = {name: rows, "cursor": cursor, **({"has_next": bool(cursor)} if kind == "batch" else {})}
    wanted = {"limit": 250, **having, **({"cursor": after} if after else {})}
    return FakeReply(
        method="GET", path=f"{HISTORICAL}/{kind}", body=body, having=wanted, lacks=() if after else ("cursor",)
    )


def ours(rows, cursor="", *, after=""):
    return page("batch", rows, cursor, after=after, product_ids="BTC-USD", order_side="BUY")


def fills(rows, cursor="", *, after=""):
    return page("fills", rows, cursor, after=after, order_ids=ORDER)


def refusal(error="UNKNOWN_FAILURE_REASON", preview="UNKNOWN_PREVIEW_FAILURE_REASON", new="UNKNOWN_FAILURE_REASON"):
    return placed(
        body={
            "success": False,
            "error_response": {
                "error": error,
                "message": "The order was not placed",
                "error_details": "",
                "preview_failure_reason": preview,
                "new_order_failure_reason": new,
            },
            "order_configuration": CONFIGURATION,
        }
    )


def refused(row, trouble, **reasons):
    return Case(
        row=row,
        source=f"{CREATE}: error_response",
        name=" ".join(reasons.values()),
        answers=[refusal(**reasons)],
        expected=NotPlaced,
        fields={"trouble": trouble, "retry_after_seconds": None},
    )


def declined(row, status, body, trouble, *, source=CCXT, **fields):
    return Case(
        row=row,
        source=source,
        name=f"{status} {str(body)[:60]}",
        answers=[placed(status=status, body=body)],
        expected=NotPlaced,
        fields={"trouble": trouble, **fields},
    )


def unknown(row, body, *, status=200, source="hand-made", name=""):
    return Case(
        row=row,
        source=source,
        name=name or f"{status} {str(body)[:60]}",
        answers=[placed(status=status, body=body)],
        expected=Unknown,
    )


def error(code, message, **further):
    return {"error": code, "error_details": message, "message": message, **further}


def read_prices(venue):
    return venue.read_prices(coins=["BTC"])


MANY = [trade(each, "0.00005", "59900", "0.03594") for each in range(300)]
MISSING = "order with this orderID was not found"
CASES = [
    Case(
        row="filled",
        source=f"{CREATE}; {GET}; {FILLS}",
        answers=[placed(), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
        headers={"Content-Type": "application/json"},
    ),
    Case(
        row="filled",
        name="success, and a reason that says nothing",
        source=f"{CREATE}: failure_reason",
        answers=[
            placed(
                body={
                    "success": True,
                    "failure_reason": "UNKNOWN_FAILURE_REASON",
                    "order_id": ORDER,
                    "success_response": {"order_id": ORDER, "client_order_id": OUR_ID},
                }
            ),
            queried(order()),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="partly filled",
        source=GET,
        answers=[placed(), queried(PARTLY), fills(TRADES[1:])],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0.01", "cost": "606.188"},
    ),
    Case(
        row="nothing filled",
        source=GET,
        answers=[placed(), queried(NOTHING)],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="nothing filled",
        name="failed",
        source=f"{GET}: status",
        answers=[placed(), queried({**NOTHING, "status": "FAILED"})],
        expected=Executed,
        fields={"final": True, "status": "rejected", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="still open",
        source=f"{GET}: status",
        answers=[placed(), queried({**NOTHING, "status": "PENDING"})],
        expected=Executed,
        fields={"final": False, "status": "open"},
    ),
    Case(
        row="lost and found",
        source=LIST,
        call=buy_and_look_up,
        answers=[
            placed(error=requests.ReadTimeout()),
            ours([order(order_id="OTHER", client_order_id="ce9")], "page2"),
            ours([order()], "page3", after="page2"),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    ),
    Case(
        row="lost and found",
        name="the answer to the question after it",
        source=f"{GET}; {LIST}",
        call=buy_and_look_up,
        answers=[placed(), queried(None, status=503, body="<html>"), ours([order()]), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="not found",
        source=LIST,
        call=look_up,
        answers=[ours([order(client_order_id="ce9")], "page2"), ours([], after="page2")],
        expected=OrderNotFound,
    ),
    Case(
        row="not found",
        name="by its own id, which the answer to the purchase said",
        source=CCXT,
        answers=[placed(), queried(None, status=404, body=error("NOT_FOUND", MISSING))],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="a status that says nothing",
        source=f"{GET}: UNKNOWN_ORDER_STATUS",
        call=look_up,
        answers=[ours([order(status="UNKNOWN_ORDER_STATUS")])],
        expected=Unknown,
    ),
    Case(
        row="no answer",
        name="another order by its id",
        source=GET,
        answers=[placed(), queried(order(client_order_id="ce9"))],
        expected=Untrue,
    ),
    Case(
        row="no answer",
        name="our order by another id than the one just told",
        source=GET,
        answers=[placed(), queried(order(order_id="1111-111111-111111"))],
        expected=Unknown,
        fields={"venue_order_id": ORDER},
    ),
    Case(
        row="no answer",
        name="about another order of ours",
        source=CREATE,
        answers=[placed(client="ce9")],
        expected=Unknown,
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=text[:12],
            call=look_up,
            answers=[FakeReply(method="GET", path=f"{HISTORICAL}/batch", body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "[]", "<html>busy</html>", '{"orders":null}', '{"orders":{}}')
    ),
    *(
        unknown("no answer", text, source="a proxy's page, or none", name=f"to a purchase {text[:12]}")
        for text in ("", "null", "{}", "<html>busy</html>", '{"success":true}', '{"success":false}')
    ),
    refused("refused: funds", Trouble.COIN, error="INSUFFICIENT_FUND", preview="PREVIEW_INSUFFICIENT_FUND"),
    refused("refused: funds", Trouble.COIN, error="INSUFFICIENT_FUND"),
    refused("refused: funds", Trouble.COIN, preview="PREVIEW_INSUFFICIENT_FUND"),
    refused("refused: funds", Trouble.COIN, new="INSUFFICIENT_FUNDS"),
    refused("refused: size", None, error="INVALID_SIZE_PRECISION"),
    refused("refused: size", None, preview="PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    refused("refused: size", None, preview="PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    refused("refused: size", None, error="INVALID_PRICE_PRECISION"),
    refused("refused: size", Trouble.COIN, error="UNSUPPORTED_ORDER_CONFIGURATION"),
    refused("refused: price band", None, error="LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_BUY"),
    refused("refused: price band", None, preview="PREVIEW_LIMIT_PRICE_TOO_FAR_FROM_MARKET"),
    refused("refused: price band", None, preview="PREVIEW_BREACHED_PRICE_LIMIT"),
    Case(
        row="refused: symbol",
        source=f"{CREATE}: error_response",
        answers=[refusal(error="INVALID_PRODUCT_ID")],
        expected=Refused,
    ),
    refused("refused: symbol", Trouble.COIN, error="INELIGIBLE_PAIR"),
    refused("refused: symbol", Trouble.COIN, error="TRADING_DISABLED"),
    refused("refused: permission", Trouble.COIN, error="GEOFENCING_RESTRICTION"),
    refused("refused: permission", Trouble.VENUE, preview="PREVIEW_COMPLIANCE_PURCHASE_LIMIT_EXCEEDED"),
    declined("refused: permission", 403, error("PERMISSION_DENIED", "Missing required scopes"), Trouble.VENUE),
    declined("refused: permission", 403, error("unknown", "Missing required scopes"), Trouble.VENUE),
    declined("refused: size", 400, error("INVALID_ARGUMENT", "invalid order configuration"), Trouble.COIN),
    declined("refused: key", 401, "Unauthorized\n", Trouble.VENUE, source=KEYS),
    declined(
        "refused: key",
        401,
        {"errors": [{"id": "authentication_error", "message": "invalid api key"}]},
        Trouble.VENUE,
    ),
    declined("refused: signature", 401, "Unauthorized\n", Trouble.VENUE, source=KEYS),
    declined("refused: signature", 401, {"errors": [{"id": "invalid_token", "message": "bad token"}]}, Trouble.VENUE),
    declined(
        "refused: clock",
        401,
        {"errors": [{"id": "authentication_error", "message": "request timestamp expired"}]},
        None,
    ),
    declined("refused: clock", 401, "Unauthorized\n", Trouble.VENUE, source=f"{KEYS}: a token lasts two minutes"),
    *(
        Case(
            row="refused: words of no table",
            source=f"{CREATE}: error_response",
            name=" ".join(reasons.values()) or "none",
            answers=[refusal(**reasons)],
            expected=Unknown,
        )
        for reasons in (
            {},
            {"error": "SOMETHING_NEW"},
            {"error": "DUPLICATE_CLIENT_ORDER_ID"},
            {"error": "COMMANDER_REJECTED_NEW_ORDER"},
            {"preview": "PREVIEW_SOMETHING_NEW"},
            {"error": "SOMETHING_NEW", "preview": "PREVIEW_INSUFFICIENT_FUND"},
        )
    ),
    unknown("refused: words of no table", error("INSUFFICIENT_FUND", ""), status=502),
    unknown("refused: words of no table", error("unknown", "something new"), status=400),
    unknown("refused: words of no table", error("internal_server_error", ""), status=500),
    Case(
        row="refused: words of no table",
        name="a refusal and an order",
        source="hand-made: a contradiction",
        answers=[
            placed(
                body={
                    "success": False,
                    "success_response": {"order_id": ORDER, "client_order_id": OUR_ID},
                    "error_response": {"error": "INSUFFICIENT_FUND"},
                }
            )
        ],
        expected=Unknown,
    ),
    declined("too many calls", 429, error("RESOURCE_EXHAUSTED", ""), Trouble.CALLS, retry_after_seconds=10),
    declined(
        "too many calls",
        200,
        {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]},
        Trouble.CALLS,
        retry_after_seconds=10,
    ),
    declined("too many calls", 429, "", Trouble.CALLS, source="Advanced Trade, REST API Rate Limits"),
    Case(
        row="too many calls",
        name="of a question",
        source="Advanced Trade, REST API Rate Limits",
        call=look_up,
        answers=[
            FakeReply(method="GET", path=f"{HISTORICAL}/batch", status=429, body="", headers={"Retry-After": "3"})
        ],
        expected=Unknown,
        fields={"retry_after_seconds": 3},
    ),
    *(
        unknown("unavailable", "<html>", status=status, source="a proxy's page", name=str(status))
        for status in (302, 403, 404, 500, 502, 503, 504)
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
        config={"api_secret": PEM.replace("\n", "\\n")},
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
        public=[FakeReply(method="GET", path="/api/v3/brokerage/market/products", status=502, body="", again=True)],
        expected=NotPlaced,
        fields={"trouble": Trouble.COIN},
    ),
    Case(
        row="commission in the quote asset",
        name="on top of the filled value",
        source=f"{FILLS}: commission; {GET}: filled_value, total_value_after_fees",
        answers=[placed(), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="commission with nine decimals",
        source="hand-made",
        answers=[
            placed(),
            queried(order(status="CANCELLED", filled_size="0.007533", filled_value="451.2267")),
            fills([trade(1, "0.007533", "59900", "5.414720401")]),
        ],
        expected=Executed,
        fields={"quantity": "0.007533", "quote_commission": "5.41472041", "cost": "456.64142041"},
    ),
    Case(
        row="many fills",
        source=f"{FILLS}: limit, cursor",
        answers=[
            placed(),
            queried(order()),
            fills(MANY[:250], "page2"),
            fills(MANY[250:], "page3", after="page2"),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="another order's fill",
        name="with ours",
        source=f"{FILLS}: order_ids",
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
        source=f"{FILLS}: order_ids",
        answers=[placed(), queried(order()), fills([trade(9, "0.015", "59900", "9", order_id="OTHER")])],
        expected=Unknown,
    ),
    Case(
        row="another order's fill",
        name="ours twice",
        source=FILLS,
        answers=[placed(), queried(order()), fills([*TRADES, {**TRADES[0], "entry_id": "again"}])],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="another order's fill",
        name="a correction of ours",
        source=f"{FILLS}: trade_type",
        answers=[placed(), queried(order()), fills([*TRADES, trade(3, "0.005", "59900", "1", trade_type="REVERSAL")])],
        expected=Untrue,
    ),
    Case(
        row="another order's fill",
        name="a size in the quote asset",
        source=f"{FILLS}: size_in_quote",
        answers=[placed(), queried(order()), fills([trade(1, "898.5", "59900", "1", size_in_quote=True)])],
        expected=Untrue,
    ),
    Case(
        row="fills not there yet",
        source=FILLS,
        answers=[placed(), queried(order()), fills(TRADES[:1])],
        expected=Unknown,
    ),
    Case(
        row="list over pages",
        source=f"{LIST}: cursor, has_next",
        call=list_purchases,
        answers=[
            page(
                "batch",
                [
                    order(order_id="O3", client_order_id="ce3", status="OPEN", filled_size="0", filled_value="0"),
                    order(order_id="BY-HAND", client_order_id=""),
                ],
                "page2",
                product_ids="BTC-USD",
                start_date="2026-11-27T11:00:00.000Z",
            ),
            page(
                "batch",
                [
                    order(order_id="O2", client_order_id="ce2", created_time="2026-11-27T11:59:59Z"),
                    order(order_id="O1", created_time="2026-11-27T11:59:58.5Z"),
                    order(order_id="O0", client_order_id="ce0", created_time="2026-11-27T10:59:59.999999Z"),
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
        source=f"{FILLS}: start_sequence_timestamp",
        call=list_figures,
        answers=[
            page("batch", [order(), order(order_id="O2", client_order_id="ce2")], product_ids="BTC-USD"),
            page(
                "fills",
                [trade(9, "0.01", "59900", "7", order_id="O2"), TRADES[0]],
                "page2",
                product_ids="BTC-USD",
                start_sequence_timestamp="2026-11-27T11:00:00.000Z",
            ),
            page("fills", [TRADES[1]], after="page2"),
        ],
        expected={ORDER: (Decimal("898.5"), Decimal(0), Decimal("10.782"), "")},
    ),
    Case(
        row="found in the lists",
        source=LIST,
        call=find_in_lists,
        answers=[
            page("batch", [order()], product_ids="BTC-USD", start_date="2026-11-27T10:59:00.000Z"),
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
        answers=[page("batch", []), page("fills", [])],
        expected=OrderNotFound,
    ),
    Case(
        row="found in the lists",
        name="a list without rows",
        source="hand-made",
        call=find_in_lists,
        answers=[FakeReply(method="GET", path=f"{HISTORICAL}/batch", body={})],
        expected=Unknown,
    ),
    Case(
        row="balances",
        source="Advanced Trade, List Accounts",
        call=balances,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/brokerage/accounts",
                having={"limit": 250},
                lacks=("cursor",),
                again=True,
                body={
                    "accounts": [
                        {
                            "uuid": "1",
                            "currency": "USD",
                            "available_balance": {"value": "100.25", "currency": "USD"},
                            "hold": {"value": "0.75", "currency": "USD"},
                            "type": "ACCOUNT_TYPE_FIAT",
                        },
                        {
                            "uuid": "2",
                            "currency": "BTC",
                            "available_balance": {"value": "9", "currency": "BTC"},
                            "hold": {"value": "0", "currency": "BTC"},
                            "type": "ACCOUNT_TYPE_VAULT",
                        },
                    ],
                    "has_next": True,
                    "cursor": "page2",
                },
            ),
            FakeReply(
                method="GET",
                path="/api/v3/brokerage/accounts",
                having={"cursor": "page2"},
                again=True,
                body={
                    "accounts": [
                        {
                            "uuid": "3",
                            "currency": "BTC",
                            "available_balance": {"value": "1.2", "currency": "BTC"},
                            "hold": {"value": "0.3", "currency": "BTC"},
                            "type": "ACCOUNT_TYPE_CRYPTO",
                        },
                    ],
                    "has_next": False,
                    "cursor": "",
                },
            ),
        ],
        expected=(Decimal("100.25"), {"USD": Decimal(101), "BTC": Decimal("1.5")}),
    ),
    Case(
        row="third asset seen at start",
        name="permission and rate; there is no third asset",
        source="Advanced Trade, Get API Key Permissions; Get Transactions Summary",
        call=terms,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/brokerage/key_permissions",
                body={"can_view": True, "can_trade": True, "can_transfer": False},
            ),
            FakeReply(
                method="GET",
                path="/api/v3/brokerage/transaction_summary",
                having={"product_type": "SPOT"},
                body={"total_fees": "25", "fee_tier": {"pricing_tier": "Advanced 1", "taker_fee_rate": "0.012"}},
            ),
        ],
        expected=AccountTerms(can_trade=True, taker_rate=Decimal("0.012")),
    ),
    Case(
        row="rehearsed",
        source=PREVIEW,
        call=rehearse,
        answers=[
            FakeReply(
                method="POST",
                path="/api/v3/brokerage/orders/preview",
                body={"order_total": "909.28", "commission_total": "10.78", "errs": [], "warning": []},
                having={"product_id": "BTC-USD", "side": "BUY", "order_configuration": CONFIGURATION},
                lacks=("client_order_id",),
            )
        ],
        expected=None,
    ),
    *(
        Case(
            row="rehearsed",
            name=f"and refused: {' '.join(errs)}",
            source=f"{PREVIEW}: errs",
            call=rehearse,
            answers=[
                FakeReply(
                    method="POST", path="/api/v3/brokerage/orders/preview", body={"order_total": "0", "errs": errs}
                )
            ],
            expected=expected,
        )
        for errs, expected in (
            (["PREVIEW_INSUFFICIENT_FUND"], NotPlaced),
            (["PREVIEW_INSUFFICIENT_FUND", "PREVIEW_SOMETHING_NEW"], Unknown),
        )
    ),
    Case(
        row="sent as documented",
        source=f"{CREATE}: order_configuration, sor_limit_ioc; there is no deadline",
        answers=[placed(), queried(order()), fills(TRADES)],
        expected=Executed,
        sent=SENT,
    ),
    Case(
        row="sent as documented",
        name="prices are those of the book",
        source="Advanced Trade, Get Best Bid/Ask: a list of products has neither bid nor ask",
        call=read_prices,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/brokerage/best_bid_ask",
                having={"product_ids": "BTC-USD"},
                body={
                    "pricebooks": [
                        {
                            "product_id": "BTC-USD",
                            "bids": [{"price": "59899.99", "size": "1"}],
                            "asks": [{"price": "59900", "size": "1"}],
                            "time": "2026-11-27T12:00:00.100Z",
                        }
                    ]
                },
            )
        ],
        expected={"BTC": Quoted(bid=Decimal("59899.99"), ask=Decimal(59900), last=None, venue_time=None)},
    ),
]


def told(name, changes, expected, *, row="no answer", source=GET, trades=(), **fields):
    """Make a case of an order whose answer has other fields; None as a value removes the field."""
    said = {name: value for name, value in order(**changes).items() if value is not None}
    answers = [placed(), queried(said), *([fills(list(trades))] if trades else [])]
    return Case(row=row, source=source, name=name, answers=answers, expected=expected, fields=fields)


def traded(name, trades, expected, *, row="another order's fill", source=FILLS, **fields):
    """Make a case of the executed order, and of what the list of its fills says."""
    answers = [placed(), queried(order()), fills(trades)]
    return Case(row=row, source=source, name=name, answers=answers, expected=expected, fields=fields)


def buying(**changes):
    """Make a call that buys something else."""
    return lambda venue: venue.buy(purchase=replace(BUY, **changes))


def whole(fee="10.782", **changes):
    return trade(1, "0.015", "59900", fee, **changes)


def without(name, said):
    return {each: value for each, value in said.items() if each != name}


def listed(*pages):
    """Answer for pages of the list of orders, as they are."""
    return [FakeReply(method="GET", path=f"{HISTORICAL}/batch", body=each) for each in pages]


def account(uuid, currency, free, **changes):
    return {
        "uuid": uuid,
        "currency": currency,
        "available_balance": {"value": free, "currency": currency},
        "hold": {"value": "0", "currency": currency},
        "type": "ACCOUNT_TYPE_FIAT",
        "platform": "ACCOUNT_PLATFORM_CONSUMER",
        **changes,
    }


def preview(body, **changes):
    return [FakeReply(method="POST", path="/api/v3/brokerage/orders/preview", body=body, **changes)]


def look_up_listed(venue):
    return venue.look_up_listed(coin="BTC", client_order_id=OUR_ID, venue_order_id=ORDER)


REFUSED = {"error": "INSUFFICIENT_FUND", "message": "Insufficient balance in source account"}
EDGES = [
    *(
        Case(
            row="nothing sent",
            name=f"an id like {name!a}",
            source="ours: ids have 32 hex digits",
            call=buying(client_order_id=name),
            answers=[],
            expected=NotPlaced,
            fields={"trouble": Trouble.COIN},
        )
        for name in ("", "c" * 65, "ce 0", "ce0\n", "ce\u0660")
    ),
    Case(
        row="sent as documented",
        name="without exponents",
        source="hand-made",
        call=buying(quantity=Decimal("1E-7"), limit_price=Decimal("1E+5")),
        answers=[placed(body="")],
        expected=Unknown,
        sent={**SENT, "order_configuration": {"sor_limit_ioc": {"base_size": "0.0000001", "limit_price": "100000"}}},
    ),
    *(
        refused(row, trouble, error=name)
        for row, trouble, names in (
            ("refused: size", None, ("INVALID_RFQ_BASE_SIZE_TOO_SMALL", "INVALID_RFQ_QUOTE_SIZE_TOO_LARGE")),
            ("refused: price band", None, ("LIMIT_PRICE_TOO_FAR_FROM_MARKET",)),
            (
                "refused: symbol",
                Trouble.COIN,
                (
                    "PRODUCT_TRADING_HALTED",
                    "UNTRADABLE_PRODUCT",
                    "INVALID_UNSUPPORTED_INSTRUMENT",
                    "MISSING_MARKET_TRADE_DATA",
                    "FRACTIONAL_ORDERS_NOT_ALLOWED_FOR_PRODUCT",
                    "INVALID_NO_LIQUIDITY",
                ),
            ),
            (
                "refused: permission",
                Trouble.COIN,
                ("POSITION_SIZE_INCREASE_REJECT", "ASSET_BALANCE_INCREASE_REJECT", "BREACHED_RISK_LIMIT"),
            ),
            ("refused: permission", Trouble.VENUE, ("IN_LIQUIDATION",)),
        )
        for name in names
    ),
    *(
        refused(row, trouble, preview=f"PREVIEW_{name}")
        for row, trouble, names in (
            ("refused: size", None, ("INVALID_BASE_SIZE_TOO_LARGE", "INVALID_QUOTE_SIZE_PRECISION")),
            ("refused: price band", None, ("INVALID_PRICE_TOO_LARGE", "LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_BUY")),
            ("refused: symbol", Trouble.COIN, ("NOT_ALLOWED_BY_MARKET_STATE", "MISSING_PRODUCT_PRICE_BOOK")),
            (
                "refused: permission",
                Trouble.COIN,
                (
                    "CLOSE_ONLY_FAILURE",
                    "BREACHED_ACCOUNT_POSITION_LIMIT",
                    "BREACHED_COMPANY_POSITION_LIMIT",
                    "MISSING_COMMISSION_RATE",
                    "INVALID_COMMISSION_CONFIGURATION",
                ),
            ),
            ("refused: permission", Trouble.VENUE, ("MAX_DAILY_VOLUME_NOTIONAL_BREACHED",)),
        )
        for name in names
    ),
    *(
        Case(
            row="refused: words of no table",
            source=f"{CREATE}: error_response; none says that no order was placed",
            name=name,
            answers=[refusal(error=name)],
            expected=Unknown,
        )
        for name in ("RFQ_RATE_LIMITED", "RFQ_VENUE_REJECTED", "RFQ_QUOTE_EXPIRED", "PREVIEW_RISK_PROXY_FAILURE")
    ),
    *(
        unknown(
            "refused: words of no table", error(word, ""), status=status, source=f"{CREATE}: grpc.gateway.runtime.Error"
        )
        for word, status in (
            ("ALREADY_EXISTS", 409),
            ("FAILED_PRECONDITION", 400),
            ("ABORTED", 409),
            ("CANCELLED", 499),
            ("INTERNAL", 500),
            ("UNAVAILABLE", 503),
            ("DEADLINE_EXCEEDED", 504),
            ("NOT_FOUND", 404),
            ("PERMISSION_DENIED", 502),
        )
    ),
    *(
        unknown("refused: words of no table", body, source="hand-made: a contradiction", name=name)
        for name, body in (
            ("a refusal that says success", {"success": True, "error_response": REFUSED}),
            ("a refusal and a deprecated id", {"success": False, "order_id": ORDER, "error_response": REFUSED}),
        )
    ),
    declined("refused: funds", 200, {"error_response": REFUSED}, Trouble.COIN, source="hand-made: false is left out"),
    declined(
        "refused: size",
        400,
        error("INVALID_ARGUMENT", "account is not available"),
        Trouble.COIN,
        source="recorded by OctoBot: between a trade and its balance",
    ),
    *(
        declined("refused: key", 401, body, Trouble.VENUE, source=f"{KEYS}: 401")
        for body in ("", "<html>", error("Unauthorized", ""), {"code": 16, "error": "unauthenticated", "details": []})
    ),
    *(unknown("unavailable", "", status=status, source="a proxy's page") for status in (400, 408, 409, 520, 522, 524)),
    *(
        unknown("no answer", body, name=f"to a purchase, {name}")
        for name, body in (
            ("cut off in a refusal", '{"success":false,"error_response":{"error":"INSUFFICIENT_FUND","mess'),
            (
                "success as text",
                {"success": "true", "success_response": {"order_id": ORDER, "client_order_id": OUR_ID}},
            ),
            (
                "success that is null",
                {"success": None, "success_response": {"order_id": ORDER, "client_order_id": OUR_ID}},
            ),
            ("without our id", {"success": True, "success_response": {"order_id": ORDER}}),
            ("an empty id", {"success": True, "success_response": {"order_id": "", "client_order_id": OUR_ID}}),
            (
                "an id that is a number",
                {"success": True, "success_response": {"order_id": 7, "client_order_id": OUR_ID}},
            ),
            ("a list", [{"success": True}]),
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
    told("no status", {"status": None}, Unknown),
    told("no size", {"filled_size": None}, Unknown),
    told("no value", {"filled_value": None}, Unknown),
    told("no time", {"created_time": None}, Unknown),
    told("no id", {"order_id": None}, Unknown),
    told("an empty size", {"filled_size": ""}, Untrue),
    told("a status that is not documented", {"status": "DONE"}, Untrue),
    told("another market", {"product_id": "BTC-USDC"}, Untrue),
    told("to sell", {"side": "SELL"}, Untrue),
    told("filled, and nothing executed", {"filled_size": "0", "filled_value": "0"}, Untrue),
    told("a value that its fills deny", {"filled_value": "899.5"}, Untrue, trades=TRADES),
    told("our id is not repeated", {"client_order_id": None}, Executed, row="filled", trades=TRADES, **BOUGHT),
    told(
        "numbers with exponents, and further fields",
        {"filled_size": "1.5E-2", "filled_value": 8.985e2, "product_details": {"equity_details": {}}},
        Executed,
        row="filled",
        trades=[whole(10.782, size=1.5e-2) | {"price": "5.99e4"}],
        **BOUGHT,
    ),
    told(
        "expired, and executed in part",
        {"status": "EXPIRED", "filled_size": "0.01", "filled_value": "599"},
        Executed,
        row="partly filled",
        source=f"{GET}: status",
        trades=TRADES[1:],
        final=True,
        status="expired",
        quantity="0.01",
    ),
    *(
        told(status, {**NOTHING, "status": status}, Executed, row="still open", source=f"{GET}: status", final=False)
        for status in ("OPEN", "QUEUED", "EDIT_QUEUED", "CANCEL_QUEUED")
    ),
    traded("more than was executed", [*TRADES, trade(3, "0.005", "59900", "3.594")], Untrue),
    traded("ours in two ways", [*TRADES, trade(1, "0.01", "59900", "7.2", entry_id="again")], Untrue),
    traded("to sell", [whole(side="SELL")], Untrue),
    traded("in another market", [whole(product_id="BTC-USDC")], Unknown),
    *(
        traded(f"of the kind {kind}", [whole(trade_type=kind)], Untrue, source=f"{FILLS}: trade_type")
        for kind in ("CORRECTION", "SYNTHETIC", "")
    ),
    traded(
        "a commission that is missing", [without("commission", whole())], Unknown, row="commission in the quote asset"
    ),
    traded("an empty commission", [whole("")], Untrue, row="commission in the quote asset"),
    traded("a rebate", [whole("-1")], Untrue, row="commission in the quote asset"),
    traded(
        "and its parts",
        [
            whole(
                commission_detail_total={
                    "total_commission": "10.782",
                    "gst_commission": "0.00",
                    "client_commission": "10.782",
                }
            )
        ],
        Executed,
        row="commission in the quote asset",
        source=f"{FILLS}: commission_detail_total",
        **BOUGHT,
    ),
    traded(
        "and a tax on top, which nobody has proven",
        [whole(commission_detail_total={"total_commission": "12.723", "gst_commission": "1.941"})],
        Untrue,
        row="commission in the quote asset",
        source=f"{FILLS}: commission_detail_total",
    ),
    Case(
        row="many fills",
        name="the same page again",
        source="hand-made",
        answers=[placed(), queried(order()), fills(MANY[:250], "page2"), fills(MANY[:250], "page2", after="page2")],
        expected=Unknown,
    ),
    Case(
        row="many fills",
        name="a full page without a cursor",
        source="hand-made",
        answers=[
            placed(),
            queried(order()),
            FakeReply(method="GET", path=f"{HISTORICAL}/fills", body={"fills": MANY[:250]}),
        ],
        expected=Unknown,
    ),
    *(
        Case(
            row="not found", name=name, source=f"{LIST}: has_next", call=look_up, answers=listed(body), expected=Unknown
        )
        for name, body in (
            ("in a list that goes on, and names no cursor", {"orders": [], "has_next": True, "cursor": ""}),
            ("in a list that may go on", {"orders": [], "has_next": "yes", "cursor": "page2"}),
        )
    ),
    Case(
        row="lost and found",
        name="after a page without orders",
        source=f"{LIST}: has_next",
        call=look_up,
        answers=[
            *listed({"orders": [], "has_next": True, "cursor": "page2"}),
            page("batch", [order()], after="page2"),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="list over pages",
        name="an order on two of them, which ends with a full one",
        source=f"{LIST}: sort_by, unstable pagination",
        call=list_purchases,
        answers=[
            page("batch", [order()], "page2"),
            page(
                "batch",
                [order(order_id=f"BY-HAND-{each}", client_order_id="") for each in range(249)] + [order()],
                "page3",
                after="page2",
            ),
            page("batch", [], after="page3"),
        ],
        expected=[(OUR_ID, ORDER, Decimal("0.015"), Decimal("898.5"))],
    ),
    Case(
        row="found in the lists",
        name="although another order was corrected",
        source=f"{FILLS}: trade_type",
        call=find_in_lists,
        answers=[
            page("batch", [order(order_id="O2", client_order_id="")]),
            page("fills", [trade(9, "1", "59900", "1", order_id="O2", trade_type="CORRECTION")]),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="not found",
        name="a listed order by its own id",
        source="recorded by OctoBot",
        call=look_up_listed,
        answers=[queried(None, status=404, body=error("NOT_FOUND", MISSING))],
        expected=OrderNotFound,
    ),
    *(
        Case(
            row="not found",
            name=f"a listed order, {name}",
            source="hand-made",
            call=look_up_listed,
            answers=[queried(None, status=404, body=body)],
            expected=Unknown,
        )
        for name, body in (
            ("of which a proxy knows nothing", "<html>"),
            ("in other words", error("NOT_FOUND", "no route")),
        )
    ),
    Case(
        row="balances",
        name="what other venues and vaults hold is not for sale here",
        source="Advanced Trade, List Accounts: platform, type",
        call=balances,
        answers=[
            FakeReply(
                method="GET",
                path="/api/v3/brokerage/accounts",
                again=True,
                body={
                    "accounts": [
                        account("1", "USD", "100"),
                        account("2", "USD", "7", platform="ACCOUNT_PLATFORM_CFM_CONSUMER"),
                        account("3", "USD", "9", platform="ACCOUNT_PLATFORM_INTX", type="ACCOUNT_TYPE_PERP_FUTURES"),
                    ],
                    "has_next": False,
                    "cursor": "",
                },
            )
        ],
        expected=(Decimal(100), {"USD": Decimal(100)}),
    ),
    Case(
        row="third asset seen at start",
        name="a key that only reads",
        source="Advanced Trade, Get API Key Permissions",
        call=terms,
        answers=[
            FakeReply(
                method="GET", path="/api/v3/brokerage/key_permissions", body={"can_view": True, "can_trade": False}
            ),
            FakeReply(method="GET", path="/api/v3/brokerage/transaction_summary", body={"fee_tier": None}),
        ],
        expected=AccountTerms(can_trade=False),
    ),
    *(
        Case(
            row="rehearsed",
            name=f"and {name}",
            source=f"{PREVIEW}: errs",
            call=rehearse,
            answers=answers,
            expected=expected,
        )
        for name, answers, expected in (
            ("refused without a reason", preview({"errs": ["UNKNOWN_PREVIEW_FAILURE_REASON"]}), Unknown),
            ("nothing is said of failures", preview({"order_total": "909.28"}), Unknown),
            ("a proxy answers", preview("<html>"), Unknown),
            (
                "the price is too far from the market",
                preview({"errs": ["PREVIEW_LIMIT_PRICE_TOO_FAR_FROM_MARKET"]}),
                NotPlaced,
            ),
            ("the key is refused", preview("Unauthorized", status=401), NotPlaced),
        )
    ),
]

CONFORMANCE = Conformance(
    profile=COINBASE,
    config=Config(quote_asset="USD", api_key=KEY, api_secret=PEM),
    purchase="/api/v3/brokerage/orders",
    signature=frozenset(),
    public=PUBLIC,
    cases=[*CASES, *EDGES],
    has_no={
        "refused: nonce": f"{KEYS}: a token's nonce is random, and need not grow",
        "commission in the coin": f"{FILLS}: commission is in the quote currency",
        "commission in a third asset": f"{FILLS}: commission is in the quote currency",
    },
)
