"""Idempotency keys over HTTP, and the declared length of a body."""

import re
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Header
from pydantic import AfterValidator, WithJsonSchema

from wallets.runtime.idempotency import LONGEST_KEY

_VISIBLE = re.compile(r"[\x21-\x7e]+")


def _bare_key(value: str | None) -> str | None:
    """Return the key without its quotes: the draft standard requires quotes, but most clients omit them."""
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
    # Ninja finds its own marker only in the last place.
    Header(
        None,
        alias="Idempotency-Key",
        description="1 to 255 visible characters. A request repeated under the same key takes effect once.",
    ),
]


def mark_replayed(response: HttpResponse, *, replayed: bool) -> None:
    """Add the header Idempotent-Replayed if an earlier request with the same key had the effect."""
    if replayed:
        response["Idempotent-Replayed"] = "true"


def declared_length(request: HttpRequest) -> int:
    """Return the bytes that the request says its body has; 0 if it does not say."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
