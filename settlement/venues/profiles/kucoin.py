"""KuCoin (spot).

Sources, all of the REST documentation: "Add Order", "Add Order Test", "Get Order By OrderId", "Get Order By ClientOid",
"Get Open Orders", "Get Closed Orders", "Get Trade History", "Get Account List - Spot", "Get Apikey Info", "Get Actual
Fee - Spot", "Authentication", and "Error Code". Errors have a `code` other than 200000, in a 200 too. The answer to a
new order says its id and ours. Orders and trades of seven days are listed, and orders that were cancelled with nothing
executed of two.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from settlement.figures import read_figure
from settlement.told import OrderTold, TradeTold, printable
from settlement.venues.profiles.paging import Rows, pages_by_cursor
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, as_rows, is_short_of, plain, sum_of
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
_LISTED: Final = timedelta(days=7)
_SUCCESS: Final = "200000"
_NO_ORDER: Final = "no order"
"""Our code for a message that says that there is no such order: its code says no more than "parameter"."""
_NO_ORDER_MESSAGES: Final = frozenset(
    {"order not exist", "order_not_exist", "the order does not exist", "error.getorder.ordernotexist"}
)
"""In lower case, and without a full stop."""
_OF_OUR_ID: Final = ("clientoid", "duplicat", "repeat", "already exist")
"""Parts of messages that say that our id was seen before: they prove nothing about the order that has it."""
_RULES: Final = {
    "Order size below the minimum": Meaning.AGAIN,
    "quantity is below the minimum": Meaning.AGAIN,
    "Order size increment invalid": Meaning.AGAIN,
    "Price increment invalid": Meaning.AGAIN,
    "Order size invalid": Meaning.AGAIN,
    "Order funds invalid": Meaning.AGAIN,
}
"""Messages about sizes and prices, with the code of any wrong parameter."""
_REFUSALS: Final = Refusals(
    codes={
        # funds, too many orders, and the state of a market
        **dict.fromkeys(("200004", "230003", "102421"), Meaning.COIN),
        **dict.fromkeys(("200003", "102427"), Meaning.ORDER_LIMIT),
        **dict.fromkeys(("200001", "400200", "400600", "600203"), Meaning.COIN),
        "900001": Meaning.REFUSED,  # no such market
        # parameters; the largest holding; a coin that this person, or this country, may not buy
        **dict.fromkeys(("400100", "400400", "102411"), Meaning.COIN),
        **dict.fromkeys(("200009", "400350", "400500"), Meaning.COIN),
        # header, key, passphrase, signature, address, permission, version of the key, ccxt's mark of a partner
        **dict.fromkeys(("400001", "400003", "400004", "400005", "400006", "400007"), Meaning.VENUE),
        **dict.fromkeys(("400008", "400009", "400010", "400201", "400202"), Meaning.VENUE),
        # law, identity, an account at risk or frozen, path, content type
        **dict.fromkeys(("400301", "400303", "400700", "411100", "404000", "415000"), Meaning.VENUE),
        "400002": Meaning.AGAIN,  # the request's time is off by more than five seconds
        # prices and sizes
        **dict.fromkeys(
            ("400330", "400370", "400760", "102429", "102434", "102435", "600100", "600101"), Meaning.AGAIN
        ),
        "429000": Meaning.CALL_LIMIT,
    },
    messages={
        "Balance insufficient": Meaning.COIN,
        "account.available.amount": Meaning.COIN,
        "Unsupported trading pair": Meaning.REFUSED,
        **_RULES,
    },
    stale_rules=frozenset({"400330", "400370", "400760", "102429", "102434", "102435", "600100", "600101"}),
)


class _KuCoin(VenueProfile):
    name = "kucoin"
    origin_of = "private"
    has_rehearsals = True
    requests_expire = True  # `clientTimestamp` and `allowMaxTimeWindow`
    reads_time = True
    dates_questions = True
    client_order_ids = re.compile(r"[a-zA-Z0-9_-]{1,40}", re.ASCII)
    refusals = _REFUSALS
    not_found = frozenset({_NO_ORDER, "102436"})
    stale_clock = frozenset({"400002"})
    client_options: ClassVar[Mapping[str, Any]] = {"fetchMarkets": {"types": ["spot"], "fetchTickersFees": False}}

    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the error. A duplicate id proves nothing, and an error beside an order's id is a contradiction."""
        body = reply.body if isinstance(reply.body, dict) else {}
        code, message = printable(str(body.get("code") or "")), printable(str(body.get("msg") or ""))
        names_order, text = bool(_id_in(body)), message.casefold()
        if code in {"", _SUCCESS}:
            failure = Failure(code="", message=f"status {reply.status}", names_order=names_order)
            return failure if reply.is_error else None
        if any(part in text for part in _OF_OUR_ID):
            return Failure(code="", message=f"{code} and our id", names_order=names_order)
        is_absent = text.rstrip(".") in _NO_ORDER_MESSAGES
        return Failure(code=_NO_ORDER if is_absent else code, message=message, names_order=names_order)

    def tells_new_rules(self, failure: Failure) -> bool:
        return super().tells_new_rules(failure) or any(part in failure.message for part in _RULES)

    def find_wait(self, reply: Reply) -> float | None:
        """Return the seconds until the limit of calls is set back: the header says milliseconds."""
        headers = {name.lower(): value for name, value in reply.headers.items()}
        reset = read_figure(headers.get("gw-ratelimit-reset"))
        return float(reset / 1000) if reset is not None and 0 < reset <= 60_000 else None  # noqa: PLR2004  a minute

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return Call(method="POST", path="hf/orders", parameters=_parameters_of(purchase, market))

    def rehearsal_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return Call(method="POST", path="hf/orders/test", parameters=_parameters_of(purchase, market))

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> str | None:
        del market
        body = reply.body if isinstance(reply.body, dict) else {}
        data = body.get("data")
        is_ours = isinstance(data, dict) and data.get("clientOid", client_order_id) == client_order_id
        order_id = _id_in(body) if is_ours and str(body.get("code")) == _SUCCESS else None
        return order_id if isinstance(order_id, str) else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        return self._query(wire, market, "hf/orders/client-order/{clientOid}", {"clientOid": client_order_id})

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        return self._query(wire, market, "hf/orders/{orderId}", {"orderId": venue_order_id})

    def _query(self, wire: Wire, market: Market, path: str, names: dict[str, str]) -> Heard | None:
        body = self.ask_for(wire, _call(path, {**names, "symbol": market.market_id}))
        return None if body is None else _order_in(as_dict(_data_in(body)), market)

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Read on until the trades add up to the order, or none are left."""
        rows: Rows = []
        for page in _pages(wire, "hf/fills", {"symbol": market.market_id, "orderId": order.told.venue_order_id}):
            rows += [row for row in page if str(row.get("orderId")) == str(order.told.venue_order_id)]
            if not is_short_of(order.told.executed, [row.get("size") for row in rows]):
                break
        return [_trade_in(row, market) for row in rows]

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        """Merge the open orders and the done ones, which are listed by their last change."""
        first, last = milliseconds_of(since), milliseconds_of(now)
        _ensure_listed(since, now)
        opened = _data_in(wire.ask(_call("hf/orders/active", {"symbol": market.market_id})))
        found = {str(row["id"]): _order_in(row, market) for row in ([] if opened is None else as_rows(opened))}
        for page in _pages(wire, "hf/orders/done", {"symbol": market.market_id, "startAt": first, "endAt": last}):
            found |= {str(row["id"]): _order_in(row, market) for row in page}
        orders = [order for order in found.values() if order.placed_at is not None and order.placed_at >= first]
        yield from sorted(orders, key=lambda order: order.placed_at or 0)

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        first, last = milliseconds_of(since), milliseconds_of(now)
        _ensure_listed(since, now)
        heard: list[TradeHeard] = []
        for page in _pages(wire, "hf/fills", {"symbol": market.market_id, "startAt": first, "endAt": last}):
            heard += [TradeHeard(trade=_trade_in(row, market), at=int(row["createdAt"])) for row in page]
        yield from sorted(heard, key=lambda each: each.at)

    def tells_whose(self, order: Heard) -> bool:
        """An order that was placed without a client order id has an empty one."""
        return isinstance(order.told.client_order_id, str)

    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        """Return what can be traded: of the high-frequency account if there is one, else of the trading account."""
        rows = as_rows(_data_in(wire.ask(_call("accounts", {}, weight=5))))
        fast = [row for row in rows if row.get("type") == "trade_hf"]
        for row in fast or [row for row in rows if row.get("type") == "trade"]:
            yield Holding(asset=str(row["currency"]), free=row.get("available"), total=row.get("balance"))

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read the key's permissions, and our taker rate. KuCoin does not say whether fees are taken in KCS."""
        key = as_dict(_data_in(wire.ask(_call("user/api-key", {}, weight=20))))
        fees = as_rows(_data_in(wire.ask(_call("trade-fees", {"symbols": market.market_id}, weight=3))))
        said = next((row for row in fees if row.get("symbol") == market.market_id), {})
        permissions = key.get("permission")
        names = {name.strip() for name in permissions.split(",")} if isinstance(permissions, str) else None
        return AccountTerms(
            can_trade=None if names is None else bool(names & {"Spot", "Trade"}),
            taker_rate=read_figure(said.get("takerFeeRate")),
        )


