"""Cases for Kraken: answers in the form of its REST API reference and of its list of errors, made by hand."""

from decimal import Decimal

import requests

from settlement.venues.profiles.kraken import KRAKEN
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
    funds_in_vain,
    list_figures,
    list_in_vain,
    list_purchases,
    look_up,
    rehearse,
    terms,
)

ADD = "Kraken Spot REST reference, Add Order"
QUERY = "Kraken Spot REST reference, Query Orders Info"
OPEN = "Kraken Spot REST reference, Get Open Orders"
CLOSED = "Kraken Spot REST reference, Get Closed Orders"
QUERY_TRADES = "Kraken Spot REST reference, Query Trades Info"
HISTORY = "Kraken Spot REST reference, Get Trades History"
ERRORS = "Kraken support, API error messages"
GUIDE = "Kraken guides, Errors"
CLIENTS = "recorded by public clients"
NAUTILUS = "NautilusTrader's recorded answers"
TXID = "OUF4EM-FRGI2-MQMWZD"

PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "aclass_base": "currency",
    "base": "XXBT",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "lot": "unit",
    "cost_decimals": 5,
    "pair_decimals": 1,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD",
    "margin_call": 80,
    "margin_stop": 40,
    "ordermin": "0.00005",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
PUBLIC = [
    FakeReply(method="GET", path="/0/public/AssetPairs", body={"error": [], "result": {"XXBTZUSD": PAIR}}, again=True),
    FakeReply(
        method="GET",
        path="/0/public/Time",
        body={"error": [], "result": {"unixtime": 1795780800, "rfc1123": "Fri, 27 Nov 26 12:00:00 +0000"}},
        again=True,
    ),
]
SENT = {
    "ordertype": "limit",
    "type": "buy",
    "pair": "XXBTZUSD",
    "volume": "0.015",
    "price": "60000",
    "timeinforce": "IOC",
    "oflags": "fciq",
    "cl_ord_id": OUR_ID,
    "deadline": "2026-11-27T12:00:05.250Z",
}


def private(path, result=None, *, errors=(), **changes):
    body = {"error": list(errors)} | ({} if result is None else {"result": result})
    return FakeReply(method="POST", path=f"/0/private/{path}", **{"body": body, **changes})


def added(txid=TXID, **changes):
    described = {"order": "buy 0.01500000 XBTUSD @ limit 60000.0"}
    return private("AddOrder", {"descr": described, "txid": [txid]}, **changes)


def order(**changes):
    return {
        "refid": None,
        "userref": 0,
        "cl_ord_id": OUR_ID,
        "status": "closed",
        "reason": None,
        "opentm": 1795780800.3008,
        "closetm": 1795780800.3012,
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": "XBTUSD",
            "type": "buy",
            "ordertype": "limit",
            "price": "60000.0",
            "price2": "0",
            "leverage": "none",
            "order": "buy 0.01500000 XBTUSD @ limit 60000.0",
            "close": "",
        },
        "vol": "0.01500000",
        "vol_exec": "0.01500000",
        "cost": "898.50000",
        "fee": "3.59400",
        "price": "59900.0",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
        "trades": ["TZX2WP-XSEOP-FP7WYR", "TJUW2K-FLX2N-AR2FLU"],
        **changes,
    }


def trade(quantity, price, fee, *, txid=TXID, **changes):
    return {
        "ordertxid": txid,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": "XXBTZUSD",
        "time": 1795780800.3011,
        "type": "buy",
        "ordertype": "limit",
        "price": price,
        "cost": f"{Decimal(quantity) * Decimal(price):.5f}",
        "fee": fee,
        "vol": quantity,
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": 40274859,
        "maker": False,
        **changes,
    }


TRADES = {
    "TZX2WP-XSEOP-FP7WYR": trade("0.01000000", "59900.0", "2.39600"),
    "TJUW2K-FLX2N-AR2FLU": trade("0.00500000", "59900.0", "1.19800"),
}
BOTH = "TZX2WP-XSEOP-FP7WYR,TJUW2K-FLX2N-AR2FLU"
NOTHING = order(status="canceled", reason="IOC", vol_exec="0.00000000", cost="0.00000", fee="0.00000", trades=[])
BOUGHT = {
    "final": True,
    "status": "closed",
    "venue_order_id": TXID,
    "quantity": "0.015",
    "cost": "902.094",
    "commission": "0",
    "quote_commission": "3.594",
    "foreign_commission": "",
    "asked": "0.015",
    "limit_price": "60000",
}


def queried(said, *, merged=False, **changes):
    """Answer for an order, with its trades each by itself, or `merged` by taker."""
    form = {"consolidate_taker": "true" if merged else "false"}
    return private("QueryOrders", {TXID: said}, having={"txid": TXID, "trades": "true", **form}, **changes)


