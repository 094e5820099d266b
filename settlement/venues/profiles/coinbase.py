"""Coinbase (Advanced Trade).

Sources, all of the Advanced Trade REST API reference: "Create Order", "Preview Order", "Get Order", "List Orders",
"List Fills", "List Accounts", "Get Transactions Summary", "Get API Key Permissions". A refused order is a 200 with
`success` false. Filled values leave out the commission, which is taken on top, in the quote asset. There is no look-up
by our id: the list of orders names it. Requests have no deadline: a signature lasts two minutes, by our own clock.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from settlement.figures import read_figure
from settlement.told import OrderTold, TradeTold, printable
from settlement.venues.profiles.paging import Rows, pages_by_cursor
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.reading import as_dict, as_rows, is_short_of, known, lower, plain, sum_of
from settlement.venues.profiles.refusals import Meaning, Refusals
from settlement.venues.profiles.words import (
    AccountTerms,
    Call,
    Declined,
    Failure,
    Heard,
    Holding,
    Market,
    Reply,
    TradeHeard,
    Wire,
    milliseconds_in,
    milliseconds_of,
    written,
)
from settlement.venues.protocol import PurchaseRequest, VenueAway

_AT_ONCE: Final = 250
_ORDERS: Final = "orders/historical/batch"
_FILLS: Final = "orders/historical/fills"
_STATUSES: Final = {
    **dict.fromkeys(("PENDING", "OPEN", "QUEUED", "EDIT_QUEUED"), "open"),
    "CANCEL_QUEUED": "canceling",
    "FILLED": "closed",
    "CANCELLED": "canceled",
    "EXPIRED": "expired",
    "FAILED": "rejected",
}
_SPOT_PLATFORMS: Final = frozenset({None, "ACCOUNT_PLATFORM_UNSPECIFIED", "ACCOUNT_PLATFORM_CONSUMER"})
_NO_ORDER: Final = "order with this orderID was not found"
_SAYS_NOTHING: Final = frozenset({"", "UNKNOWN_FAILURE_REASON", "UNKNOWN_PREVIEW_FAILURE_REASON"})
# Not listed, for nobody says that the order is not there: COMMANDER_REJECTED_NEW_ORDER, RFQ_*, duplicates, failures.
_OF_COIN: Final = (
    "INSUFFICIENT_FUND INSUFFICIENT_FUNDS INVALID_LEDGER_BALANCE INSUFFICIENT_LEDGER_BALANCE INVALID_ORDER_CONFIG "
    "UNSUPPORTED_ORDER_CONFIGURATION INVALID_REQUEST INVALID_SIDE INELIGIBLE_PAIR UNTRADABLE_PRODUCT "
    "PRODUCT_TRADING_HALTED TRADING_DISABLED ORDER_ENTRY_DISABLED NOT_ALLOWED_BY_MARKET_STATE GEOFENCING_RESTRICTION "
    "INVALID_NO_LIQUIDITY MISSING_PRODUCT_PRICE_BOOK MISSING_MARKET_TRADE_DATA INVALID_UNSUPPORTED_INSTRUMENT "
    "FRACTIONAL_ORDERS_NOT_ALLOWED_FOR_PRODUCT CLOSE_ONLY_FAILURE POSITION_SIZE_INCREASE_REJECT BREACHED_RISK_LIMIT "
    "ASSET_BALANCE_INCREASE_REJECT BREACHED_ACCOUNT_POSITION_LIMIT BREACHED_COMPANY_POSITION_LIMIT "
    "MISSING_COMMISSION_RATE INVALID_COMMISSION_CONFIGURATION"
)
_OF_VENUE: Final = "COMPLIANCE_PURCHASE_LIMIT_EXCEEDED MAX_DAILY_VOLUME_NOTIONAL_BREACHED IN_LIQUIDATION"
_SIZES_AND_PRICES: Final = (
    "INVALID_SIZE_PRECISION INVALID_BASE_SIZE_TOO_SMALL INVALID_BASE_SIZE_TOO_LARGE INVALID_QUOTE_SIZE_TOO_SMALL "
    "INVALID_QUOTE_SIZE_TOO_LARGE INVALID_QUOTE_SIZE_PRECISION INVALID_PRICE_PRECISION INVALID_LIMIT_PRICE_PRECISION "
    "INVALID_LIMIT_PRICE INVALID_PRICE_TOO_LARGE BREACHED_PRICE_LIMIT LIMIT_PRICE_TOO_FAR_FROM_MARKET "
    "LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_BUY INVALID_RFQ_BASE_SIZE_TOO_SMALL INVALID_RFQ_BASE_SIZE_TOO_LARGE "
    "INVALID_RFQ_QUOTE_SIZE_TOO_SMALL INVALID_RFQ_QUOTE_SIZE_TOO_LARGE"
)
_OF_ORDERS: Final = {
    **dict.fromkeys(_OF_COIN.split(), Meaning.COIN),
    **dict.fromkeys(_OF_VENUE.split(), Meaning.VENUE),
    **dict.fromkeys(_SIZES_AND_PRICES.split(), Meaning.AGAIN),
    "INVALID_PRODUCT_ID": Meaning.REFUSED,
}
_KEYS: Final = (
    "401 UNAUTHENTICATED UNAUTHORIZED unauthorized authentication_error invalid_token revoked_token expired_token "
    "invalid_scope invalid_authentication_method identity_verification_required PERMISSION_DENIED"
)
_OF_REQUESTS: Final = {
    **dict.fromkeys(_KEYS.split(), Meaning.VENUE),
    **dict.fromkeys(("INVALID_ARGUMENT", "invalid_request", "validation_error", "param_required"), Meaning.COIN),
    **dict.fromkeys(("RESOURCE_EXHAUSTED", "resource_exhausted", "rate_limit_exceeded"), Meaning.CALL_LIMIT),
}
_REFUSALS: Final = Refusals(
    codes={**_OF_REQUESTS, **_OF_ORDERS, **{f"PREVIEW_{name}": meaning for name, meaning in _OF_ORDERS.items()}},
    messages={
        "request timestamp expired": Meaning.AGAIN,
        "Missing required scopes": Meaning.VENUE,
        "Insufficient balance in source account": Meaning.COIN,
    },
    stale_rules=frozenset(f"{kind}{name}" for name in _SIZES_AND_PRICES.split() for kind in ("", "PREVIEW_")),
)


class _Coinbase(VenueProfile):
    name = "coinbase"
    origin_of = "rest"
    has_rehearsals = True
    reads_time = True
    client_order_ids = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
    tickers_have_books = False
    refusals = _REFUSALS
    client_options: ClassVar[Mapping[str, Any]] = {"fetchTime": "v3PublicGetBrokerageTime"}

    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the error: of a refused order, of a preview, or of the request itself.

        Of several reasons the first is returned of which nothing is known. One beside an order is a contradiction.
        """
        body = reply.body if isinstance(reply.body, dict) else {}
        reasons, message = _reasons_in(body), _message_in(body)
        is_placed = body.get("success") is True or bool(_id_in(body) or body.get("order_id"))
        if (reasons or body.get("success") is False or reply.is_error) and is_placed:
            return Failure(code="", message="a refusal", names_order=True)
        unknown = [code for code in reasons if self.refusals.find_meaning(Failure(code=code)) is None]
        if reply.status == 401 and (unknown or not reasons):  # noqa: PLR2004  often the word "Unauthorized" alone
            return Failure(code="401", message=message)
        if reasons or body.get("success") is False or message:
            return Failure(code=[*unknown, *reasons, ""][0], message=message)
        return Failure(code="", message=f"status {reply.status}") if reply.is_error else None

    def tells_rehearsal(self, reply: Reply) -> bool:
        """Say whether a preview lists no failure, not even one without a reason."""
        return isinstance(reply.body, dict) and reply.body.get("errs") == []

    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        parameters = {"client_order_id": purchase.client_order_id, **_parameters_of(purchase, market)}
        return _call("brokerage/orders", parameters, method="POST")

    def rehearsal_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        return _call("brokerage/orders/preview", _parameters_of(purchase, market), method="POST")

    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> str | None:
        """Return the order's id, also if an order with our id was there before: that order is told then."""
        del market
        body = reply.body if isinstance(reply.body, dict) else {}
        is_ours = _dict_in(body, "success_response").get("client_order_id") == client_order_id
        return _id_in(body) if is_ours and body.get("success") is True else None

    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        """Read the list of purchases until one has our id: Coinbase lets an id be used once only."""
        parameters = {"product_ids": market.market_id, "order_side": "BUY"}
        pages = _pages(wire, _ORDERS, "orders", parameters, row_id="order_id")
        ours = (row for page in pages for row in page if row.get("client_order_id") == client_order_id)
        return next((_order_in(row, market) for row in ours), None)

    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        try:
            body = wire.ask(_call("brokerage/orders/historical/{order_id}", {"order_id": venue_order_id}))
        except Declined as error:
            if error.failure.message == _NO_ORDER:
                return None
            raise
        return _order_in(as_dict(as_dict(body).get("order")), market)

    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Read on until the fills add up to the order, or none are left."""
        rows: Rows = []
        for page in _pages(wire, _FILLS, "fills", {"order_ids": order.told.venue_order_id}, row_id="entry_id"):
            rows += [row for row in page if str(row.get("order_id")) == str(order.told.venue_order_id)]
            if not is_short_of(order.told.executed, [row.get("size") for row in rows]):
                break
        return [_trade_in(row, market) for row in rows]

    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        del now
        first = milliseconds_of(since)
        found: dict[str, Heard] = {}
        parameters = {"product_ids": market.market_id, "start_date": written(since)}
        for page in _pages(wire, _ORDERS, "orders", parameters, row_id="order_id"):
            found |= {str(row["order_id"]): _order_in(row, market) for row in page}
        orders = [order for order in found.values() if order.placed_at is not None and order.placed_at >= first]
        yield from sorted(orders, key=lambda order: order.placed_at or 0)

    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        del now
        first = milliseconds_of(since)
        heard: list[TradeHeard] = []
        parameters = {"product_ids": market.market_id, "start_sequence_timestamp": written(since)}
        for page in _pages(wire, _FILLS, "fills", parameters, row_id="entry_id"):
            heard += [TradeHeard(trade=_trade_in(row, market), at=milliseconds_in(row["trade_time"])) for row in page]
        yield from sorted((each for each in heard if each.at >= first), key=lambda each: each.at)

    def tells_whose(self, order: Heard) -> bool:
        """An order that was placed by hand may have an empty client order id."""
        return isinstance(order.told.client_order_id, str)

    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        """Return what the key's portfolio holds for spot trading: neither in a vault, nor with a derivatives venue."""
        for page in _pages(wire, "accounts", "accounts", {}, row_id="uuid"):
            for row in page:
                if row.get("type") != "ACCOUNT_TYPE_VAULT" and row.get("platform") in _SPOT_PLATFORMS:
                    free, held = as_dict(row.get("available_balance")), as_dict(row.get("hold"))
                    total = sum_of(free.get("value"), held.get("value"))
                    yield Holding(asset=str(row["currency"]), free=free.get("value"), total=total)

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read the key's permissions, and our taker rate."""
        del market
        key = as_dict(wire.ask(_call("brokerage/key_permissions", {})))
        summary = as_dict(wire.ask(_call("brokerage/transaction_summary", {"product_type": "SPOT"})))
        tier = as_dict(summary.get("fee_tier") or {})
        can_trade = key["can_trade"] if isinstance(key.get("can_trade"), bool) else None
        return AccountTerms(can_trade=can_trade, taker_rate=read_figure(tier.get("taker_fee_rate")))


