"""The control API: read the book; set the account, filters and faults. `control_markets` sets prices."""

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.inputs import ensure_listed, read_number, read_object, read_text
from exchange_site.simulator.markets import Filters
from exchange_site.simulator.requests import read_body, read_plain_body
from exchange_site.simulator.venue import VENUE, Handler

_ACCOUNT_KEYS: Final = frozenset({"balances", "commission_rate", "commission_asset", "commission_discount"})


@web.middleware
async def answer_bad_input(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 400 with the reason when the control API does not understand a request."""
    try:
        return await handler(request)
    except InvalidOperation:
        return web.json_response({"error": "a number of the request is malformed or too large"}, status=400)
    except ValueError as error:
        return web.json_response({"error": str(error) or "not understood"}, status=400)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/control/book", _book),
        web.get("/control/account", _read_account),
        web.put("/control/account", _account),
        web.put("/control/filters", _filters),
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


async def _read_account(request: web.Request) -> web.Response:
    account = request.app[VENUE].book.account
    terms = account.terms()
    return web.json_response(
        {
            "balances": {name: f"{free:f}" for name, free in account.balances().items()},
            "locked": {name: f"{locked:f}" for name, locked in account.locked().items()},
            "commission_rate": str(terms.rate),
            "commission_asset": terms.asset,
            "commission_discount": str(terms.discount),
        }
    )


async def _account(request: web.Request) -> web.Response:
    account = request.app[VENUE].book.account
    data = read_object(await read_body(request), name="the account", known=_ACCOUNT_KEYS)
    balances = read_object(data.get("balances", {}), name="balances")
    free = {read_text(asset, name="an asset"): read_number(value, name=asset) for asset, value in balances.items()}
    rate, discount = (_read_rate(data, name) for name in ("commission_rate", "commission_discount"))
    asset = data.get("commission_asset") or ("" if "commission_asset" in data else None)
    account.set_balances(free)
    asset = read_text(asset, name="commission_asset") if asset else asset
    account.set_commission(rate=rate, asset=asset, discount=discount)
    return await _read_account(request)


def _read_rate(data: Mapping[str, Any], name: str) -> Decimal | None:
    return read_number(data[name], name=name, at_most=1) if name in data else None


async def _filters(request: web.Request) -> web.Response:
    listings, known = request.app[VENUE].book.listings, Filters.__dataclass_fields__
    given = read_object(await read_body(request), name="the body")
    changes = {
        symbol: {
            name: read_number(value, name=name) for name, value in read_object(wanted, name=symbol, known=known).items()
        }
        for symbol, wanted in given.items()
    }
    ensure_listed(changes, listed=listings.symbols())
    for symbol, filters in changes.items():
        listings.set_filters(symbol, filters)
    return web.json_response({})


async def _read_faults(request: web.Request) -> web.Response:
    rules = request.app[VENUE].faults.rules
    return web.json_response(
        [{**asdict(rule), "fraction": str(rule.fraction), "depth": rule.depth and str(rule.depth)} for rule in rules]
    )


async def _faults(request: web.Request) -> web.Response:
    request.app[VENUE].faults.replace(await read_plain_body(request))
    return await _read_faults(request)


async def _no_faults(request: web.Request) -> web.Response:
    request.app[VENUE].faults.replace([])
    return web.json_response([])