def fills(said, ids=BOTH):
    return private("QueryTrades", said, having={"txid": ids})


def opened(said):
    return private("OpenOrders", {"open": said}, having={"cl_ord_id": OUR_ID, "trades": "true"})


def closed(said):
    result = {"closed": said, "count": len(said)}
    return private("ClosedOrders", result, having={"cl_ord_id": OUR_ID, "trades": "true"})


def refused(row, error, trouble, *, source=ERRORS, **fields):
    return Case(
        row=row,
        source=source,
        name=error,
        answers=[private("AddOrder", errors=[error])],
        expected=NotPlaced,
        fields={"trouble": trouble, "retry_after_seconds": None, **fields},
    )


def unknown(row, error, *, status=200, source=ERRORS):
    return Case(
        row=row,
        source=source,
        name=error,
        answers=[private("AddOrder", errors=[error], status=status)],
        expected=Unknown,
    )


def name_of(number):
    return f"T{number:05}-AAAAA-BBBBBB"


def many(number):
    return {name_of(each): trade("0.00010000", "59900.0", "0.02396") for each in range(number)}


def page(ids):
    return fills({name: many(45)[name] for name in ids}, ",".join(ids))


def listed(path, name, rows, total, **having):
    return private(path, {name: rows, "count": total}, having=having)


