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
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final

from settlement.figures import add, read_figure
from settlement.told import IN_TRADES, OrderTold, TradeTold, printable
from settlement.venues.profiles.dialects.binance_refusals import REFUSALS
from settlement.venues.profiles.paging import pages_by_id, without_repeats
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, as_rows, is_short_of, known, lower, plain, sum_of, trades_in
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
_BAN: Final = re.compile(r"banned until ([0-9]{13})\b", re.ASCII)
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


class BinanceDialect(VenueProfile):
    """A venue that speaks Binance's interface. `read_terms` is its own: where it tells them differs."""

    origin_of = "private"
    has_rehearsals = True
    requests_expire = True
    reads_time = True
    dates_questions = True
    client_order_ids = re.compile(r"[a-zA-Z0-9-_]{1,36}", re.ASCII)
    refusals = REFUSALS
    open_codes = frozenset({"-1000", "-1001", "-1006", "-1007", "-1008"})
    not_found = frozenset({"-2013", "-2026"})  # -2026: archived, which only orders are that executed nothing
    stale_clock = frozenset({"-1021"})

    weights: ClassVar[Mapping[str, float]]
    """What calls weigh in the rate limit, in ccxt's unit: `place` and `query`, and the others by path."""

    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the error of a 4XX or 5XX. A 200 with a code is no order either."""
        if not reply.is_error:
            return None
        body = reply.body if isinstance(reply.body, dict) else {}
        code, message = printable(str(body.get("code", ""))), printable(str(body.get("msg", "")))
        return Failure(code=code, message=message, names_order="orderId" in body)

    def find_wait(self, reply: Reply) -> float | None:
        """Return the seconds until the end of a ban, of which the message says the time."""
        body = reply.body if isinstance(reply.body, dict) else {}
        until = _BAN.search(str(body.get("msg", "")))
        try:
            now = parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
        except (TypeError, ValueError, OverflowError):
            return None
        seconds = int(until[1]) / 1000 - now if until else 0
        return seconds if seconds > 0 else None

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return Call(
            method="POST", path="order", parameters=_parameters_of(purchase, market), weight=self.weights["place"]
        )

    def rehearsal_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return replace(self.call_for(purchase, market=market), path="order/test")

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> Heard | None:
        del client_order_id  # the answer repeats it
        is_order = isinstance(reply.body, dict) and "code" not in reply.body
        return _order_in(reply.body, market) if is_order else None

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
            rows = without_repeats(rows + page)
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
        status=_status_in(said),
        side=lower(said.get("side")),
        quantity=said.get("origQty"),
        executed=said.get("executedQty"),
        cost=_cost_in(said),
    )
    trades = [_fill_in(trade, market) for trade in trades_in(said.get("fills"))]
    return Heard(told=told, limit_price=said.get("price"), trades=trades or None, said=said)


def _status_in(said: dict[str, Any]) -> object:
    """Return an order's status. An order of which a trade with ourselves was prevented may be called filled."""
    status = known(_STATUSES, said.get("status"))
    return "expired" if status == "closed" and read_figure(said.get("preventedQuantity")) else status


def _cost_in(said: dict[str, Any]) -> object:
    """Return an order's cost. A negative one means, in a look-up, that the order does not tell it ("Query order")."""
    cost = said.get("cummulativeQuoteQty")
    figure = None if "fills" in said else read_figure(cost)
    return IN_TRADES if figure is not None and figure < 0 else cost


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