def _parameters_of(purchase: PurchaseRequest, market: Market) -> dict[str, Any]:
    return {
        "clientOid": purchase.client_order_id,
        "side": "buy",
        "symbol": market.market_id,
        "type": "limit",
        "price": plain(purchase.limit_price),
        "size": plain(purchase.quantity),
        "timeInForce": "IOC",
        "clientTimestamp": milliseconds_of(purchase.signed_at),
        "allowMaxTimeWindow": int(purchase.window.total_seconds() * 1000),
    }


def _call(path: str, parameters: dict[str, Any], *, weight: float = 2) -> Call:
    return Call(method="GET", path=path, parameters={**parameters, "version": "v1"}, weight=weight)


def _pages(wire: Wire, path: str, parameters: dict[str, Any]) -> Iterator[Rows]:
    """Read a list from the newest row back, by the last id of each page, until one is empty. Raises VenueAway."""

    def fetch(last_id: str) -> tuple[Rows, str]:
        further = {"lastId": last_id} if last_id else {}
        data = as_dict(_data_in(wire.ask(_call(path, {**parameters, "limit": _AT_ONCE, **further}))))
        rows = as_rows(data.get("items"))
        return rows, str(data["lastId"]) if rows else ""

    return pages_by_cursor(fetch=fetch, row_id="id")


