"""Read the body of a request to the control API."""

import json
from decimal import Decimal
from typing import Any

from aiohttp import web


async def read_body(request: web.Request) -> Any:
    """Return the body, its numbers as they were written. Raises ValueError if it is not JSON."""
    try:
        return await request.json(loads=_loads)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=str)
