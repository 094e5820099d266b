"""Pieces of HTTP that every router shares: idempotency keys, unknown parameters, links to the next page."""

import re
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Header
from ninja.errors import ValidationError
from pydantic import AfterValidator, BaseModel, WithJsonSchema

from wallets.idempotency import LONGEST_KEY

Answer = dict[str, Any]
"""An answer's members; Ninja checks them against the operation's schema."""

_VISIBLE = re.compile(r"[\x21-\x7e]+")


def _bare_key(value: str | None) -> str | None:
    """The draft standard quotes the key, most clients do not: both are the same key."""
    if value is None:
        return None
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if not 1 <= len(value) <= LONGEST_KEY or not _VISIBLE.fullmatch(value):
        raise ValueError(f"must be 1 to {LONGEST_KEY} visible ASCII characters")
    return value


IdempotencyHeader = Annotated[
    str | None,
    AfterValidator(_bare_key),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"}),
    # Ninja looks for its own marker in the last place only.
    Header(
        None,
        alias="Idempotency-Key",
        description="1 to 255 visible characters: repeating the request under its key has one effect.",
    ),
]


def mark_replayed(response: HttpResponse, *, replayed: bool) -> None:
    """Say that the answer is that of an earlier request with the same key."""
    if replayed:
        response["Idempotent-Replayed"] = "true"


def refuse_unknown_parameters(request: HttpRequest, *, known: type[BaseModel]) -> None:
    """Ninja passes over query parameters that it does not know; a misspelt filter would list too much."""
    unknown = sorted(request.GET.keys() - known.model_fields.keys())
    if unknown:
        raise ValidationError([{"loc": ("query", name), "msg": "is not a parameter of this list"} for name in unknown])


def link_next(request: HttpRequest, response: HttpResponse, *, cursor: str | None) -> None:
    """Point to the next page (RFC 8288)."""
    if cursor is None:
        return
    query = request.GET.copy()
    query["cursor"] = cursor
    url = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    response["Link"] = f'<{url}>; rel="next"'
