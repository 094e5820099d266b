"""Kraken (spot).

Sources: "Add Order", "Query Orders Info", "Get Open Orders", "Get Closed Orders", "Query Trades Info", "Get Trades
History", "Get Extended Balance" and "Get Trade Volume" of the Spot REST API reference; the guides "Spot REST
authentication" and "Errors", and "API error messages" of Kraken's support pages. Every answer about an order is a 200,
refusals too. An order names its trades by id only, and its own id is all that the answer to a new order says.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from settlement.figures import read_figure, subtract
from settlement.gate import MOST_COMMISSION, NO_ASSET
from settlement.told import OrderTold, TradeTold, printable
from settlement.venues.profiles.paging import pages_by_offset
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, ask_unless_declined, falls_short, known, plain
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
)
from settlement.venues.protocol import PurchaseRequest, VenueAway

_TRADES_AT_ONCE: Final = 20
_EACH: Final = {"consolidate_taker": "false"}
_LEAST_COMMISSION: Final = Decimal("0.00005")
"""A smaller share of an order's cost than any tier of Kraken's taker fees."""
_STATUSES: Final = {"pending": "open", "open": "open", "closed": "closed", "canceled": "canceled", "expired": "expired"}
_SIZES: Final = ("EOrder:Order minimum*", "EOrder:Cost minimum*", "EGeneral:Invalid arguments:volume minimum*")
_PRICES: Final = ("EOrder:Tick size check failed", "EOrder:Invalid price*")
_REFUSALS: Final = Refusals(
    codes={
        **dict.fromkeys(("EQuery:Unknown asset pair", "EQuery:Invalid asset pair"), Meaning.REFUSED),
        **dict.fromkeys(("EAPI:Invalid key", "EAPI:Invalid signature", "EAPI:Feature disabled"), Meaning.VENUE),
        **dict.fromkeys(("EGeneral:Permission denied", "EGeneral:Unknown method", "ETrade:Locked"), Meaning.VENUE),
        **dict.fromkeys(("ESession:Invalid session", "EAuth:Account*", "ETrade:User Locked"), Meaning.VENUE),
        **dict.fromkeys(("EOrder:Trading agreement required", "EOrder:Positions limit exceeded"), Meaning.VENUE),
        **dict.fromkeys(("EOrder:Cannot open *", "EOrder:Margin *", "EOrder:Insufficient margin"), Meaning.VENUE),
        **dict.fromkeys(("EGeneral:Invalid arguments*", "EAPI:Bad request", "ETrade:Invalid request"), Meaning.COIN),
        "EAccount:Invalid permissions*": Meaning.COIN,  # a coin that may not be traded where the account is
        "EBM:limit exceeded*": Meaning.COIN,  # how much of a coin may be bought in a year, where the account is
        "EService:Market in *": Meaning.COIN,
        "EOrder:Insufficient funds": Meaning.COIN,
        "EAPI:Invalid nonce": Meaning.AGAIN,  # refused before anything else is read; the next has a larger number
        **dict.fromkeys(("EService:Deadline elapsed", "EGeneral:Invalid arguments:deadline*"), Meaning.AGAIN),
        **dict.fromkeys((*_SIZES, *_PRICES), Meaning.AGAIN),
        **dict.fromkeys(("EAPI:Rate limit exceeded", "EGeneral:Too many requests"), Meaning.CALL_LIMIT),
        **dict.fromkeys(("EAuth:Rate limit exceeded", "EAuth:Too many requests"), Meaning.CALL_LIMIT),
        **dict.fromkeys(("EService:Throttled*", "EService: Throttled*"), Meaning.CALL_LIMIT),
        "EGeneral:Temporary lockout": Meaning.CALL_LIMIT,
        **dict.fromkeys(("EOrder:Rate limit exceeded", "EOrder:Domain rate limit exceeded"), Meaning.ORDER_LIMIT),
        **dict.fromkeys(("EOrder:Orders limit exceeded", "EOrder:Scheduled orders limit*"), Meaning.ORDER_LIMIT),
    },
    stale_rules=frozenset((*_SIZES, *_PRICES)),
    waits_seconds={"EGeneral:Temporary lockout": 900.0, "EOrder:Orders limit exceeded": 60.0},
)


class _Kraken(VenueProfile):
    name = "kraken"
    origin_of = "private"
    has_rehearsals = True
    requests_expire = True  # AddOrder's `deadline`
    shortest_window_seconds = 2
    reads_time = True
    growing_nonces = True
    client_order_ids = re.compile(
        r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[ -~]{1,18}", re.ASCII | re.IGNORECASE
    )
    refusals = _REFUSALS
    not_found = frozenset({"EOrder:Unknown order", "EOrder:Invalid order", "EQuery:Unknown order"})
    stale_nonce = frozenset({"EAPI:Invalid nonce"})

    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the first error that is not listed, else the first. One about our own id proves nothing."""
        body = reply.body if isinstance(reply.body, dict) else {}
        said = body.get("error") or []
        words = [printable(str(each)) for each in (said if isinstance(said, list) else [said])]
        errors = [word for word in words if not word.startswith("W")]  # the others are warnings
        names_order = bool(_txid_in(body))
        if not errors:
            failure = Failure(code="", message=f"status {reply.status}", names_order=names_order)
            return failure if reply.is_error else None
        unknown = [word for word in errors if self.refusals.find_meaning(Failure(code=word)) is None]
        word = (unknown or errors)[0]
        if any("cl_ord_id" in error for error in errors):
            return Failure(code="", message=word, names_order=names_order)
        return Failure(code=word, names_order=names_order)

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        deadline = (purchase.signed_at + purchase.window).astimezone(UTC).isoformat(timespec="milliseconds")
        parameters = {
            "ordertype": "limit",
            "type": "buy",
            "pair": market.market_id,
            "volume": plain(purchase.quantity),
            "price": plain(purchase.limit_price),
            "timeinforce": "IOC",
            "oflags": "fciq",  # commission in the quote asset
            "cl_ord_id": purchase.client_order_id,
            "deadline": deadline.replace("+00:00", "Z"),
        }
        return Call(method="POST", path="AddOrder", parameters=parameters, weight=0)

    def rehearsal_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        call = self.call_for(purchase, market=market)
        return Call(method="POST", path="AddOrder", parameters={**call.parameters, "validate": "true"}, weight=0)

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> str | None:
        del market, client_order_id  # the answer names neither
        ids = _txid_in(reply.body)
        return ids[0] or None if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], str) else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        """Look among the open orders, then among the closed ones: an order moves in this direction only."""
        found: list[Heard] = []
        for path, name, form in (("OpenOrders", "open", {}), ("ClosedOrders", "closed", _EACH)):
            result = _ask(wire, path, {"trades": "true", "cl_ord_id": client_order_id, **form})
            orders = [_order_in(order_id, said, market) for order_id, said in as_dict(result[name]).items()]
            if not orders and int(result.get("count", 0)):
                raise VenueAway("a list without the orders that it counts")
            ours = [order for order in orders if order.told.client_order_id == client_order_id]
            if orders and not ours:
                raise VenueAway("a list of orders with another client order id")
            found += ours
        return max(found, key=lambda order: order.placed_at or 0, default=None)

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        return self._query(wire, market, venue_order_id, _EACH)

    def _query(self, wire: Wire, market: Market, venue_order_id: str, form: dict[str, str]) -> Heard | None:
        body = self.ask_for(wire, _call("QueryOrders", {"txid": venue_order_id, "trades": "true", **form}))
        said = None if body is None else _result_in(body).get(venue_order_id)
        return None if said is None else _order_in(venue_order_id, as_dict(said), market)

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Ask for the trades that the order names, each by itself; if they fall short, for those merged by taker.

        Kraken does not say which of the two QueryTrades knows. Raises VenueAway if the order names none yet.
        """
        trades = _query_trades(wire, market, order)
        if not falls_short(trades, of=order.told):
            return trades
        merged = self._query(wire, market, str(order.told.venue_order_id), {"consolidate_taker": "true"})
        is_new = merged is not None and merged.said.get("trades") != order.said.get("trades")
        others = _query_trades(wire, market, merged) if merged is not None and is_new else []
        return trades if falls_short(others, of=order.told) else others

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        """Merge the open orders and the closed ones, which may have closed in between, by when they were opened."""
        del now
        opened = as_dict(_ask(wire, "OpenOrders", {"trades": "true"})["open"])
        found = {order_id: _order_in(order_id, as_dict(said), market) for order_id, said in opened.items()}
        after = int(since.timestamp()) - 1  # Kraken's lists begin after their `start`
        parameters = {"start": after, "closetime": "open", "trades": "true", **_EACH}
        for row in _pages(wire, "ClosedOrders", "closed", parameters):
            found[row["id"]] = _order_in(row["id"], row["said"], market)
        first = _milliseconds(str(since.timestamp()))
        orders = [order for order in found.values() if (order.placed_at or 0) >= first]
        ours = [order for order in orders if order.told.symbol == market.symbol]
        yield from sorted(ours, key=lambda order: order.placed_at or 0)

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        del now
        first = _milliseconds(str(since.timestamp()))
        for row in _pages(wire, "TradesHistory", "trades", {"start": int(since.timestamp()) - 1, **_EACH}):
            trade = _trade_in(row["id"], row["said"], market, asset=market.quote_asset)
            at = _milliseconds(row["said"]["time"])
            if trade.symbol == market.symbol and at >= first:
                yield TradeHeard(trade=trade, at=at)

    def tells_whose(self, order: Heard) -> bool:
        """An order that was placed without a client order id has none."""
        return bool(order.told.venue_order_id)

    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        for asset, said in _ask(wire, "BalanceEx", {}).items():
            row = as_dict(said)
            held, locked = read_figure(row.get("balance")), read_figure(row.get("hold_trade"))
            free = None if held is None or locked is None else subtract(held, locked)
            yield Holding(asset=asset, free=free, total=row.get("balance"))

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read our taker rate, which Kraken says in percent."""
        result = _ask(wire, "TradeVolume", {"pair": market.market_id})
        fees = as_dict(result.get("fees") or {})
        said = next((as_dict(fee) for name, fee in fees.items() if name in market.names), {})
        percent = read_figure(said.get("fee"))
        return AccountTerms(taker_rate=None if percent is None else percent / 100)


