"""Bybit (spot, of a unified trading account).

Sources, all of the V5 documentation: "Place Order", "Get Open & Closed Orders", "Get Order History", "Get Trade
History", "Get Wallet Balance", "Get Fee Rate", "Get API Key Information", "Integration Guidance" (times of requests),
"Rate Limit", "Enums Definitions" and "Error Codes". Errors are a 200 with `retCode`. The answer to a new order only
says that it was accepted, and its id: placing is asynchronous there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from settlement.figures import read_figure, subtract
from settlement.told import OrderTold, TradeTold, printable
from settlement.venues.profiles.paging import Rows, pages_by_cursor, windows
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, as_rows, is_short_of, known, lower, plain, sum_of
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
from settlement.venues.protocol import PurchaseRequest, Unknown, VenueAnswer, VenueAway

_ORDERS_AT_ONCE: Final = 50
_TRADES_AT_ONCE: Final = 100
_WEEK_MILLISECONDS: Final = 7 * 86_400_000
_STATUSES: Final = {
    **dict.fromkeys(("Created", "New", "PartiallyFilled", "Untriggered", "Triggered"), "open"),
    **dict.fromkeys(("PartiallyFilledCanceled", "Cancelled", "Deactivated"), "canceled"),
    "Rejected": "rejected",
    "Filled": "closed",
}
# By "Error Codes"; those of 170xxx are of spot orders. Not listed, for the order may be there: timeouts (10000, 170007,
# 170146), errors of the server (10016, 170001, 170032, 170149, 170234), 429 in a 200, duplicates (170141, 110072).
_OURS: Final = (  # key, signature, permission, address, compliance, kind of account
    "401 10003 10004 10005 10007 10008 10009 10010 10017 10020 10024 10027 10028 100028 33004 -2015 110066 110069"
    " 110088 170201 170215 170219 170220 170223 170226 170230 170348 3100197"
)
_OF_COIN: Final = (  # parameters, and markets that do not trade, or not by this key or account
    "10001 10029 170031 170105 170115 170116 170117 170130 170151 170157 170209 170217 170221 170224 170227 170228"
    " 170241 170709"
)
_FUNDS: Final = "110004 110007 110012 110044 110045 110051 110052 110053 170033 170131"
_SIZES_AND_PRICES: Final = (
    "30208 110003 110094 110120 110121 170124 170132 170133 170134 170135 170136 170137 170140 170192 170193 170197"
    " 170199 170341 170371 170372 170381 170382"
)
_ORDER_LIMITS: Final = "110020 170005 170210 170810"  # 170210: a new order that was rejected without a reason
_CALL_LIMITS: Final = "10006 10018 10429 170222"
_REFUSALS: Final = Refusals(
    codes={
        **dict.fromkeys(_OURS.split(), Meaning.VENUE),
        **dict.fromkeys(f"{_OF_COIN} {_FUNDS}".split(), Meaning.COIN),
        **dict.fromkeys(_SIZES_AND_PRICES.split(), Meaning.AGAIN),
        **dict.fromkeys(_ORDER_LIMITS.split(), Meaning.ORDER_LIMIT),
        **dict.fromkeys(_CALL_LIMITS.split(), Meaning.CALL_LIMIT),
        "10002": Meaning.AGAIN,  # the request's time is outside of its window
        "170121": Meaning.REFUSED,  # unknown symbol
    },
    stale_rules=frozenset(_SIZES_AND_PRICES.split()),
)
_BAN_SECONDS: Final = 600.0


class _Bybit(VenueProfile):
    name = "bybit"
    origin_of = "private"
    has_sandbox = True
    requests_expire = True  # the time of the request and its window, which are signed
    reads_time = True
    dates_questions = True
    client_order_ids = re.compile(r"[a-zA-Z0-9_-]{1,36}", re.ASCII)
    refusals = _REFUSALS
    stale_clock = frozenset({"10002"})

    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the error, which has a code other than 0. An error beside an order's id would be a contradiction."""
        body = reply.body if isinstance(reply.body, dict) else {}
        code = printable(str(body.get("retCode", "")))
        if (code not in {"", "0"} or reply.is_error) and _id_in(body):
            return Failure(code="", message=code, names_order=True)
        if code not in {"", "0"}:
            return Failure(code=code, message=printable(str(body.get("retMsg") or "")))
        if reply.status == 401:  # noqa: PLR2004  "need to use the correct key to access"
            return Failure(code="401")
        return Failure(code="", message=f"status {reply.status}") if reply.is_error else None

    def judge_refusal(self, reply: Reply, failure: Failure) -> VenueAnswer:
        """Return what an error proves. What proves nothing may still ask for a time without calls."""
        answer = super().judge_refusal(reply, failure)
        return replace(answer, retry_after_seconds=self.judge_wait(reply)) if isinstance(answer, Unknown) else answer

    def judge_wait(self, reply: Reply) -> float | None:
        """Return the seconds without calls. An address is banned for ten minutes, by a page before the API."""
        is_ban = reply.status == 403 and not isinstance(reply.body, dict)  # noqa: PLR2004  "access too frequent"
        return _BAN_SECONDS if is_ban else super().judge_wait(reply)

    def find_wait(self, reply: Reply) -> float | None:
        """Return the seconds until the limit of calls is set back, by the times that an answer to such a call says."""
        headers = {name.lower(): value for name, value in reply.headers.items()}
        body = reply.body if isinstance(reply.body, dict) else {}
        reset, now = read_figure(headers.get("x-bapi-limit-reset-timestamp")), read_figure(body.get("time"))
        if reset is None or now is None or not 0 < reset - now < 60_000:  # noqa: PLR2004  a minute
            return None
        return float((reset - now) / 1000)

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        parameters = {
            "category": "spot",
            "symbol": market.market_id,
            "isLeverage": 0,
            "side": "Buy",
            "orderType": "Limit",
            "qty": plain(purchase.quantity),
            "price": plain(purchase.limit_price),
            "timeInForce": "IOC",
            "orderLinkId": purchase.client_order_id,
        }
        window = int(purchase.window.total_seconds() * 1000)
        return Call(
            method="POST", path="v5/order/create", parameters=parameters, options={"recvWindow": window}, weight=2.5
        )

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> str | None:
        del market
        body = reply.body if isinstance(reply.body, dict) else {}
        result = body.get("result")
        is_ours = isinstance(result, dict) and result.get("orderLinkId") == client_order_id
        return _id_in(body) if is_ours and str(body.get("retCode")) == "0" else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        return self._query(wire, market, "orderLinkId", client_order_id)

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        return self._query(wire, market, "orderId", venue_order_id)

    def _query(self, wire: Wire, market: Market, name: str, value: str) -> Heard | None:
        """Look among the recent orders, then in the history, which lags. Raises VenueAway for another order."""
        for path in ("v5/order/realtime", "v5/order/history"):
            result = _ask(wire, path, {"symbol": market.market_id, name: value})
            rows = as_rows(result.get("list"))
            if any(row.get(name) != value for row in rows):
                raise VenueAway(f"a list of orders with another {name}")
            if rows:
                return _order_in(max(rows, key=lambda row: int(row["createdTime"])), market)
        return None

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Read on until the trades add up to the order, or none are left."""
        rows: Rows = []
        parameters = {"orderId": order.told.venue_order_id, "limit": _TRADES_AT_ONCE}
        for page in _pages(wire, "v5/execution/list", parameters, row_id="execId"):
            rows += [row for row in page if str(row.get("orderId")) == str(order.told.venue_order_id)]
            if not is_short_of(order.told.executed, [row.get("execQty") for row in rows]):
                break
        return [_trade_in(row, market) for row in rows]

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        """Merge the open orders and those of the history, into which they move, seven days at a time."""
        first, last = milliseconds_of(since), milliseconds_of(now)
        fixed = {"symbol": market.market_id, "limit": _ORDERS_AT_ONCE}
        found: dict[str, Heard] = {}
        for page in _pages(wire, "v5/order/realtime", {**fixed, "openOnly": 0}, row_id="orderId"):
            found |= {str(row["orderId"]): _order_in(row, market) for row in page}
        for page in _weeks(wire, "v5/order/history", fixed, row_id="orderId", since=first, until=last):
            found |= {str(row["orderId"]): _order_in(row, market) for row in page}
        orders = [order for order in found.values() if order.placed_at is not None and order.placed_at >= first]
        yield from sorted(orders, key=lambda order: order.placed_at or 0)

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        first, last = milliseconds_of(since), milliseconds_of(now)
        fixed = {"symbol": market.market_id, "limit": _TRADES_AT_ONCE}
        heard: list[TradeHeard] = []
        for page in _weeks(wire, "v5/execution/list", fixed, row_id="execId", since=first, until=last):
            heard += [TradeHeard(trade=_trade_in(row, market), at=int(row["execTime"])) for row in page]
        yield from sorted(heard, key=lambda each: each.at)

    def tells_whose(self, order: Heard) -> bool:
        """An order that was placed without a client order id has an empty one."""
        return isinstance(order.told.client_order_id, str)

    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        call = Call(method="GET", path="v5/account/wallet-balance", parameters={"accountType": "UNIFIED"})
        [account] = as_rows(_result_in(wire.ask(call)).get("list"))
        for row in as_rows(account.get("coin")):
            yield Holding(asset=str(row["coin"]), free=_free_in(row), total=row.get("walletBalance"))

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read the key's permissions, and our taker rate."""
        key = _result_in(wire.ask(Call(method="GET", path="v5/user/query-api", weight=5)))
        fees = as_rows(_ask(wire, "v5/account/fee-rate", {"symbol": market.market_id}).get("list"))
        said = next((row for row in fees if row.get("symbol") == market.market_id), {})
        return AccountTerms(can_trade=_can_trade(key), taker_rate=read_figure(said.get("takerFeeRate")))