def _parameters_of(purchase: PurchaseRequest, market: Market) -> dict[str, Any]:
    limit = {"base_size": plain(purchase.quantity), "limit_price": plain(purchase.limit_price)}
    return {"product_id": market.market_id, "side": "BUY", "order_configuration": {"sor_limit_ioc": limit}}


def _call(path: str, parameters: dict[str, Any], *, method: str = "GET") -> Call:
    return Call(method=method, section=("v3", "private"), path=path, parameters=parameters)


def _pages(wire: Wire, path: str, name: str, parameters: dict[str, Any], *, row_id: str) -> Iterator[Rows]:
    """Read a list from cursor to cursor, until there is none or the list says that it has ended. Raises VenueAway."""

    def fetch(cursor: str) -> tuple[Rows, str]:
        further = {"cursor": cursor} if cursor else {}
        said = as_dict(wire.ask(_call(f"brokerage/{path}", {**parameters, "limit": _AT_ONCE, **further})))
        rows, following, has_next = as_rows(said.get(name)), said.get("cursor"), said.get("has_next")
        is_cut = has_next is None and following is None and len(rows) >= _AT_ONCE
        if has_next not in (True, False, None) or (not following and (has_next or is_cut)):
            raise VenueAway("a list that may go on, and names no cursor")
        goes_on = bool(rows and following) if has_next is None else has_next
        return rows, str(following) if goes_on else ""

    return pages_by_cursor(fetch=fetch, row_id=row_id)


