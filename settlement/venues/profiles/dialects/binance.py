"""The interface of Binance's spot market, which Binance.US runs too.

A venue that speaks it has a profile of its own, with all that it documents by itself: its tables of refusals, what its
calls weigh, and where it tells our terms. What is here is in the documentation of both: "New order", "Query order",
"Account trade list", "All orders", "Account information", "Error codes", "Filters" and "Timing security".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from settlement.figures import add, read_figure
from settlement.told import OrderTold, TradeTold, printable
from settlement.venues.profiles.paging import pages_by_id
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, as_rows, is_short_of, known, lower, plain, sum_of, trades_in
from settlement.venues.profiles.refusals import Meaning, Refusals
from settlement.venues.profiles.words import (
    Call,
    Failure,
    Heard,
    Holding,
    Market,
    Reply,
    TradeHeard,
    Wire,
    milliseconds_of,
)
from settlement.venues.protocol import PurchaseRequest

_ORDERS_AT_ONCE: Final = 500
_TRADES_AT_ONCE: Final = 1000
_STATUSES: Final = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "PENDING_CANCEL": "canceling",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
REFUSALS: Final = Refusals(
    codes={
        "-1002": Meaning.VENUE,  # not authorised
        "-1003": Meaning.CALL_LIMIT,
        "-1013": Meaning.AGAIN,  # the message is invalid: refused before the matching engine
        "-1015": Meaning.ORDER_LIMIT,
        "-1016": Meaning.VENUE,  # the service is no longer there
        "-1020": Meaning.VENUE,  # an operation that is not supported
        "-1021": Meaning.AGAIN,  # clock
        "-1022": Meaning.VENUE,  # signature
        # 11xx: issues with the request itself, which is ours to mend
        "-1100": Meaning.COIN,  # illegal characters
        "-1101": Meaning.COIN,  # too many parameters
        "-1102": Meaning.COIN,  # a parameter is missing, empty or malformed
        "-1103": Meaning.COIN,  # unknown parameter
        "-1104": Meaning.COIN,  # not all parameters were read
        "-1105": Meaning.COIN,  # empty parameter
        "-1106": Meaning.COIN,  # a parameter that was not required
        "-1108": Meaning.COIN,  # a parameter overflows
        "-1111": Meaning.AGAIN,  # precision
        "-1112": Meaning.COIN,  # no orders on the book
        "-1114": Meaning.COIN,  # time in force where none is required
        "-1115": Meaning.COIN,  # invalid time in force
        "-1116": Meaning.COIN,  # invalid order type
        "-1117": Meaning.COIN,  # invalid side
        "-1118": Meaning.COIN,  # client order id empty
        "-1121": Meaning.REFUSED,  # unknown symbol
        "-1128": Meaning.COIN,  # combination of parameters
        "-1130": Meaning.COIN,  # invalid data in a parameter
        "-1131": Meaning.VENUE,  # recvWindow above 60,000
        "-1135": Meaning.COIN,  # a parameter that is no JSON
        "-2014": Meaning.VENUE,  # key
        "-2015": Meaning.VENUE,  # key, address or permission
    },
    messages={  # of -1010, -2010 and -2011 ("Messages for -1010 ERROR_MSG_RECEIVED, -2010, -2011")
        "Account has insufficient balance": Meaning.COIN,
        "This action is disabled on this account": Meaning.VENUE,
        "This account may not place or cancel orders": Meaning.VENUE,
        "Rest API trading is not enabled": Meaning.VENUE,
        "This symbol is not permitted for this account": Meaning.COIN,
        "This symbol is restricted for this account": Meaning.COIN,
        "Market is closed": Meaning.COIN,
        "Price * QTY is zero or less": Meaning.AGAIN,
        "Unsupported order combination": Meaning.COIN,
        "Limit orders require GTC for this phase": Meaning.COIN,
    },
    filter_failure="Filter failure",
    filters={"MAX_POSITION": Meaning.REFUSED},
)
"""What both venues document. A profile adds what only its own venue says."""


class BinanceDialect(VenueProfile):
    """A venue that speaks Binance's interface. `read_terms` is its own: where it tells them differs."""

    origin_of = "private"
    has_rehearsals = True
    requests_expire = True
    reads_time = True
    dates_questions = True
    client_order_ids = re.compile(r"[a-zA-Z0-9-_]{1,36}", re.ASCII)
    refusals = REFUSALS
    not_found = frozenset({"-2013"})
    stale_clock = frozenset({"-1021"})

    weights: ClassVar[Mapping[str, float]]
    """What calls weigh in the rate limit, in ccxt's unit: `place` and `query`, and the others by path."""

    def find_failure(self, reply: Reply) -> Failure | None:
        body = reply.body if isinstance(reply.body, dict) else {}
        if reply.status < 400:  # noqa: PLR2004  errors are 4XX and 5XX
            return None
        return Failure(code=printable(str(body.get("code", ""))), message=printable(str(body.get("msg", ""))))

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return Call(
            method="POST", path="order", parameters=_parameters_of(purchase, market), weight=self.weights["place"]
        )

    def rehearsal_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return replace(self.call_for(purchase, market=market), path="order/test")

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> Heard | None:
        del client_order_id  # the answer repeats it
        return _order_in(reply.body, market) if isinstance(reply.body, dict) else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        return self._query(wire, market, {"origClientOrderId": client_order_id})

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        return self._query(wire, market, {"orderId": venue_order_id})

    def _query(self, wire: Wire, market: Market, parameters: dict[str, str]) -> Heard | None:
        fixed = {"symbol": market.market_id}
        weight = self.weights["query"]
        said = self.ask_for(wire, Call(method="GET", path="order", parameters={**fixed, **parameters}, weight=weight))
        return None if said is None else _order_in(as_dict(said), market)

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Read on by id until the trades add up to the order, or none are left: a page may be shorter than asked."""
        rows: list[dict[str, Any]] = []
        page = self._trades(wire, market, {"orderId": order.told.venue_order_id})
        while page:
            rows += page
            if not is_short_of(order.told.executed, [row.get("qty") for row in rows if _is_of(row, order)]):
                break
            last = max(int(row["id"]) for row in page)
            page = self._trades(wire, market, {"orderId": order.told.venue_order_id, "fromId": last + 1})
            page = [row for row in page if int(row["id"]) > last]
        return [_trade_in(row, market) for row in rows]

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        def fetch(parameters: dict[str, Any]) -> list[dict[str, Any]]:
            fixed = {"symbol": market.market_id, "limit": _ORDERS_AT_ONCE}
            return as_rows(self._ask(wire, "allOrders", {**fixed, **parameters}))

        first, last = milliseconds_of(since), milliseconds_of(now)
        for page in pages_by_id(fetch=fetch, row_id="orderId", parameter="orderId", since=first, now=last):
            yield from (_order_in(row, market) for row in page)

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        def fetch(parameters: dict[str, Any]) -> list[dict[str, Any]]:
            return self._trades(wire, market, parameters)

        first, last = milliseconds_of(since), milliseconds_of(now)
        for page in pages_by_id(fetch=fetch, row_id="id", parameter="fromId", since=first, now=last):
            yield from (TradeHeard(trade=_trade_in(row, market), at=int(row["time"])) for row in page)

    def _trades(self, wire: Wire, market: Market, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        fixed = {"symbol": market.market_id, "limit": _TRADES_AT_ONCE}
        return as_rows(self._ask(wire, "myTrades", {**fixed, **parameters}))

    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        account = self.read_account(wire)
        for row in as_rows(account.get("balances")):
            total = sum_of(row.get("free"), row.get("locked"))
            yield Holding(asset=str(row["asset"]), free=row.get("free"), total=total)

    def read_account(self, wire: Wire) -> dict[str, Any]:
        """Read what the venue says about our account. Raises VenueAway."""
        return as_dict(self._ask(wire, "account", {}))

    def _ask(self, wire: Wire, path: str, parameters: dict[str, Any]) -> Any:
        return wire.ask(Call(method="GET", path=path, parameters=parameters, weight=self.weights[path]))


def may_trade(account: dict[str, Any]) -> bool | None:
    """Say whether an account may trade. None: the venue does not say."""
    said = account.get("canTrade")
    return said if isinstance(said, bool) else None


def taker_rate_in(*tables: dict[str, Any]) -> Decimal | None:
    """Return what a taker who buys is charged by tables of rates together, or None if that cannot be read."""
    said = [read_figure(table.get(side)) for table in tables for side in ("taker", "buyer") if side in table]
    return add(rate for rate in said if rate is not None) if said and None not in said else None


def _parameters_of(purchase: PurchaseRequest, market: Market) -> dict[str, Any]:
    return {
        "symbol": market.market_id,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": plain(purchase.quantity),
        "price": plain(purchase.limit_price),
        "newClientOrderId": purchase.client_order_id,
        "newOrderRespType": "FULL",
        "recvWindow": int(purchase.window.total_seconds() * 1000),
    }


def _order_in(said: dict[str, Any], market: Market) -> Heard:
    told = OrderTold(
        client_order_id=said.get("clientOrderId"),
        venue_order_id=said.get("orderId"),
        symbol=market.symbol_in(said.get("symbol")),
        status=known(_STATUSES, said.get("status")),
        side=lower(said.get("side")),
        quantity=said.get("origQty"),
        executed=said.get("executedQty"),
        cost=said.get("cummulativeQuoteQty"),
    )
    trades = [_fill_in(trade, market) for trade in trades_in(said.get("fills"))]
    return Heard(told=told, limit_price=said.get("price"), trades=trades or None, said=said)


def _fill_in(said: dict[str, Any], market: Market) -> TradeTold:
    """Return a trade of the answer to an order, which need name neither the order nor the market."""
    return TradeTold(
        trade_id=said.get("tradeId"),
        venue_order_id=said.get("orderId"),
        symbol=market.symbol_in(said.get("symbol")),
        quantity=said.get("qty"),
        price=said.get("price"),
        commission=said.get("commission"),
        commission_asset=market.asset_in(said.get("commissionAsset")),
    )


def _trade_in(said: dict[str, Any], market: Market) -> TradeTold:
    return TradeTold(
        trade_id=said.get("id"),
        venue_order_id=said["orderId"],
        symbol=market.symbol_in(said.get("symbol")),
        side={True: "buy", False: "sell"}.get(said["isBuyer"]) if "isBuyer" in said else None,
        quantity=said.get("qty"),
        price=said.get("price"),
        cost=said.get("quoteQty"),
        commission=said.get("commission"),
        commission_asset=market.asset_in(said.get("commissionAsset")),
    )


def _is_of(row: dict[str, Any], order: Heard) -> bool:
    return str(row.get("orderId")) == str(order.told.venue_order_id)
