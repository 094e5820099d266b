"""OKX (spot, in cash).

Sources, all of the API guide V5: "Place order", "Order details", "Order List", "Order history (last 7 days)" and "(last
3 months)", "Transaction details (last 3 months)", "Get balance", "Get account configuration", "Get fee rates",
"Transaction Timeouts", and "Error Code". An order tells its average price, and only its transactions tell its cost.
Orders that were cancelled with nothing executed are forgotten after two hours.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from settlement.figures import add, multiply, read_figure, subtract
from settlement.gate import CannotBeTrue
from settlement.told import IN_TRADES, OrderTold, TradeTold, digits, printable
from settlement.venues.profiles.paging import Rows, pages_by_cursor
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, as_rows, is_short_of, known, plain
from settlement.venues.profiles.refusals import Meaning, Refusals
from settlement.venues.profiles.words import (
    AccountTerms,
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
from settlement.venues.protocol import PurchaseRequest, VenueAway

_AT_ONCE: Final = 100
_RECENT: Final = timedelta(days=6)  # the shorter history has seven days
_LEEWAY: Final = 10_000  # an average price is rounded: it may differ by a ten-thousandth from that of the transactions
_STATUSES: Final = {
    "live": "open",
    "partially_filled": "open",
    "filled": "closed",
    "canceled": "canceled",
    "mmp_canceled": "canceled",
}
_CODES: Final = (
    (Meaning.REFUSED, "51001"),  # no such instrument
    # the form of the request: empty, no JSON, no content type, parameters that are missing, wrong or contradictory
    (Meaning.COIN, "50000 50002 50006 50014 50015 50016 50024 50025 50115 51000 51012 51015 51204"),
    # the user or the account: blocked, frozen, restricted, of a wrong mode, unverified, of another country
    (Meaning.VENUE, "4088 50007 50008 50009 50010 50012 50019 50022 50027 50028 50029 50041 50051 50059 50060"),
    (Meaning.VENUE, "51009 51010 51024 51732 51733 51734 59113"),
    # a function that this key may not use, or that is away
    (Meaning.VENUE, "50030 50035 50038 50046 50062 50100 50118 50120"),
    # key, passphrase, signature, address, venue
    (Meaning.VENUE, "50101 50103 50104 50105 50106 50108 50109 50110 50111 50113 50114 50119 50121"),
    # the coin: frozen, prohibited, blocked, not yet or no longer listed, suspended, not offered, in a call auction, or
    # our holdings are at their limit
    (Meaning.COIN, "50018 50021 50032 50033 50052 51021 51022 51027 51087 51109 51110 51124 51129 51140 51143 51155"),
    (Meaning.COIN, "51008 51119 51127 51131"),  # funds
    # the time: a deadline that has passed, a timestamp that has expired, is missing or wrong
    (Meaning.AGAIN, "50036 50037 50102 50107 50112"),
    # size and price: below a minimum, above a maximum, off the step, outside of the price limit
    (Meaning.AGAIN, "50122 51004 51005 51006 51020 51033 51100 51116 51118 51120 51121 51122 51137 51150 51185 51203"),
    (Meaning.CALL_LIMIT, "50011"),
    (Meaning.ORDER_LIMIT, "50040 50061 51025 51102 51103 51174"),  # too many orders a second, or too many open ones
)
_REFUSALS: Final = Refusals(
    codes={code: meaning for meaning, codes in _CODES for code in codes.split()},
    stale_rules=frozenset(
        {"50122", "51005", "51006", "51020", "51118", "51120", "51121", "51122", "51137", "51150", "51203"}
    ),
)


class _Okx(VenueProfile):
    name = "okx"
    origin_of = "rest"
    has_sandbox = True
    requests_expire = True  # the header `expTime`
    reads_time = True
    dates_questions = True
    client_order_ids = re.compile(r"[a-zA-Z0-9]{1,32}", re.ASCII)
    quote_time, refusals = "timestamp", _REFUSALS
    not_found = frozenset({"51603"})
    open_codes = frozenset({"50001", "50004", "50005", "50013", "50026", "50042", "51054", "51149"})
    stale_clock = frozenset({"50102", "50107", "50112"})

    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the error of the request, or of its only entry. Errors are a 200 as well as 4XX and 5XX."""
        body = reply.body if isinstance(reply.body, dict) else {}
        code, entry = _code_in(body.get("code")), _entry_in(body)
        sub_code = _code_in(entry.get("sCode"))
        names = bool(entry.get("ordId"))
        if sub_code not in {"", "0"}:
            return Failure(code=sub_code, message=printable(str(entry.get("sMsg", ""))), names_order=names)
        if code not in {"", "0"}:
            return Failure(code=code, message=printable(str(body.get("msg", ""))), names_order=names)
        return Failure(code="", message=f"status {reply.status}", names_order=names) if reply.is_error else None

    def is_about(self, reply: Reply, *, client_order_id: str) -> bool:
        entry = _entry_in(reply.body if isinstance(reply.body, dict) else {})
        return entry.get("clOrdId") in (None, "", client_order_id)

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        parameters = {
            "instId": market.market_id,
            "tdMode": "cash",
            "clOrdId": purchase.client_order_id,
            "side": "buy",
            "ordType": "ioc",
            "px": plain(purchase.limit_price),
            "sz": plain(purchase.quantity),
        }
        deadline = milliseconds_of(purchase.signed_at + purchase.window)
        return Call(
            method="POST", path="trade/order", parameters=parameters, headers={"expTime": str(deadline)}, weight=1 / 3
        )

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> str | None:
        """Return the order's id. An answer about another of our orders tells nothing."""
        del market
        entry = _entry_in(reply.body if isinstance(reply.body, dict) else {})
        order_id = entry.get("ordId")
        is_ours = entry.get("clOrdId") == client_order_id and _code_in(entry.get("sCode")) == "0"
        return order_id if is_ours and isinstance(order_id, str) and order_id else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        return self._query(wire, market, {"clOrdId": client_order_id})

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        return self._query(wire, market, {"ordId": venue_order_id})

    def _query(self, wire: Wire, market: Market, parameters: dict[str, str]) -> Heard | None:
        body = self.ask_for(wire, _call("trade/order", {"instId": market.market_id, **parameters}, weight=1 / 3))
        if body is None:
            return None
        rows = _rows_in(body)
        if len(rows) != 1:
            raise VenueAway(f"{len(rows)} orders where one was asked for")
        return _order_in(rows[0], market)

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Read on until the transactions add up to the order, or none are left. Raises CannotBeTrue."""
        rows: Rows = []
        for page in _pages(wire, "trade/fills-history", market, {"ordId": order.told.venue_order_id}, row_id="billId"):
            rows += [row for row in page if _is_of(row, order)]
            if not is_short_of(order.told.executed, [row.get("fillSz") for row in rows]):
                break
        trades = [_trade_in(row, market) for row in rows]
        _ensure_average(order, trades)
        return trades

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        """Merge the open orders and those of the history, into which they move. Their transactions tell the cost."""
        found: dict[str, Heard] = {}
        history = "trade/orders-history" if since > now - _RECENT else "trade/orders-history-archive"
        first = milliseconds_of(since)
        for path, parameters in (("trade/orders-pending", {}), (history, {"begin": str(first)})):
            for page in _pages(wire, path, market, parameters, row_id="ordId"):
                found |= {str(row["ordId"]): _order_in(row, market) for row in page}
        orders = [order for order in found.values() if order.placed_at is not None and order.placed_at >= first]
        trades = self._trades_by_order(wire, market=market, orders=orders, since=since, now=now)
        for order in sorted(orders, key=lambda each: each.placed_at or 0):
            yield _with_cost(order, trades[str(order.told.venue_order_id)])

    def _trades_by_order(
        self, wire: Wire, *, market: Market, orders: list[Heard], since: datetime, now: datetime
    ) -> dict[str, list[TradeTold]]:
        """Return the transactions of orders by the order's id, if any has executed something. Raises VenueAway."""
        trades: dict[str, list[TradeTold]] = defaultdict(list)
        if any(read_figure(order.told.executed) for order in orders):
            for heard in self.list_trades(wire, market=market, since=since, now=now):
                trades[str(heard.trade.venue_order_id)].append(heard.trade)
        return trades

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        del now
        heard: list[TradeHeard] = []
        parameters = {"begin": str(milliseconds_of(since))}
        for page in _pages(wire, "trade/fills-history", market, parameters, row_id="billId"):
            heard += [TradeHeard(trade=_trade_in(row, market), at=int(row["ts"])) for row in page]
        yield from sorted(heard, key=lambda each: each.at)

    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        [account] = _rows_in(wire.ask(_call("account/balance", {}, weight=2)))
        for row in as_rows(account.get("details")):
            yield Holding(asset=str(row["ccy"]), free=row.get("availBal"), total=row.get("cashBal"))

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read the key's permission and our taker rate, which is negative where it is taken from us."""
        [account] = _rows_in(wire.ask(_call("account/config", {}, weight=4)))
        parameters = {"instType": "SPOT", "instId": market.market_id}
        [fees] = _rows_in(wire.ask(_call("account/trade-fee", parameters, weight=4)))
        permissions, rate = account.get("perm"), read_figure(fees.get("taker"))
        return AccountTerms(
            can_trade="trade" in permissions.split(",") if isinstance(permissions, str) else None,
            taker_rate=None if rate is None else -rate,
        )


