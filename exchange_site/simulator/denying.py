"""Leave orders or trades out of a list, as a venue does whose reads lag or lie, or refuse the list."""

from typing import TypeVar

from aiohttp import web

from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.venue import VENUE

T = TypeVar("T")


def listed(request: web.Request, rows: list[T], *, occasion: str, symbol: str) -> list[T]:
    """Return the rows of a list, or none if a `not_found` rule is in force for `occasion` (list, trades).

    Raises VenueError if a `reject` rule is in force.
    """
    faults = request.app[VENUE].faults
    if not any(rule.on == occasion for rule in faults.rules):
        return rows  # a rule without an occasion has been applied already
    fault = faults.take(occasion=occasion, symbol=symbol)
    if fault and fault.action == "reject":
        raise VenueError(fault.code, fault.msg)
    return [] if fault and fault.action == "not_found" else rows
