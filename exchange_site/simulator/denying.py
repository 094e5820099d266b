"""Leave orders or trades out of a list, as a venue does whose reads lag or lie, or refuse the list."""

from typing import Any

from aiohttp import web

from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.lying import LIE, lie
from exchange_site.simulator.venue import VENUE


def listed(request: web.Request, answers: list[Any], *, occasion: str, symbol: str) -> web.Response:
    """Answer with a list, with none of it (`not_found`) or with a lie, if a rule for `occasion` (list, trades) says so.

    Raises VenueError if a `reject` rule is in force.
    """
    faults, listing = request.app[VENUE].faults, answers
    if any(rule.on == occasion for rule in faults.rules):  # a rule without an occasion has been applied already
        fault = faults.take(occasion=occasion, symbol=symbol)
        if fault and fault.action == "reject":
            raise VenueError(fault.code, fault.msg)
        if fault and fault.action == "not_found":
            listing = []
        elif fault and fault.action == LIE:
            listing = lie(answers, fault.changes)
    return web.json_response(listing)
