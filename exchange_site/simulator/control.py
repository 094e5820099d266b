"""The control API: read the book; set prices, the account, filters and faults."""

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.markets import STATUSES, Filters
from exchange_site.simulator.venue import VENUE, Handler

_ACCOUNT_KEYS: Final = frozenset({"balances", "commission_rate", "commission_asset"})


@web.middleware
async def answer_bad_input(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 400 with the reason when the control API does not understand a request."""
    try:
        return await handler(request)
    except (ValueError, InvalidOperation) as error:
        return web.json_response({"error": str(error) or "not understood"}, status=400)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/control/book", _book),
        web.put("/control/prices", _prices),
        web.get("/control/account", _read_account),
        web.put("/control/account", _account),
        web.put("/control/filters", _filters),
        web.put("/control/market", _market),
        web.get("/control/faults", _read_faults),
        web.put("/control/faults", _faults),
        web.delete("/control/faults", _no_faults),
    ]


async def _book(request: web.Request) -> web.Response:
    orders = request.app[VENUE].book.orders.list_all()
    return web.json_response(
        [
            {
                "clientOrderId": order["client_id"],
                "symbol": order["symbol"],
                "side": order["side"],
                "origQty": order["quantity"],
                "executedQty": order["executed"],
                "cummulativeQuoteQty": order["quote"],
                "status": order["status"],
                "time": order["time"],
            }
            for order in orders
        ]
    )


async def _prices(request: web.Request) -> web.Response:
    book = request.app[VENUE].book
    book.set_prices({symbol: _positive(value) for symbol, value in (await _object(request)).items()})
    return web.json_response({symbol: f"{price:f}" for symbol, price in book.listings.prices().items()})


async def _read_account(request: web.Request) -> web.Response:
    book = request.app[VENUE].book
    rate, asset = book.account.commission()
    return web.json_response(
        {
            "balances": {name: f"{free:f}" for name, free in book.account.balances().items()},
            "commission_rate": str(rate),
            "commission_asset": asset,
        }
    )


async def _account(request: web.Request) -> web.Response:
    data, book = await _object(request), request.app[VENUE].book
    if data.keys() - _ACCOUNT_KEYS:
        raise ValueError(f"known names are {', '.join(sorted(_ACCOUNT_KEYS))}")
    book.account.set_balances({asset: _number(free) for asset, free in data.get("balances", {}).items()})
    rate = _number(data["commission_rate"]) if "commission_rate" in data else None
    asset = (data["commission_asset"] or "") if "commission_asset" in data else None
    book.account.set_commission(rate=rate, asset=asset)
    return await _read_account(request)


async def _filters(request: web.Request) -> web.Response:
    book = request.app[VENUE].book
    for symbol, changes in (await _object(request)).items():
        if not isinstance(changes, dict) or changes.keys() - Filters.__dataclass_fields__.keys():
            raise ValueError(f"known filters are {', '.join(Filters.__dataclass_fields__)}")
        book.listings.set_filters(symbol, {name: _number(value) for name, value in changes.items()})
    return web.json_response({})


async def _market(request: web.Request) -> web.Response:
    """Set the state of markets, as in `{"ABANUSDT": {"status": "BREAK"}}`. Null takes a symbol off the venue."""
    listings = request.app[VENUE].book.listings
    for symbol, changes in (await _object(request)).items():
        if changes is None:
            listings.delist(symbol)
        elif not isinstance(changes, dict) or changes.keys() != {"status"} or str(changes["status"]) not in STATUSES:
            raise ValueError(f"status is one of {', '.join(sorted(STATUSES))}")
        else:
            listings.set_status(symbol, changes["status"])
    return web.json_response({})


async def _read_faults(request: web.Request) -> web.Response:
    rules = request.app[VENUE].faults.rules
    return web.json_response(
        [{**asdict(rule), "fraction": str(rule.fraction), "depth": rule.depth and str(rule.depth)} for rule in rules]
    )


async def _faults(request: web.Request) -> web.Response:
    request.app[VENUE].faults.replace(await request.json())
    return await _read_faults(request)


async def _no_faults(request: web.Request) -> web.Response:
    request.app[VENUE].faults.replace([])
    return web.json_response([])


async def _object(request: web.Request) -> dict[str, Any]:
    data = await request.json(loads=_loads)
    if not isinstance(data, dict):
        raise ValueError("an object is needed")
    return data


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _number(value: object) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite() or number < 0:
        raise ValueError(f"{value!r} is not a number of zero or more")
    return number


def _positive(value: object) -> Decimal:
    number = _number(value)
    if not number:
        raise ValueError("zero is not allowed here")
    return number