MANY_NAMES = [name_of(each) for each in range(45)]
CASES = [
    Case(
        row="filled",
        source=f"{ADD}; {QUERY}; {QUERY_TRADES}",
        answers=[added(), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
        headers={"API-Key": "our-key"},
    ),
    Case(
        row="partly filled",
        source=QUERY,
        answers=[
            added(),
            queried(
                order(
                    status="canceled",
                    reason="IOC",
                    vol_exec="0.01000000",
                    cost="599.00000",
                    trades=["TZX2WP-XSEOP-FP7WYR"],
                )
            ),
            fills({"TZX2WP-XSEOP-FP7WYR": TRADES["TZX2WP-XSEOP-FP7WYR"]}, "TZX2WP-XSEOP-FP7WYR"),
        ],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0.01", "cost": "601.396"},
    ),
    Case(
        row="nothing filled",
        source=QUERY,
        answers=[added(), queried(NOTHING)],
        expected=Executed,
        fields={"final": True, "status": "canceled", "quantity": "0", "cost": "0"},
    ),
    Case(
        row="still open",
        source=QUERY,
        answers=[
            added(),
            queried(order(status="pending", vol_exec="0.00000000", cost="0.00000", trades=[])),
        ],
        expected=Executed,
        fields={"final": False, "status": "open"},
    ),
    Case(
        row="lost and found",
        source=f"{OPEN}; {CLOSED}",
        call=buy_and_look_up,
        answers=[
            private("AddOrder", error=requests.ReadTimeout()),
            opened({}),
            closed({TXID: order()}),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
        sent=SENT,
    ),
    Case(
        row="lost and found",
        name="the answer to the question after it",
        source=QUERY,
        call=buy_and_look_up,
        answers=[
            added(),
            queried({}, status=520),
            opened({}),
            closed({TXID: order()}),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="lost and found",
        name="the newest of two with our id",
        source=CLOSED,
        call=look_up,
        answers=[
            opened({}),
            closed({"OLD": order(opentm=1795780700.1, vol_exec="0", cost="0"), TXID: order()}),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="not found",
        source=f"{OPEN}; {CLOSED}",
        call=look_up,
        answers=[opened({}), closed({})],
        expected=OrderNotFound,
    ),
    Case(
        row="no answer",
        name="lists that leave our id aside",
        source="hand-made: a venue that does not know the parameter",
        call=look_up,
        answers=[opened({}), closed({TXID: order(cl_ord_id=None)})],
        expected=Unknown,
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=text[:12],
            call=look_up,
            answers=[private("OpenOrders", body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "[]", "<html>busy</html>", '{"error":[]}', '{"error":[],"result":{}}')
    ),
    *(
        Case(
            row="no answer",
            source="a proxy's page, or none",
            name=f"to a purchase {text[:12]}",
            answers=[private("AddOrder", body=text)],
            expected=Unknown,
        )
        for text in ("", "null", "{}", "<html>busy</html>", '{"error":[]}', '{"error":[],"result":{"txid":[]}}')
    ),
    Case(
        row="no answer",
        name="another order",
        source=QUERY,
        answers=[added(), queried(order(cl_ord_id="ce9"))],
        expected=Untrue,
    ),
    Case(
        row="no answer",
        name="an order without our id, in a list",
        source=CLOSED,
        call=look_up,
        answers=[opened({TXID: order(cl_ord_id=None, status="open")})],
        expected=Unknown,
    ),
    Case(
        row="filled",
        name="and the order does not repeat our id: it was asked for by the id of our request",
        source=QUERY,
        answers=[added(), queried(order(cl_ord_id=None)), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    refused("refused: funds", "EOrder:Insufficient funds", Trouble.COIN),
    refused("refused: size", "EOrder:Order minimum not met", None, source="ccxt's source, unconfirmed"),
    refused("refused: size", "EOrder:Cost minimum not met", None, source=GUIDE),
    refused("refused: size", "EOrder:Tick size check failed", None, source=GUIDE),
    refused("refused: size", "EGeneral:Invalid arguments:volume", Trouble.COIN),
    Case(
        row="refused: symbol",
        source=ERRORS,
        answers=[private("AddOrder", errors=["EQuery:Unknown asset pair"])],
        expected=Refused,
    ),
    refused("refused: permission", "EGeneral:Permission denied", Trouble.VENUE),
    refused("refused: permission", "EAccount:Invalid permissions:XRP trading restricted", Trouble.COIN),
    refused("refused: permission", "EService:Market in cancel_only mode", Trouble.COIN),
    refused("refused: permission", "EOrder:Trading agreement required", Trouble.VENUE),
    refused("refused: key", "EAPI:Invalid key", Trouble.VENUE),
    refused("refused: signature", "EAPI:Invalid signature", Trouble.VENUE),
    refused("refused: nonce", "EAPI:Invalid nonce", None),
    Case(
        row="refused: nonce",
        name="of a question, which is asked again",
        source=ERRORS,
        call=look_up,
        answers=[
            private("OpenOrders", errors=["EAPI:Invalid nonce"]),
            private("OpenOrders", errors=["EAPI:Invalid nonce"]),
            opened({}),
            closed({TXID: order()}),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    refused("refused: clock", "EService:Deadline elapsed", None),
    refused("refused: clock", "EGeneral:Invalid arguments:deadline", None, source="AddOrder; the words unconfirmed"),
    unknown("refused: words of no table", "EOrder:Something new"),
    unknown("refused: words of no table", "EGeneral:Internal error"),
    unknown("refused: words of no table", "EOrder:Insufficient funds", status=502),
    Case(
        row="refused: words of no table",
        name="two errors, of which one is unknown",
        source=ERRORS,
        answers=[private("AddOrder", errors=["EOrder:Insufficient funds", "EOrder:Something new"])],
        expected=Unknown,
    ),
    Case(
        row="refused: words of no table",
        name="an error and an order",
        source="hand-made: a contradiction",
        answers=[private("AddOrder", {"txid": [TXID]}, errors=["EOrder:Insufficient funds"])],
        expected=Unknown,
    ),
    Case(
        row="filled",
        name="with a warning",
        source=ERRORS,
        answers=[added(body={"error": ["WGeneral:Slow"], "result": {"txid": [TXID]}}), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    refused("too many calls", "EAPI:Rate limit exceeded", Trouble.CALLS, retry_after_seconds=10),
    refused("too many calls", "EGeneral:Temporary lockout", Trouble.CALLS, retry_after_seconds=900),
    refused("too many calls", "EOrder:Rate limit exceeded", Trouble.VENUE, retry_after_seconds=10),
    refused("too many calls", "EService:Throttled:1795780860", Trouble.CALLS, source=GUIDE, retry_after_seconds=10),
    Case(
        row="too many calls",
        name="of a question",
        source=ERRORS,
        call=look_up,
        answers=[private("OpenOrders", errors=["EAPI:Rate limit exceeded"])],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    unknown("unavailable", "EService:Unavailable"),
    unknown("unavailable", "EService:Busy"),
    unknown("unavailable", "EService:Timeout"),
    *(
        Case(
            row="unavailable",
            source="Kraken support, API error messages: Cloudflare errors",
            name=str(status),
            answers=[private("AddOrder", body="<html>", status=status)],
            expected=Unknown,
        )
        for status in (403, 502, 503, 504, 520, 524)
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
        name="a secret that is no base64",
        source="ccxt's source: sign",
        answers=[],
        config={"api_secret": "a"},
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="nothing sent",
        name="no markets",
        source="ccxt's source: load_markets",
        answers=[],
        public=[FakeReply(method="GET", path="/0/public/AssetPairs", status=502, body="<html>", again=True)],
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
                method="GET", path="/0/public/AssetPairs", body={"error": ["EAPI:Rate limit exceeded"]}, again=True
            )
        ],
        expected=NotPlaced,
        fields={"trouble": Trouble.CALLS, "retry_after_seconds": 10},
    ),
    Case(
        row="commission in the coin",
        name="fcib",
        source="ccxt's source, unconfirmed; we ask for fciq",
        answers=[
            added(),
            queried(order(oflags="fcib", fee="0.00006")),
            fills({name: {**said, "fee": "0.00003"} for name, said in TRADES.items()}),
        ],
        expected=Executed,
        fields={"commission": "0.00006", "quote_commission": "0", "cost": "898.5"},
    ),
    Case(
        row="commission in the coin",
        name="fcib, and the fee in dollars",
        source="Kraken support, How to interpret Trades history fields; we ask for fciq",
        answers=[added(), queried(order(oflags="fcib")), fills(TRADES)],
        expected=Executed,
        fields={"foreign_commission": "?", "commission": "0", "quote_commission": "0"},
    ),
    Case(
        row="commission in the quote asset",
        source=QUERY_TRADES,
        answers=[added(), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="commission with nine decimals",
        source="hand-made",
        answers=[
            added(),
            queried(order(status="canceled", vol_exec="0.007533", cost="451.2267", trades=["T1"])),
            fills({"T1": trade("0.007533", "59900.0", "1.804906801")}, "T1"),
        ],
        expected=Executed,
        fields={"quantity": "0.007533", "quote_commission": "1.80490681", "cost": "453.03160681"},
    ),
    Case(
        row="many fills",
        source=f"{QUERY_TRADES}: at most 20",
        answers=[
            added(),
            queried(
                order(status="canceled", vol_exec="0.00450000", cost="269.55000", trades=[*MANY_NAMES, MANY_NAMES[0]])
            ),
            page(MANY_NAMES[:20]),
            page(MANY_NAMES[20:40]),
            page(MANY_NAMES[40:]),
        ],
        expected=Executed,
        fields={"quantity": "0.0045", "cost": "270.6282", "quote_commission": "1.0782"},
    ),
    Case(
        row="many fills",
        name="costs of five places, each rounded",
        source=f"{QUERY_TRADES}; cost_decimals of the pair",
        answers=[
            added(),
            queried(order(status="canceled", vol_exec="0.00000003", cost="0.00180", trades=["T1", "T2", "T3"])),
            fills({f"T{each}": trade("0.00000001", "59913.7", "0.00000") for each in (1, 2, 3)}, "T1,T2,T3"),
        ],
        expected=Executed,
        fields={"quantity": "0.00000003", "cost": "0.0018"},
    ),
    Case(
        row="many fills",
        name="costs of five places, whose sum is rounded otherwise",
        source=f"{QUERY_TRADES}; cost_decimals of the pair",
        answers=[
            added(),
            queried(order(status="canceled", vol_exec="0.00000002", cost="0.00119", trades=["T1", "T2"])),
            fills({f"T{each}": trade("0.00000001", "59600.1", "0.00000") for each in (1, 2)}, "T1,T2"),
        ],
        expected=Executed,
        fields={"quantity": "0.00000002", "cost": "0.00119"},
    ),
    Case(
        row="many fills",
        name="costs that are not the order's",
        source="hand-made",
        answers=[added(), queried(order(cost="898.60000")), fills(TRADES)],
        expected=Untrue,
    ),
    Case(
        row="another order's fill",
        name="instead of one of ours",
        source=QUERY_TRADES,
        answers=[
            added(),
            queried(order()),
            fills({**TRADES, "TJUW2K-FLX2N-AR2FLU": trade("0.00500000", "59900.0", "9", txid="OTHER")}),
            queried(order(), merged=True),
        ],
        expected=Unknown,
    ),
    Case(
        row="another order's fill",
        name="with ours",
        source=QUERY_TRADES,
        answers=[
            added(),
            queried(order()),
            fills({**TRADES, "TTTTTT-TTTTT-TTTTTT": trade("0.00500000", "59900.0", "9", txid="OTHER")}),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    Case(
        row="fills not there yet",
        source=QUERY,
        answers=[added(), queried(order(trades=[]))],
        expected=Unknown,
    ),
    Case(
        row="fills not there yet",
        name="one is missing",
        source=QUERY_TRADES,
        answers=[
            added(),
            queried(order()),
            fills({"TZX2WP-XSEOP-FP7WYR": TRADES["TZX2WP-XSEOP-FP7WYR"]}),
            queried(order(), merged=True),
        ],
        expected=Unknown,
    ),
    Case(
        row="list over pages",
        source=CLOSED,
        call=list_purchases,
        answers=[
            private("OpenOrders", {"open": {"O3": order(cl_ord_id="ce3", status="open", vol_exec="0", cost="0")}}),
            listed(
                "ClosedOrders",
                "closed",
                {
                    "O2": order(cl_ord_id="ce2", opentm=1795780700.1),
                    "OTHER": order(cl_ord_id="ce4", descr={**order()["descr"], "pair": "ETHUSD"}),
                },
                4,
                ofs=0,
                closetime="open",
                start=1795777199,
            ),
            listed(
                "ClosedOrders",
                "closed",
                {
                    "O2": order(cl_ord_id="ce2", opentm=1795780700.1),
                    TXID: order(opentm=1795780600.1),
                    "BY-HAND": order(cl_ord_id=None),
                    "EARLIER": order(cl_ord_id="ce0", opentm=1795777199.5),
                },
                5,
                ofs=2,
            ),
        ],
        expected=[
            (OUR_ID, TXID, Decimal("0.015"), Decimal("898.5")),
            ("ce2", "O2", Decimal("0.015"), Decimal("898.5")),
            ("ce3", "O3", Decimal(0), Decimal(0)),
        ],
    ),
    Case(
        row="figures of a list",
        source=HISTORY,
        call=list_figures,
        answers=[
            private("OpenOrders", {"open": {}}),
            listed("ClosedOrders", "closed", {TXID: order(), "O2": order(cl_ord_id="ce2")}, 2, ofs=0),
            listed(
                "TradesHistory",
                "trades",
                {"T9": trade("0.01000000", "59900.0", "2.39600", txid="O2"), "T8": TRADES["TZX2WP-XSEOP-FP7WYR"]},
                3,
                ofs=0,
                start=1795777199,
            ),
            listed("TradesHistory", "trades", {"T7": TRADES["TJUW2K-FLX2N-AR2FLU"]}, 3, ofs=2),
        ],
        expected={TXID: (Decimal("898.5"), Decimal(0), Decimal("3.594"), "")},
    ),
    Case(
        row="found in the lists",
        source=CLOSED,
        call=find_in_lists,
        answers=[
            private("OpenOrders", {"open": {}}),
            listed("ClosedOrders", "closed", {TXID: order()}, 1, ofs=0),
            fills(TRADES),
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
            private("OpenOrders", {"open": {}}),
            listed("ClosedOrders", "closed", {}, 0, ofs=0),
            listed("TradesHistory", "trades", {}, 0, ofs=0),
        ],
        expected=OrderNotFound,
    ),
    Case(
        row="found in the lists",
        name="a list that ends early",
        source=CLOSED,
        call=find_in_lists,
        answers=[
            private("OpenOrders", {"open": {}}),
            listed("ClosedOrders", "closed", {}, 1, ofs=0),
        ],
        expected=Unknown,
    ),
    Case(
        row="balances",
        source="Kraken Spot REST reference, Get Extended Balance",
        call=balances,
        answers=[
            private(
                "BalanceEx",
                {
                    "ZUSD": {"balance": "25435.2100", "hold_trade": "8249.7600"},
                    "XXBT": {"balance": "1.2435", "hold_trade": "0.8423"},
                    "BAD": {"balance": "many", "hold_trade": "0"},
                },
                again=True,
            )
        ],
        expected=(Decimal("17185.45"), {"USD": Decimal("25435.21"), "BTC": Decimal("1.2435")}),
    ),
    Case(
        row="third asset seen at start",
        name="its rate; there is no third asset",
        source="Kraken Spot REST reference, Get Trade Volume",
        call=terms,
        answers=[
            private(
                "TradeVolume",
                {
                    "currency": "ZUSD",
                    "volume": "200709587.4223",
                    "fees": {"XXBTZUSD": {"fee": "0.4000", "minfee": "0.1000", "maxfee": "0.4000"}},
                },
                having={"pair": "XXBTZUSD"},
            )
        ],
        expected=AccountTerms(taker_rate=Decimal("0.004")),
    ),
    Case(
        row="rehearsed",
        source="Kraken Spot REST reference, Add Order: validate",
        call=rehearse,
        answers=[
            FakeReply(
                method="POST",
                path="/0/private/AddOrder",
                body={"error": [], "result": {"descr": {"order": "buy"}}},
                having={**SENT, "validate": "true"},
            )
        ],
        expected=None,
    ),
    Case(
        row="rehearsed",
        name="and refused",
        source="Kraken Spot REST reference, Add Order: validate",
        call=rehearse,
        answers=[FakeReply(method="POST", path="/0/private/AddOrder", body={"error": ["EGeneral:Permission denied"]})],
        expected=NotPlaced,
        fields={"trouble": Trouble.VENUE},
    ),
    Case(
        row="sent as documented",
        source=ADD,
        answers=[added(), queried(order()), fills(TRADES)],
        expected=Executed,
        sent=SENT,
    ),
]


def bought(name, said, trades=TRADES, *, row="filled", source=QUERY, expected=Executed, fields=BOUGHT, **changes):
    """Return a case of a purchase whose order is told in another form, and of what comes of it."""
    answers = [added(), queried(said)] if trades is None else [added(), queried(said), fills(trades)]
    return Case(
        row=row,
        name=name,
        source=source,
        answers=answers,
        expected=expected,
        fields=fields if expected is Executed else {},
        **changes,
    )


def answered(name, body, expected, *, row="no answer", source="hand-made", status=200, **changes):
    """Return a case of a purchase with this answer, which is all that is asked for."""
    return Case(
        row=row,
        name=name,
        source=source,
        answers=[private("AddOrder", body=body, status=status)],
        expected=expected,
        **changes,
    )


def changed(**changes):
    return {name: {**said, **changes} for name, said in TRADES.items()}


MERGED = {"TMERGE-DDDDD-TTTTTT": trade("0.01500000", "59900.0", "3.59400")}
AS_NUMBERS = order(vol=0.015, vol_exec=1.5e-2, cost=898.5, fee=3.594, price=59900, opentm="1795780800.3008")
BAND = {"error": ["EOrder:Insufficient funds"], "result": {"txid": TXID}}
FIFTY = {f"L{each:02}": order(cl_ord_id=f"ce{each:02}", opentm=1795780000 + each) for each in range(50)}
UNLISTED = {"T9": trade("0.01000000", "59900.0", "2.39600", txid="OLD")}


def found_by_trade(name, said, expected, **changes):
    """Return a case of an order that no list has, and a trade of it."""
    return Case(
        row="found in the lists",
        name=name,
        source=HISTORY,
        call=find_in_lists,
        answers=[
            private("OpenOrders", {"open": {}}),
            listed("ClosedOrders", "closed", {}, 0, ofs=0),
            listed("TradesHistory", "trades", UNLISTED, 1, ofs=0, consolidate_taker="false"),
            said,
            *([fills(UNLISTED, "T9")] if expected is Executed else []),
        ],
        expected=expected,
        **changes,
    )


STRICT = [
    # An order with our id is at the venue already: the purchase may have been made by a copy of the same request.
    Case(
        row="lost and found",
        name="our id is not unique",
        source=f"{CLIENTS} (2026-09)",
        call=buy_and_look_up,
        answers=[
            private("AddOrder", errors=["EGeneral:Invalid arguments:cl_ord_id not unique"]),
            opened({}),
            closed({TXID: order()}),
            fills(TRADES),
        ],
        expected=Executed,
        fields=BOUGHT,
    ),
    unknown("refused: words of no table", "EOrder:Duplicate order", source=CLIENTS),
    unknown(
        "refused: words of no table", "EOrder:Reduce only:Position is closed", source=f"{GUIDE}: it may have matched"
    ),
    unknown("refused: words of no table", "EGeneral:Internal error:5XX", source=GUIDE),
    unknown("refused: words of no table", "EDatabase:Internal error", source="ccxt's source, unconfirmed"),
    unknown("refused: words of no table", "EOrder:Unknown order"),
    unknown("refused: words of no table", "EAPI:Invalid nonce", status=503),
    refused("refused: size", "EGeneral:Invalid arguments:volume minimum not met", None, source=CLIENTS),
    refused("refused: clock", "EGeneral:Invalid arguments:deadline", None, source=f"{ADD}: deadline; hand-made"),
    refused("refused: size", "EOrder:Order minimum not met (volume too low)", None, source=f"{ADD}, of before"),
    refused(
        "refused: size",
        "EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals.",
        None,
        source=CLIENTS,
    ),
    *(
        refused("refused: permission", error, trouble, source=GUIDE)
        for error, trouble in (
            ("EOrder:Cannot open position", Trouble.VENUE),
            ("EOrder:Cannot open opposing position", Trouble.VENUE),
            ("EOrder:Margin allowance exceeded", Trouble.VENUE),
            ("EOrder:Margin level too low", Trouble.VENUE),
            ("EOrder:Margin position size exceeded", Trouble.VENUE),
            ("EOrder:Insufficient margin", Trouble.VENUE),
            ("EOrder:Positions limit exceeded", Trouble.VENUE),
            ("EAuth:Account temporary disabled", Trouble.VENUE),
            ("EAuth:Account unconfirmed", Trouble.VENUE),
            ("ETrade:Invalid request", Trouble.COIN),
            ("EBM:limit exceeded:CAL", Trouble.COIN),
            ("EService:Market in post_only mode", Trouble.COIN),
        )
    ),
    *(
        refused("too many calls", error, trouble, source=GUIDE, retry_after_seconds=seconds)
        for error, trouble, seconds in (
            ("EOrder:Orders limit exceeded", Trouble.VENUE, 60),
            ("EOrder:Domain rate limit exceeded", Trouble.VENUE, 10),
            ("EOrder:Scheduled orders limit exceeded", Trouble.VENUE, 10),
            ("EAuth:Rate limit exceeded", Trouble.CALLS, 10),
            ("EAuth:Too many requests", Trouble.CALLS, 10),
        )
    ),
    answered("a 400", {"error": ["EOrder:Insufficient funds"]}, NotPlaced, row="refused: funds", status=400),
    answered("one word, no list", {"error": "EOrder:Insufficient funds"}, NotPlaced, row="refused: funds"),
    answered("a proxy's 429", "<html>error 1015</html>", NotPlaced, row="too many calls", status=429),
    answered("429, and an order", {"error": [], "result": {"txid": [TXID]}}, Unknown, row="too many calls", status=429),
    answered("an error, and an order that is no list", BAND, Unknown, row="refused: words of no table"),
    answered("an error, an order and 429", BAND, Unknown, row="refused: words of no table", status=429),
    *(
        answered(f"to a purchase {text[:30]}", text, Unknown)
        for text in (
            '{"error":[],"result":{"txid":"OUF4EM-FRGI2-MQMWZD"}}',
            '{"error":[],"result":{"txid":["OUF4EM-FRGI2-MQMWZD","OTHER"]}}',
            '{"error":[],"result":{"txid":[null]}}',
            '{"error":[],"result":{"txid":["OUF4EM-FRG',
            '{"error":{},"result":null}',
            '{"error":[{"code":1}],"result":null}',
            '["EOrder:Insufficient funds"]',
        )
    ),
    Case(
        row="filled",
        name="no errors are null",
        source="hand-made",
        answers=[added(body={"error": None, "result": {"txid": [TXID]}}), queried(order()), fills(TRADES)],
        expected=Executed,
        fields=BOUGHT,
    ),
    bought("figures as numbers, and in exponents", AS_NUMBERS),
    bought("the name of the pair on its socket", order(descr={**order()["descr"], "pair": "XBT/USD"}), source=NAUTILUS),
    bought("further fields", order(trigger="index", refid="None", userref=None, stp="", limitprice=None)),
    bought(
        "trades without position and margin",
        order(),
        {n: {k: v for k, v in t.items() if k not in {"postxid", "margin", "maker"}} for n, t in TRADES.items()},
    ),
    bought(
        "expired",
        order(status="expired", vol_exec="0.01000000", cost="599.00000"),
        {"TZX2WP-XSEOP-FP7WYR": TRADES["TZX2WP-XSEOP-FP7WYR"]},
        row="partly filled",
        fields={"final": True, "status": "expired", "quantity": "0.01", "cost": "601.396"},
    ),
    bought(
        "told as recorded: neither trades nor our id",
        {name: value for name, value in NOTHING.items() if name not in {"trades", "cl_ord_id"}}
        | {"reason": "User requested"},
        None,
        row="nothing filled",
        source="Kraken.Net's recorded answers",
        fields={"final": True, "quantity": "0", "cost": "0"},
    ),
    *(
        bought(name, order(**{field: value}), None, row="no answer", expected=expected)
        for name, field, value, expected in (
            ("no quantity", "vol_exec", None, Unknown),
            ("no cost", "cost", None, Unknown),
            ("no status", "status", None, Unknown),
            ("no time", "opentm", None, Unknown),
            ("an empty time", "opentm", "", Unknown),
            ("no description", "descr", None, Unknown),
            ("no trades yet", "trades", None, Unknown),
            ("done with nothing, and with trades", "vol_exec", "0.00000000", Unknown),
            ("a new status", "status", "triggered", Untrue),
            ("less than nothing", "vol_exec", "-0.01", Untrue),
            ("no number", "cost", "NaN", Untrue),
            ("coins for nothing", "cost", "0.00000", Untrue),
            ("a sale", "descr", {**order()["descr"], "type": "sell"}, Untrue),
            ("another pair", "descr", {**order()["descr"], "pair": "ETHUSD"}, Untrue),
        )
    ),
    *(
        Case(
            row="many fills",
            name=f"that are told merged by taker only: {name}",
            source=f"{QUERY}: consolidate_taker",
            answers=[
                added(),
                queried(order()),
                told,
                queried(order(trades=["TMERGE-DDDDD-TTTTTT"]), merged=True),
                fills(MERGED, "TMERGE-DDDDD-TTTTTT"),
            ],
            expected=Executed,
            fields=BOUGHT,
        )
        for name, told in (
            ("the others are left out", fills({})),
            ("the others are refused", private("QueryTrades", errors=["EQuery:Unknown trade"], having={"txid": BOTH})),
        )
    ),
    Case(
        row="too many calls",
        name="of the question about fills, which is not asked in another form",
        source=ERRORS,
        answers=[added(), queried(order()), private("QueryTrades", errors=["EAPI:Rate limit exceeded"])],
        expected=Unknown,
        fields={"retry_after_seconds": 10},
    ),
    Case(
        row="fills not there yet",
        name="neither each nor merged",
        source=f"{QUERY}: consolidate_taker",
        answers=[
            added(),
            queried(order()),
            fills({}),
            queried(order(trades=["TMERGE-DDDDD-TTTTTT"]), merged=True),
            fills({}, "TMERGE-DDDDD-TTTTTT"),
        ],
        expected=Unknown,
    ),
    *(
        bought(name, order(), changed(**{field: value}), row=row, source=QUERY_TRADES, expected=expected)
        for name, field, value, row, expected in (
            ("a rebate", "fee", "-0.1", "commission in the quote asset", Untrue),
            ("no fee", "fee", None, "fills not there yet", Unknown),
            ("no number", "fee", "many", "commission in the quote asset", Untrue),
            ("a sale", "type", "sell", "another order's fill", Untrue),
            ("more than the order", "vol", "0.01000000", "many fills", Untrue),
        )
    ),
    bought(
        "free of charge",
        order(),
        changed(fee="0.00000"),
        source=NAUTILUS,
        fields={"cost": "898.5", "quote_commission": "0"},
    ),
    Case(
        row="no answer",
        name="a list that counts an order, and has none",
        source=f"{CLOSED}: count",
        call=look_up,
        answers=[opened({}), private("ClosedOrders", {"closed": {}, "count": 1})],
        expected=Unknown,
    ),
    Case(
        row="too many calls",
        name="of a question, with its time",
        source="RFC 9110, Retry-After",
        call=look_up,
        answers=[private("OpenOrders", body="<html>", status=429, headers={"Retry-After": "7"})],
        expected=Unknown,
        fields={"retry_after_seconds": 7},
    ),
    Case(
        row="list over pages",
        name="that ends with a full page",
        source=CLOSED,
        call=lambda venue: len(list_purchases(venue)),
        answers=[
            private("OpenOrders", {"open": {}}),
            listed("ClosedOrders", "closed", FIFTY, 50, consolidate_taker="false"),
        ],
        expected=50,
    ),
    *(
        Case(
            row="list over pages",
            name=f"refused: {name}",
            source="hand-made",
            call=list_in_vain,
            answers=[private("OpenOrders", {"open": {}}), private("ClosedOrders", result)],
            expected=VenueAway,
        )
        for name, result in (
            ("it counts fewer than it has", {"closed": FIFTY, "count": 3}),
            ("it does not count", {"closed": FIFTY}),
            ("an order without figures", {"closed": {TXID: order(vol_exec=None)}, "count": 1}),
            ("an order without a time", {"closed": {TXID: order(opentm="")}, "count": 1}),
            ("no orders but null", {"closed": None, "count": 0}),
        )
    ),
    found_by_trade(
        "a trade of an order that is ours and in no list",
        private(
            "QueryOrders", {"OLD": order(trades=["T9"], status="canceled", vol_exec="0.01000000", cost="599.00000")}
        ),
        Executed,
        fields={"quantity": "0.01", "venue_order_id": "OLD"},
    ),
    found_by_trade(
        "a trade of somebody else's order", private("QueryOrders", {"OLD": order(cl_ord_id=None)}), OrderNotFound
    ),
    found_by_trade(
        "a trade of an order that is not told", private("QueryOrders", errors=["EOrder:Unknown order"]), Unknown
    ),
    Case(
        row="balances",
        name="what is held by orders is not said",
        source="hand-made",
        call=funds_in_vain,
        answers=[private("BalanceEx", {"ZUSD": {"balance": "25435.2100"}})],
        expected=VenueAway,
    ),
    Case(
        row="third asset seen at start",
        name="no rates",
        source="Kraken Spot REST reference, Get Trade Volume",
        call=terms,
        answers=[private("TradeVolume", {"currency": "ZUSD", "volume": "0.0000", "fees": None})],
        expected=AccountTerms(),
    ),
    *(
        Case(
            row="nothing sent",
            name=f"an id of another form: {client_order_id}",
            source=f"{ADD}: cl_ord_id",
            call=buy_as(client_order_id),
            answers=[],
            expected=NotPlaced,
            fields={"trouble": Trouble.COIN},
        )
        for client_order_id in (f"{OUR_ID}0", f"{OUR_ID}-1", f"{OUR_ID[:31]}g", "", "nineteen characters")
    ),
]

CONFORMANCE = Conformance(
    profile=KRAKEN,
    config=Config(quote_asset="USD", api_secret="b3VyLXNlY3JldC1vdXItc2VjcmV0LW91ci1zZWNyZXQ="),
    purchase="/0/private/AddOrder",
    signature=frozenset({"nonce"}),
    public=PUBLIC,
    cases=[*CASES, *STRICT],
    has_no={
        "refused: price band": f"{ERRORS}: none is named for limit orders",
        "commission in a third asset": f"{QUERY_TRADES}: a fee is in the pair's base or quote currency",
    },
)
