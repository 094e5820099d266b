"""The part of the control API that sets the limits on calls and orders."""

from dataclasses import asdict, replace

from aiohttp import web

from exchange_site.simulator.inputs import read_object, read_whole
from exchange_site.simulator.limits import Limits, LimitSettings
from exchange_site.simulator.requests import read_body
from exchange_site.simulator.venue import VENUE


def routes() -> list[web.RouteDef]:
    return [
        web.get("/control/limits", _read_limits),
        web.put("/control/limits", _set_limits),
        web.delete("/control/limits", _forget_limits),
    ]


async def _read_limits(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[VENUE].limits.settings))


async def _set_limits(request: web.Request) -> web.Response:
    """Set limits, as in `{"weight_per_minute": 6000}`. Counting begins anew, and no ban is left."""
    given = read_object(await read_body(request), name="the limits", known=LimitSettings.__dataclass_fields__)
    numbers = {name: read_whole(value, name=name) for name, value in given.items()}
    venue = request.app[VENUE]
    venue.limits = Limits(settings=replace(venue.limits.settings, **numbers))
    return await _read_limits(request)


async def _forget_limits(request: web.Request) -> web.Response:
    """Set the limits of the start again."""
    request.app[VENUE].limits = Limits()
    return await _read_limits(request)
