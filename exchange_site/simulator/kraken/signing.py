"""Read signed requests ("Spot REST Authentication", Kraken's API documentation)."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from exchange_site.simulator.kraken.errors import (
    INVALID_ARGUMENTS,
    INVALID_KEY,
    INVALID_NONCE,
    INVALID_SIGNATURE,
    KrakenError,
)
from exchange_site.simulator.venue import VENUE

_NONCE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_LAST_NONCE: Final = 2**64 - 1


async def read_signed(request: web.Request) -> Mapping[str, str]:
    """Return the parameters of a signed request. Raises KrakenError for a wrong key, signature, nonce or body.

    A nonce is used up by a request with the right signature, whatever becomes of the request.
    """
    venue, body = request.app[VENUE], await request.read()
    if request.headers.get("API-Key") != venue.api_key:
        raise KrakenError(INVALID_KEY)
    sent = _read_body(body.decode(errors="replace"), is_json=request.content_type == "application/json")
    nonce = dict(sent).get("nonce", "")
    expected = sign(request.path, nonce=nonce, body=body, secret=venue.api_secret.encode())
    if not hmac.compare_digest(expected.encode(), request.headers.get("API-Sign", "").encode()):
        raise KrakenError(INVALID_SIGNATURE)
    if not _NONCE.fullmatch(nonce) or int(nonce) > _LAST_NONCE or not venue.book.nonces.use(venue.api_key, int(nonce)):
        raise KrakenError(INVALID_NONCE)
    if len(dict(sent)) < len(sent):
        raise KrakenError(INVALID_ARGUMENTS)  # ambiguous
    return dict(sent)


def sign(path: str, *, nonce: str, body: bytes, secret: bytes) -> str:
    """Return the signature of a request: HMAC-SHA512 of its path and of SHA256 of its nonce and body, as base64."""
    message = path.encode() + hashlib.sha256(nonce.encode(errors="replace") + body).digest()
    return base64.b64encode(hmac.new(secret, message, hashlib.sha512).digest()).decode()


def _read_body(body: str, *, is_json: bool) -> list[tuple[str, str]]:
    """Return the parameters of a body, which is form-encoded or JSON. Raises KrakenError."""
    if not is_json:
        return parse_qsl(body, keep_blank_values=True)
    try:
        sent = json.loads(body, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise KrakenError(INVALID_ARGUMENTS) from error
    if not isinstance(sent, dict):
        raise KrakenError(INVALID_ARGUMENTS)
    return [(name, _text(value)) for name, value in sent.items() if value is not None]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
