"""Read a request's parameters, and check who signed it and when.

Sources: "General Information on Endpoints", "Request Security", "SIGNED Endpoint security" and "Timing security" of
Binance's spot REST API documentation.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from exchange_site.simulator.book.orders import now_milliseconds
from exchange_site.simulator.endpoints import Endpoint, find_endpoint
from exchange_site.simulator.errors import UNKNOWN_SYMBOL, VenueError, empty, missing
from exchange_site.simulator.parameters import check_formats, read_pairs
from exchange_site.simulator.venue import VENUE, Venue

_FORM: Final = "application/x-www-form-urlencoded"
_KEY: Final = re.compile("[a-zA-Z0-9_-]+")
_DEFAULT_WINDOW: Final = "5000"
_MICROSECONDS_FROM: Final = 10**15
_SIGNATURE: Final = b"signature="


async def read_request(request: web.Request) -> dict[str, str]:
    """Return the parameters of a request. Raises VenueError for those that its endpoint refuses.

    A signed request is refused for its key, then its signature, its time, its parameters, and an unknown symbol.
    """
    endpoint = find_endpoint(method=request.method, path=request.path)
    assert endpoint is not None, "every route of the venue is in the table of endpoints"
    query, body = _raw_query(request), await request.read() if request.can_read_body else b""
    if endpoint.is_signed:
        _check_key(request)
    given = read_pairs(query.decode("ascii", "replace"), body.decode(errors="replace") if _has_form(request) else "")
    if endpoint.is_signed:
        _check_signature(request.app[VENUE], given, query=query, body=body)
    return _checked(endpoint, given, request.app[VENUE])


def check_deadline(parameters: Mapping[str, str]) -> None:
    """Refuse a request that arrives after timestamp + recvWindow ("Timing security", Binance). Raises VenueError."""
    timestamp, window = int(parameters["timestamp"]), float(parameters.get("recvWindow", _DEFAULT_WINDOW))
    if timestamp >= _MICROSECONDS_FROM:
        timestamp //= 1000
    now = now_milliseconds()
    if timestamp > now + 1000:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - timestamp > window:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _raw_query(request: web.Request) -> bytes:
    """Return the query as it was received: a signature is of the encoded text."""
    return request.raw_path.partition("?")[2].partition("#")[0].encode()


def _has_form(request: web.Request) -> bool:
    """Return True if parameters of the body count: a GET's are those of its query alone."""
    return request.method != "GET" and request.content_type == _FORM


def _check_key(request: web.Request) -> None:
    key = request.headers.get("X-MBX-APIKEY", "")
    if not _KEY.fullmatch(key):
        raise VenueError(-2014, "API-key format invalid.", status=401)
    if key != request.app[VENUE].api_key:
        raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def _check_signature(venue: Venue, given: Mapping[str, str], *, query: bytes, body: bytes) -> None:
    """Compare a signature with that of the query and the body, one after the other without anything between them."""
    if "signature" not in given:
        raise missing("signature")
    if not given["signature"]:
        raise empty("signature")
    signed = _without_signature(query) + _without_signature(body)
    expected = hmac.new(venue.api_secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given["signature"].lower().encode()):
        raise VenueError(-1022, "Signature for this request is not valid.")


def _without_signature(text: bytes) -> bytes:
    return b"&".join(part for part in text.split(b"&") if not part.startswith(_SIGNATURE))


def _checked(endpoint: Endpoint, given: dict[str, str], venue: Venue) -> dict[str, str]:
    if endpoint.is_signed:
        if "timestamp" not in given:
            raise missing("timestamp")
        check_formats({name: given[name] for name in ("timestamp", "recvWindow") if name in given})
        check_deadline(given)
    endpoint.check(given)
    if "symbol" in given and not venue.book.listings.has(given["symbol"]):
        raise VenueError(*UNKNOWN_SYMBOL)
    return given
