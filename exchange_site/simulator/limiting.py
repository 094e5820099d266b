"""Count every call of the venue's API, and say in each answer what has been used ("IP Limits", Binance)."""

from aiohttp import web

from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.endpoints import BASE, find_endpoint
from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.venue import VENUE, Handler


@web.middleware
async def answer_within_limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count a call and answer it, or answer a VenueError in Binance's format."""
    try:
        _count(request)
        answer = await handler(request)
    except VenueError as error:
        answer = web.json_response(error.body(), status=error.status, headers=error.headers)
    if _is_of_venue(request) and not answer.prepared:
        limits = request.app[VENUE].limits
        answer.headers.update(limits.weight_headers(_address(request), now=now_milliseconds()))
    return answer


def _count(request: web.Request) -> None:
    if not _is_of_venue(request):
        return
    endpoint = find_endpoint(method=request.method, path=request.path)
    weight = endpoint.weight(request.query) if endpoint else 1
    request.app[VENUE].limits.count_call(_address(request), weight=weight, now=now_milliseconds())


def _is_of_venue(request: web.Request) -> bool:
    return request.path.startswith(BASE)


def _address(request: web.Request) -> str:
    return request.remote or ""
