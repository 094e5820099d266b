"""Read an order from its parameters ("New order" and its table of parameters by type, Binance)."""

import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from exchange_site.simulator.book.orders import NewOrder
from exchange_site.simulator.errors import (
    BAD_COMBINATION,
    NO_QUOTE_QUANTITY,
    VenueError,
    both_missing,
    missing,
    not_required,
    not_supported,
)
from exchange_site.simulator.markets import Filters
from exchange_site.simulator.parameters import check_order_type, check_precision

_NEEDED: Final = {
    "LIMIT": ("timeInForce", "quantity", "price"),
    "LIMIT_MAKER": ("quantity", "price"),
}
_NOT_REQUIRED: Final = {
    "LIMIT": ("quoteOrderQty", "stopPrice", "trailingDelta"),
    "LIMIT_MAKER": ("timeInForce", "quoteOrderQty", "stopPrice", "trailingDelta"),
    "MARKET": ("timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"),
}
_PEGS: Final = ("pegPriceType", "pegOffsetType", "pegOffsetValue")
_UNSUPPORTED: Final = {
    "STOP_LOSS": "Stop loss",
    "STOP_LOSS_LIMIT": "Stop loss limit",
    "TAKE_PROFIT": "Take profit",
    "TAKE_PROFIT_LIMIT": "Take profit limit",
}


def read_order(given: Mapping[str, str], *, filters: Filters) -> NewOrder:
    """Return the order that a request is for. Raises VenueError for one that this market does not take."""
    kind = given["type"]
    check_order_type("type", kind)
    if kind in _UNSUPPORTED:
        raise not_supported(_UNSUPPORTED[kind])
    _check_parameters(given, kind=kind)
    check_precision("quantity", given["quantity"], places=filters.quantity_places)
    check_precision("price", given.get("price", ""), places=filters.price_places)
    return NewOrder(
        client_id=given.get("newClientOrderId") or secrets.token_hex(11),
        symbol=given["symbol"],
        side=given["side"],
        type=kind,
        time_in_force=given.get("timeInForce", "GTC"),
        price=Decimal(given["price"]) if "price" in given else None,
        quantity=Decimal(given["quantity"]),
    )


def _check_parameters(given: Mapping[str, str], *, kind: str) -> None:
    for name in (*_NOT_REQUIRED[kind], *_PEGS):  # the market takes no pegged orders
        if name in given:
            raise not_required(name)
    for name in _NEEDED.get(kind, ()):
        if name not in given:
            raise missing(name)
    if kind == "MARKET":
        _check_market_quantity(given)
    if "icebergQty" in given:
        raise not_supported("Iceberg")


def _check_market_quantity(given: Mapping[str, str]) -> None:
    if "quantity" in given and "quoteOrderQty" in given:
        raise VenueError(*BAD_COMBINATION)
    if "quoteOrderQty" in given:
        raise VenueError(*NO_QUOTE_QUANTITY)
    if "quantity" not in given:
        raise both_missing("quantity", "quoteOrderQty")