def _ask(wire: Wire, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return _result_in(wire.ask(Call(method="GET", path=path, parameters={"category": "spot", **parameters}, weight=5)))


def _pages(wire: Wire, path: str, parameters: dict[str, Any], *, row_id: str) -> Iterator[Rows]:
    """Read a list from cursor to cursor, until a page is empty or names no cursor. Raises VenueAway."""

    def fetch(cursor: str) -> tuple[Rows, str]:
        result = _ask(wire, path, {**parameters, "cursor": cursor} if cursor else parameters)
        rows, next_cursor = as_rows(result.get("list")), result.get("nextPageCursor")
        if next_cursor is None and len(rows) >= parameters["limit"]:
            raise VenueAway("a full page without a cursor")
        return rows, str(next_cursor or "") if rows else ""

    return pages_by_cursor(fetch=fetch, row_id=row_id)


def _weeks(wire: Wire, path: str, parameters: dict[str, Any], *, row_id: str, since: int, until: int) -> Iterator[Rows]:
    """Read a list of which the venue says seven days at once. Times are in milliseconds. Raises VenueAway."""
    for start, end in windows(since=since, until=until, longest=_WEEK_MILLISECONDS):
        yield from _pages(wire, path, {**parameters, "startTime": start, "endTime": end}, row_id=row_id)


def _result_in(body: object) -> dict[str, Any]:
    """Return what a success says. Raises VenueAway for an answer that does not say that it is one."""
    said = as_dict(body)
    if str(said.get("retCode")) != "0":
        raise VenueAway("an answer without a code")
    return as_dict(said.get("result"))


def _id_in(body: dict[str, Any]) -> str | None:
    result = body.get("result")
    order_id = result.get("orderId") if isinstance(result, dict) else None
    return order_id if isinstance(order_id, str) and order_id else None


def _order_in(said: dict[str, Any], market: Market) -> Heard:
    told = OrderTold(
        client_order_id=said.get("orderLinkId"),
        venue_order_id=said.get("orderId"),
        symbol=market.symbol_in(said.get("symbol")),
        status=known(_STATUSES, said.get("orderStatus")),
        side=lower(said.get("side")),
        quantity=said.get("qty"),
        executed=said.get("cumExecQty"),
        cost=said.get("cumExecValue"),
    )
    return Heard(told=told, limit_price=said.get("price"), placed_at=int(said["createdTime"]), said=said)


def _trade_in(said: dict[str, Any], market: Market) -> TradeTold:
    """Return a trade. One of another kind, or with further fees, has words for a quantity: its order cannot be true."""
    kind, fees = said.get("execType") or "Trade", said.get("extraFees")
    is_plain = kind == "Trade" and fees in (None, "", "[]", "{}", [], {})
    return TradeTold(
        trade_id=said.get("execId"),
        venue_order_id=said["orderId"],
        symbol=market.symbol_in(said.get("symbol")),
        side=lower(said.get("side")),
        quantity=said.get("execQty") if is_plain else f"{kind}, extra fees {fees}",
        price=said.get("execPrice"),
        cost=said.get("execValue"),
        commission=said.get("execFee"),
        commission_asset=market.asset_in(said.get("feeCurrency")),
    )


def _free_in(said: dict[str, Any]) -> Decimal | None:
    """Return what neither open orders nor positions hold of a coin; None if the answer does not say.

    Margins are empty where the account's mode has none for a single coin.
    """
    held, margins = read_figure(said.get("walletBalance")), (said.get("totalOrderIM"), said.get("totalPositionIM"))
    taken = sum_of(said.get("locked"), *(margin or "0" for margin in margins))
    return max(subtract(held, taken), Decimal(0)) if held is not None and isinstance(taken, Decimal) else None


def _can_trade(key: dict[str, Any]) -> bool | None:
    """Say whether a key may place orders of the spot market; None if the answer does not say."""
    permissions, read_only = key.get("permissions"), key.get("readOnly")
    spot = permissions.get("Spot") if isinstance(permissions, dict) else None
    if not isinstance(spot, list) or read_only not in (0, 1):
        return None
    return read_only == 0 and "SpotTrade" in spot


BYBIT: Final = _Bybit()
