"""Read a request's parameters, and check signed requests ("Signed endpoint security", Binance)."""

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.errors import VenueError, missing
from exchange_site.simulator.venue import VENUE

_LONGEST_WINDOW: Final = 60_000


async def read_signed(request: web.Request) -> dict[str, str]:
    """Return the parameters of a signed request. Raises VenueError for a wrong key, signature or time."""
    venue = request.app[VENUE]
    if request.headers.get("X-MBX-APIKEY") != venue.api_key:
        raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    payload = request.query_string + (await request.text())
    unsigned, _, signature = payload.rpartition("signature=")
    expected = hmac.new(venue.api_secret.encode(), unsigned.rstrip("&").encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise VenueError(-1022, "Signature for this request is not valid.")
    parameters = dict(parse_qsl(unsigned))
    check_deadline(parameters)
    return parameters


def check_deadline(parameters: Mapping[str, str]) -> None:
    """Refuse a request that arrives after timestamp + recvWindow ("Timing security", Binance). Raises VenueError."""
    try:
        timestamp, window = int(needed(parameters, "timestamp")), int(parameters.get("recvWindow", "5000"))
    except ValueError as error:
        raise missing("timestamp") from error
    if window > _LONGEST_WINDOW:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    now = now_milliseconds()
    if timestamp > now + 1000:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - timestamp > window:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def needed(parameters: Mapping[str, str], name: str) -> str:
    """Return a parameter. Raises VenueError if it is missing or empty."""
    if not parameters.get(name):
        raise missing(name)
    return parameters[name]


def needed_number(parameters: Mapping[str, str], name: str) -> Decimal:
    """Return a parameter that is a positive number. Raises VenueError for anything else."""
    try:
        number = Decimal(needed(parameters, name))
    except InvalidOperation as error:
        raise missing(name) from error
    if not number.is_finite() or number <= 0:
        raise missing(name)
    return number