def _query_trades(wire: Wire, market: Market, order: Heard) -> list[TradeTold]:
    names = order.said.get("trades")
    if not isinstance(names, list) or not names:
        raise VenueAway("the order names no trades yet")
    ids = list(dict.fromkeys(str(name) for name in names))
    asset = _asset_of_fee(order.said, market)
    trades: list[TradeTold] = []
    for start in range(0, len(ids), _TRADES_AT_ONCE):
        body = ask_unless_declined(wire, _call("QueryTrades", {"txid": ",".join(ids[start : start + _TRADES_AT_ONCE])}))
        result = {} if body is None else _result_in(body)
        trades += [_trade_in(trade_id, as_dict(said), market, asset=asset) for trade_id, said in result.items()]
    return trades


def _call(path: str, parameters: dict[str, Any]) -> Call:
    return Call(method="POST", path=path, parameters=parameters, weight=0.3)


def _ask(wire: Wire, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Ask a question, and return the result of its answer. Raises VenueAway."""
    return _result_in(wire.ask(_call(path, parameters)))


def _result_in(body: object) -> dict[str, Any]:
    return as_dict(as_dict(body).get("result"))


def _txid_in(body: object) -> Any:
    """Return what an answer says of the ids of new orders."""
    result = body.get("result") if isinstance(body, dict) else None
    return result.get("txid") if isinstance(result, dict) else None


def _pages(wire: Wire, path: str, name: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read the rows of a list, 50 at a time, the newest first. Raises VenueAway."""

    def fetch(offset: int) -> tuple[list[dict[str, Any]], int]:
        result = _ask(wire, path, {**parameters, "ofs": offset})
        rows = [{"id": row_id, "said": as_dict(said)} for row_id, said in as_dict(result[name]).items()]
        return rows, int(result["count"])

    for page in pages_by_offset(fetch=fetch, row_id="id"):
        yield from page


def _order_in(order_id: str, said: dict[str, Any], market: Market) -> Heard:
    described, executed = as_dict(said["descr"]), said.get("vol_exec")
    status = known(_STATUSES, said.get("status"))
    is_doubtful = status != "open" and bool(said.get("trades")) and read_figure(executed) == 0
    told = OrderTold(
        client_order_id=said.get("cl_ord_id"),
        venue_order_id=order_id,
        symbol=market.symbol_in(described.get("pair")),
        status=status,
        side=described.get("type"),
        quantity=said.get("vol"),
        executed=None if is_doubtful else executed,
        cost=said.get("cost"),
    )
    return Heard(told=told, limit_price=described.get("price"), placed_at=_milliseconds(said["opentm"]), said=said)


def _trade_in(trade_id: str, said: dict[str, Any], market: Market, *, asset: str) -> TradeTold:
    return TradeTold(
        trade_id=trade_id,
        venue_order_id=said["ordertxid"],
        symbol=market.symbol_in(said.get("pair")),
        side=said.get("type"),
        quantity=said.get("vol"),
        price=said.get("price"),
        cost=said.get("cost"),
        commission=said.get("fee"),
        commission_asset=asset,
    )


def _asset_of_fee(order: Mapping[str, Any], market: Market) -> str:
    """Return the asset in which an order's fee is said: the quote asset, which we ask for with `fciq`.

    An order with `fcib` pays in the coin. By Kraken's help its fee is said in the quote asset all the same; ccxt takes
    it for coins. Only a fee that is plausible as coins, and too small as quote asset, is taken for coins.
    """
    if "fcib" not in str(order.get("oflags")):
        return market.quote_asset
    fee, coins, cost = (read_figure(order.get(name)) for name in ("fee", "vol_exec", "cost"))
    if not fee or not coins or not cost:
        return NO_ASSET
    is_of_coins = fee / coins <= MOST_COMMISSION and fee / cost < _LEAST_COMMISSION
    return market.coin if is_of_coins else NO_ASSET


def _milliseconds(seconds: object) -> int:
    return int(Decimal(str(seconds)) * 1000)


KRAKEN: Final = _Kraken()
