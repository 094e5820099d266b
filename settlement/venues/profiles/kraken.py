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
from settlement.venues.profiles.reading import as_dict, known, plain
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
_LEAST_COMMISSION: Final = Decimal("0.00005")  # a smaller share of a cost than any tier of Kraken's taker fees
_STATUSES: Final = {"pending": "open", "open": "open", "closed": "closed", "canceled": "canceled", "expired": "expired"}
_REFUSALS: Final = Refusals(
    codes={
        "EQuery:Unknown asset pair": Meaning.REFUSED,
        "EQuery:Invalid asset pair": Meaning.REFUSED,
        "EGeneral:Invalid arguments*": Meaning.COIN,
        "EGeneral:Invalid arguments:deadline": Meaning.AGAIN,  # less than 2 s away when it arrived; unconfirmed
        "EGeneral:Permission denied": Meaning.VENUE,
        "EGeneral:Unknown method": Meaning.VENUE,
        "EGeneral:Temporary lockout": Meaning.CALL_LIMIT,
        "EGeneral:Too many requests": Meaning.CALL_LIMIT,
        "EAPI:Invalid key": Meaning.VENUE,
        "EAPI:Invalid signature": Meaning.VENUE,
        "EAPI:Invalid nonce": Meaning.AGAIN,  # refused before anything else is read; the next has a larger number
        "EAPI:Feature disabled": Meaning.VENUE,
        "EAPI:Bad request": Meaning.COIN,
        "EAPI:Rate limit exceeded": Meaning.CALL_LIMIT,
        "ESession:Invalid session": Meaning.VENUE,
        "EAuth:Account*": Meaning.VENUE,
        "EAuth:Rate limit exceeded": Meaning.CALL_LIMIT,
        "EAuth:Too many requests": Meaning.CALL_LIMIT,
        "EAccount:Invalid permissions*": Meaning.COIN,  # a coin that may not be traded where the account is
        "EOrder:Insufficient funds": Meaning.COIN,
        "EOrder:Order minimum not met": Meaning.AGAIN,
        "EOrder:Cost minimum not met": Meaning.AGAIN,
        "EOrder:Tick size check failed": Meaning.AGAIN,
        "EOrder:Invalid price*": Meaning.AGAIN,
        "EOrder:Trading agreement required": Meaning.VENUE,
        "EOrder:Orders limit exceeded": Meaning.ORDER_LIMIT,
        "EOrder:Rate limit exceeded": Meaning.ORDER_LIMIT,
        "EOrder:Domain rate limit exceeded": Meaning.ORDER_LIMIT,
        "ETrade:User Locked": Meaning.VENUE,
        "ETrade:Locked": Meaning.VENUE,
        "EService:Deadline elapsed": Meaning.AGAIN,
        "EService:Market in cancel_only mode": Meaning.COIN,
        "EService:Market in post_only mode": Meaning.COIN,
        "EService:Throttled*": Meaning.CALL_LIMIT,
        "EService: Throttled*": Meaning.CALL_LIMIT,
    },
    stale_rules=frozenset(
        {"EOrder:Order minimum not met", "EOrder:Cost minimum not met", "EOrder:Tick size check failed"}
    ),
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
        """Return the first error of which nothing is known, else the first; warnings begin with a W.

        An error beside the id of an order would be a contradiction, so it has no code that proves anything.
        """
        body = reply.body if isinstance(reply.body, dict) else {}
        said = body.get("error", [])
        words = [printable(str(each)) for each in (said if isinstance(said, list) else [said])]
        errors = [word for word in words if not word.startswith("W")]
        if errors and _ids_in(body):
            return Failure(code="", message=f"{errors[0]}, and an order")
        if errors:
            unknown = [word for word in errors if self.refusals.find_meaning(Failure(code=word)) is None]
            return Failure(code=(unknown or errors)[0])
        return Failure(code="", message=f"status {reply.status}") if reply.is_error else None

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
        ids = _ids_in(reply.body if isinstance(reply.body, dict) else {})
        return ids[0] if len(ids) == 1 else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        """Look among the open orders, then among the closed ones: an order moves in this direction only."""
        found: list[Heard] = []
        for path, name in (("OpenOrders", "open"), ("ClosedOrders", "closed")):
            result = _ask(wire, path, {"trades": "true", "cl_ord_id": client_order_id})
            orders = [_order_in(order_id, said, market) for order_id, said in as_dict(result[name]).items()]
            ours = [order for order in orders if order.told.client_order_id == client_order_id]
            if orders and not ours:
                raise VenueAway("a list of orders with another client order id")
            found += ours
        return max(found, key=lambda order: order.placed_at or 0, default=None)

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        call = _call("QueryOrders", {"txid": venue_order_id, "trades": "true"})
        body = self.ask_for(wire, call)
        said = None if body is None else _result_in(body).get(venue_order_id)
        return None if said is None else _order_in(venue_order_id, as_dict(said), market)

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Ask for the trades that the order names. Raises VenueAway if it names none yet."""
        names = order.said.get("trades")
        if not isinstance(names, list) or not names:
            raise VenueAway("the order names no trades yet")
        ids = list(dict.fromkeys(str(name) for name in names))
        asset = _asset_of_fee(order.said, market)
        trades: list[TradeTold] = []
        for start in range(0, len(ids), _TRADES_AT_ONCE):
            result = _ask(wire, "QueryTrades", {"txid": ",".join(ids[start : start + _TRADES_AT_ONCE])})
            trades += [_trade_in(trade_id, as_dict(said), market, asset=asset) for trade_id, said in result.items()]
        return trades

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        """Merge the open orders and the closed ones, which may have closed in between, by when they were opened."""
        del now
        found: dict[str, Heard] = {}
        opened = as_dict(_ask(wire, "OpenOrders", {"trades": "true"})["open"])
        for order_id, said in opened.items():
            found[order_id] = _order_in(order_id, as_dict(said), market)
        parameters = {"start": _second_before(since), "closetime": "open", "trades": "true"}
        for row in _pages(wire, "ClosedOrders", "closed", parameters):
            found[row["id"]] = _order_in(row["id"], row["said"], market)
        first = _milliseconds(str(since.timestamp()))
        orders = [order for order in found.values() if (order.placed_at or 0) >= first]
        yield from sorted(
            (order for order in orders if order.told.symbol == market.symbol), key=lambda order: order.placed_at or 0
        )

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        del now
        first = _milliseconds(str(since.timestamp()))
        for row in _pages(wire, "TradesHistory", "trades", {"start": _second_before(since)}):
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
            held, locked = read_figure(row.get("balance")), read_figure(row.get("hold_trade", "0"))
            free = None if held is None or locked is None else subtract(held, locked)
            yield Holding(asset=asset, free=free, total=row.get("balance"))

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read our taker rate, which Kraken says in percent."""
        result = _ask(wire, "TradeVolume", {"pair": market.market_id})
        fees = as_dict(result.get("fees") or {})
        said = next((as_dict(fee) for name, fee in fees.items() if name in market.names), {})
        percent = read_figure(said.get("fee"))
        return AccountTerms(taker_rate=None if percent is None else percent / 100)


def _call(path: str, parameters: dict[str, Any]) -> Call:
    return Call(method="POST", path=path, parameters=parameters, weight=0.3)


def _ask(wire: Wire, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Ask a question, and return the result of its answer. Raises VenueAway."""
    return _result_in(wire.ask(_call(path, parameters)))


def _result_in(body: object) -> dict[str, Any]:
    return as_dict(as_dict(body).get("result"))


def _ids_in(body: dict[str, Any]) -> list[str]:
    """Return the ids of new orders in an answer."""
    result = body.get("result")
    ids = result.get("txid") if isinstance(result, dict) else None
    return [each for each in ids if isinstance(each, str) and each] if isinstance(ids, list) else []


def _pages(wire: Wire, path: str, name: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read the rows of a list, 50 at a time, the newest first. Raises VenueAway."""

    def fetch(offset: int) -> tuple[list[dict[str, Any]], int]:
        result = _ask(wire, path, {**parameters, "ofs": offset})
        rows = [{"id": row_id, "said": as_dict(said)} for row_id, said in as_dict(result[name]).items()]
        return rows, int(result["count"])

    for page in pages_by_offset(fetch=fetch, row_id="id"):
        yield from page


def _order_in(order_id: str, said: dict[str, Any], market: Market) -> Heard:
    described = as_dict(said["descr"])
    told = OrderTold(
        client_order_id=said.get("cl_ord_id"),
        venue_order_id=order_id,
        symbol=market.symbol_in(described.get("pair")),
        status=known(_STATUSES, said.get("status")),
        side=described.get("type"),
        quantity=said.get("vol"),
        executed=said.get("vol_exec"),
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
    it for coins. Only a fee that is plausible as coins, and too small as an amount of the quote asset, is taken for
    coins; any other is in no asset that we know.
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


def _second_before(moment: datetime) -> int:
    """Return the whole second before a moment: Kraken's lists begin after their `start`."""
    return int(moment.timestamp()) - 1


KRAKEN: Final = _Kraken()