def _call(path: str, parameters: dict[str, Any], *, weight: float) -> Call:
    return Call(method="GET", path=path, parameters=parameters, weight=weight)


def _pages(
    wire: Wire, path: str, market: Market, parameters: dict[str, Any], *, row_id: str
) -> Iterator[list[dict[str, Any]]]:
    """Read the rows of a list in a market, the newest first, until a page is empty. Raises VenueAway."""
    fixed = {"instType": "SPOT", "instId": market.market_id, **parameters, "limit": str(_AT_ONCE)}

    def fetch(after: str) -> tuple[Rows, str]:
        rows = _rows_in(wire.ask(_call(path, {**fixed, "after": after} if after else fixed, weight=2)))
        return rows, str(min(int(row[row_id]) for row in rows)) if rows else ""

    return pages_by_cursor(fetch=fetch, row_id=row_id)


def _rows_in(body: object) -> Rows:
    return as_rows(as_dict(body).get("data"))


def _entry_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return the only entry of an answer to an order, or an empty one."""
    rows = body.get("data")
    if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict):
        return rows[0]
    return {}


def _code_in(said: object) -> str:
    """Return a code without its sub-code: `51008_1000` is a 51008."""
    return printable(str(said)).partition("_")[0] if isinstance(said, str | int) else ""


def _order_in(said: dict[str, Any], market: Market) -> Heard:
    told = OrderTold(
        client_order_id=said.get("clOrdId"),
        venue_order_id=said.get("ordId"),
        symbol=market.symbol_in(said.get("instId")),
        status=known(_STATUSES, said.get("state")),
        side=said.get("side"),
        quantity=said.get("sz"),
        executed=said.get("accFillSz") or None,  # an empty field says nothing
        cost=IN_TRADES,
    )
    return Heard(told=told, limit_price=said.get("px"), placed_at=int(said["cTime"]), said=said)


def _trade_in(said: dict[str, Any], market: Market) -> TradeTold:
    commission = read_figure(said.get("fee"))
    return TradeTold(
        trade_id=said.get("tradeId"),
        venue_order_id=said["ordId"],
        symbol=market.symbol_in(said.get("instId")),
        side=said.get("side"),
        quantity=said.get("fillSz"),
        price=said.get("fillPx"),
        commission=(said.get("fee") or None) if commission is None else -commission,  # a commission is negative
        commission_asset=market.asset_in(said.get("feeCcy")),
    )


def _is_of(row: dict[str, Any], order: Heard) -> bool:
    return str(row.get("ordId")) == str(order.told.venue_order_id)


def _cost_of(trades: list[TradeTold]) -> Decimal | None:
    """Return what trades cost together, or None if they cannot be read."""
    figures = [(read_figure(trade.quantity), read_figure(trade.price)) for trade in trades]
    if any(quantity is None or price is None for quantity, price in figures):
        return None
    return add(multiply(quantity, price) for quantity, price in figures if quantity is not None and price is not None)


def _ensure_average(order: Heard, trades: list[TradeTold]) -> None:
    """Raise CannotBeTrue if the transactions are the whole order, and their average price is not the order's."""
    executed, average, cost = read_figure(order.told.executed), read_figure(order.said.get("avgPx")), _cost_of(trades)
    is_short = is_short_of(executed, [trade.quantity for trade in trades])
    if not executed or average is None or cost is None or is_short:
        return
    if abs(subtract(multiply(executed, average), cost)) * _LEEWAY > cost:
        raise CannotBeTrue(f"an average price of {digits(average)}, but its trades cost {digits(cost)}")


def _with_cost(order: Heard, trades: list[TradeTold]) -> Heard:
    """Return an order of a list with the cost that its transactions tell. Raises VenueAway if any is missing."""
    if is_short_of(order.told.executed, [trade.quantity for trade in trades]):
        raise VenueAway("an order is listed, and not all of its transactions are")
    return replace(order, told=replace(order.told, cost=_cost_of(trades)))


OKX: Final = _Okx()