def _dict_in(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _reasons_in(body: dict[str, Any]) -> list[str]:
    """Return the codes of an error that say something."""
    refused = _dict_in(body, "error_response")
    said = [refused.get(name) for name in ("new_order_failure_reason", "error", "preview_failure_reason")]
    said += body["errs"] if isinstance(body.get("errs"), list) else []
    listed = body["errors"] if isinstance(body.get("errors"), list) else []
    said += [each.get("id") for each in listed if isinstance(each, dict)]
    said.append(body.get("error"))
    return [printable(each) for each in said if isinstance(each, str) and each not in _SAYS_NOTHING]


def _message_in(body: dict[str, Any]) -> str:
    """Return the sentences of an error."""
    parts = [body, body.get("error_response"), *(body["errors"] if isinstance(body.get("errors"), list) else [])]
    said = [part.get(name) for part in parts if isinstance(part, dict) for name in ("message", "error_details")]
    return printable("; ".join(dict.fromkeys(each for each in said if isinstance(each, str) and each)))


def _id_in(body: dict[str, Any]) -> str | None:
    order_id = _dict_in(body, "success_response").get("order_id")
    return order_id if isinstance(order_id, str) and order_id else None


def _order_in(said: dict[str, Any], market: Market) -> Heard:
    asked = _limit_in(said.get("order_configuration"))
    told = OrderTold(
        client_order_id=said.get("client_order_id"),
        venue_order_id=said.get("order_id"),
        symbol=market.symbol_in(said.get("product_id")),
        status=None if said.get("status") == "UNKNOWN_ORDER_STATUS" else known(_STATUSES, said.get("status")),
        side=lower(said.get("side")),
        quantity=asked.get("base_size"),
        executed=said.get("filled_size"),
        cost=said.get("filled_value"),
    )
    at = milliseconds_in(said["created_time"])
    return Heard(told=told, limit_price=asked.get("limit_price"), placed_at=at, said=said)


def _limit_in(configuration: object) -> dict[str, Any]:
    """Return what an order asks for, whose kind is the only key of its configuration."""
    kinds = list(configuration.values()) if isinstance(configuration, dict) else []
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], dict) else {}


def _trade_in(said: dict[str, Any], market: Market) -> TradeTold:
    """Return a fill. A correction of one, or one with further fees, has words for a size: its order cannot be true."""
    kind, taken = said.get("trade_type"), read_figure(said.get("commission"))
    total = read_figure(_dict_in(said, "commission_detail_total").get("total_commission"))
    has_more_fees = total is not None and taken is not None and total > taken
    is_plain = kind == "FILL" and said.get("size_in_quote") in (False, None) and not has_more_fees
    return TradeTold(
        trade_id=said.get("trade_id"),
        venue_order_id=said["order_id"],
        symbol=market.symbol_in(said.get("product_id")),
        side=lower(said.get("side")),
        quantity=said.get("size") if is_plain else f"{kind}, fees {total}, in quote {said.get('size_in_quote')}",
        price=said.get("price"),
        commission=said.get("commission"),
        commission_asset=market.quote_asset,
    )


COINBASE: Final = _Coinbase()