def _ensure_listed(since: datetime, now: datetime) -> None:
    """Raise VenueAway if a list would begin later than asked for: KuCoin leaves out what is older, without a word."""
    if since < now - _LISTED:
        raise VenueAway("KuCoin lists seven days only")


def _data_in(body: object) -> Any:
    """Return what a success says. Raises VenueAway for an answer that does not say that it is one."""
    said = as_dict(body)
    if str(said.get("code")) != _SUCCESS or "data" not in said:
        raise VenueAway("an answer without a code")
    return said["data"]


def _id_in(body: dict[str, Any]) -> object:
    """Return what an answer says of the id of a new order."""
    data = body.get("data")
    return (data.get("orderId") or None) if isinstance(data, dict) else None


def _order_in(said: dict[str, Any], market: Market) -> Heard:
    told = OrderTold(
        client_order_id=said.get("clientOid"),
        venue_order_id=said.get("id"),
        symbol=market.symbol_in(said.get("symbol")),
        status=_status_in(said),
        side=said.get("side"),
        quantity=said.get("size"),
        executed=said.get("dealSize"),
        cost=said.get("dealFunds"),
    )
    return Heard(told=told, limit_price=said.get("price"), placed_at=int(said["createdAt"]), said=said)


def _status_in(said: dict[str, Any]) -> str | None:
    """Return our word for whether an order is done; None if it does not say. A done order is filled or cancelled.

    One that is neither active nor filled, and does not say that its rest was cancelled, may be on its way.
    """
    active = said.get("active")
    if not isinstance(active, bool):
        return None
    if active:
        return "open"
    asked, executed = read_figure(said.get("size")), read_figure(said.get("dealSize"))
    if asked and asked == executed:
        return "closed"
    is_whole = bool(asked) and sum_of(said.get("dealSize"), said.get("cancelledSize")) == asked
    return "canceled" if said.get("cancelExist") is True or is_whole else "open"


def _trade_in(said: dict[str, Any], market: Market) -> TradeTold:
    """Return a trade. One with a tax, in an unproven asset, has words for a size: its order cannot be true."""
    is_plain = read_figure(said.get("tax") or "0") == 0
    return TradeTold(
        trade_id=said.get("id"),
        venue_order_id=said["orderId"],
        symbol=market.symbol_in(said.get("symbol")),
        side=said.get("side"),
        quantity=said.get("size") if is_plain else f"with a tax of {said.get('tax')}",
        price=said.get("price"),
        cost=said.get("funds"),
        commission=said.get("fee"),
        commission_asset=market.asset_in(said.get("feeCurrency")),
    )


KUCOIN: Final = _KuCoin()
