"""Apply the rules of the control API to requests in this dialect, and answer in its form.

`query` is any question about orders or trades, `list` one about orders that names none, `trades` one about trades.
`not_found` leaves out what a question would have shown; a question that would show nothing does not use it up.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.faults import Fault
from exchange_site.simulator.kraken.errors import (
    LOCKOUT,
    TOO_MANY_CALLS,
    TOO_MANY_ORDERS,
    KrakenError,
    is_krakens,
    translate,
)
from exchange_site.simulator.suffering import answered, suffer_before
from exchange_site.simulator.venue import VENUE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_DENIAL: Final = "not_found"
_BANNED: Final = 418


def in_krakens_words(handler: Handler) -> Handler:
    """Answer errors as Kraken does: with status 200, and a list of words."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except KrakenError as error:
            word = str(error)
        except VenueError as error:
            word = translate(error)
        return web.json_response({"error": [word]})

    return handle


async def suffer(request: web.Request, *occasions: str, symbol: str | None = None) -> Fault | None:
    """Apply the first rule for one of the occasions before the request has any effect, and return the rule.

    Without an occasion, only rules that name none apply. Raises KrakenError, VenueError.
    """
    fault = _take(request, occasions or (None,), symbol)
    await _suffer_before(request, fault, is_order="place" in occasions)
    return fault


async def suffer_named(request: web.Request, occasion: str) -> Fault | None:
    """Apply a rule that names this occasion, and return it. Raises KrakenError, VenueError."""
    fault = request.app[VENUE].faults.take_named(occasion=occasion, symbol=None)
    await _suffer_before(request, fault, is_order=False)
    return fault


async def answer(request: web.Request, result: Any, fault: Fault | None = None) -> web.StreamResponse:
    """Answer with a result, or in the way of a fault that acts on the answer."""
    return await answered(request, {"error": [], "result": result}, fault)


def without_denied(request: web.Request, rows: Sequence[dict[str, Any]], *occasions: str) -> list[dict[str, Any]]:
    """Return the orders or trades that no rule denies. Each rule that denies some is counted once."""
    rules = [rule for rule in request.app[VENUE].faults.rules if rule.action == _DENIAL]
    denying = {row["id"]: _find_denial(rules, occasions, row["symbol"]) for row in rows}
    for rule in rules:
        rule.applied += any(found is rule for found in denying.values())
    return [row for row in rows if denying[row["id"]] is None]


def _find_denial(rules: Sequence[Fault], occasions: Sequence[str], symbol: str) -> Fault | None:
    for rule in rules:
        if any(rule.applies(occasion=occasion, symbol=symbol) for occasion in occasions):
            return rule
    return None


def _take(request: web.Request, occasions: Sequence[str | None], symbol: str | None) -> Fault | None:
    for rule in request.app[VENUE].faults.in_force:
        if rule.action != _DENIAL and any(rule.applies(occasion=name, symbol=symbol) for name in occasions):
            rule.applied += 1
            return rule
    return None


async def _suffer_before(request: web.Request, fault: Fault | None, *, is_order: bool) -> None:
    if fault and fault.action == "rate_limit":
        limit = LOCKOUT if fault.status == _BANNED else TOO_MANY_ORDERS if is_order else TOO_MANY_CALLS
        raise KrakenError(fault.msg if is_krakens(fault.msg) else limit)
    await suffer_before(request, fault)
