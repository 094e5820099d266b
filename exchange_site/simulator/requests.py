"""Read the body of a request to the control API."""

import json
from decimal import Decimal
from typing import Any

from aiohttp import web


async def read_body(request: web.Request) -> Any:
    """Return the body, with its numbers as Decimals. Raises ValueError if it is not JSON."""
    return await _read(request, parse_float=Decimal)


async def read_plain_body(request: web.Request) -> Any:
    """Return the body as JSON can write it again, as a lie needs it. Raises ValueError if it is not JSON."""
    return await _read(request)


async def _read(request: web.Request, **parsing: Any) -> Any:
    try:
        return json.loads(await request.text(), parse_constant=str, **parsing)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error
