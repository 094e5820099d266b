"""Apply faults: either before a request takes effect, or to its answer after it has taken effect."""

import asyncio
from typing import Any, Final

from aiohttp import web

from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.faults import Fault
from exchange_site.simulator.lying import LIE, lie
from exchange_site.simulator.venue import VENUE

_HANG_SECONDS: Final = 60.0
_DELAY_SECONDS: Final = 15.0
_UNSET_CODE: Final = -1121


async def suffer(request: web.Request, occasion: str | None, symbol: str | None) -> Fault | None:
    """Apply a fault to a read-only request, and return it: it may be a lie about the answer.

    If `occasion` is None, only rules that name no occasion apply.
    """
    fault = request.app[VENUE].faults.take(occasion=occasion, symbol=symbol)
    await suffer_before(request, fault)
    if fault and fault.action not in {"delay", "not_found", "partial", LIE}:
        await cut(request)
    return fault


async def suffer_named(request: web.Request, occasion: str, symbol: str | None) -> Fault | None:
    """Apply a fault that acts before the answer, of a rule that names this occasion, and return the fault."""
    fault = request.app[VENUE].faults.take_named(occasion=occasion, symbol=symbol)
    await suffer_before(request, fault)
    return fault


async def suffer_before(request: web.Request, fault: Fault | None) -> None:
    """Apply a fault that acts before the request has any effect."""
    if fault is None:
        return
    if fault.action in {"drop", "down"}:
        await cut(request)
    if fault.action == "reject":
        raise VenueError(fault.code, fault.msg)
    if fault.action == "rate_limit":
        raise _TooManyRequests(fault)
    if fault.action == "delay":
        await asyncio.sleep(fault.wait or _DELAY_SECONDS)


async def suffer_after(request: web.Request, fault: Fault | None) -> web.StreamResponse | None:
    """Drop, delay or replace the answer after the request had its effect. Return None if the answer stays."""
    match fault.action if fault else None:
        case "accept_then_drop":
            await cut(request)
        case "accept_then_hang":
            await asyncio.sleep((fault and fault.wait) or _HANG_SECONDS)
            await cut(request)
        case "accept_then_500":
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        case "garbage":
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
    return None


def said(answer: Any, fault: Fault | None) -> web.Response:
    """Answer with the truth, or with the fault's lie."""
    return web.json_response(lie(answer, fault.changes) if fault and fault.action == LIE else answer)


async def answered(request: web.Request, answer: Any, fault: Fault | None) -> web.StreamResponse:
    """Answer with the truth, or in the way of a fault that acts on the answer."""
    return await suffer_after(request, fault) or said(answer, fault)


async def cut(request: web.Request) -> None:
    """Close the connection without an answer."""
    if request.transport:
        request.transport.abort()
    raise asyncio.CancelledError


class _TooManyRequests(VenueError):
    def __init__(self, fault: Fault) -> None:
        code = -1003 if fault.code == _UNSET_CODE else fault.code
        text = "Too many requests; current limit is 6000 request weight per 1 MINUTE."
        super().__init__(code, text, status=fault.status, headers={"Retry-After": fault.retry_after})
