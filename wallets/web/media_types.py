"""The form of an answer that a caller prefers (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence
from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

from wallets.exceptions import NotAcceptable

JSON: Final = "application/json"
CSV: Final = "text/csv"
CSV_UTF8: Final = "text/csv; charset=utf-8; header=present"
_OURS: Final = re.compile(r""";\s*(charset\s*=\s*"?utf-?8"?|header\s*=\s*"?present"?)\s*(?=[;,]|$)""", re.IGNORECASE)
"""Parameters that the answers have anyway. Many clients send the charset, and Django would not find the type."""


def preferred_type(request: HttpRequest, *, offered: Sequence[str]) -> str:
    """Return the offered media type that the header Accept prefers; the first one without a preference.

    An empty header states none. Raises NotAcceptable if it accepts none of them.
    """
    accepted = _OURS.sub("", request.headers.get("Accept", "").strip())
    if not accepted:
        return offered[0]
    asking = HttpRequest()
    asking.META["HTTP_ACCEPT"] = accepted
    found = preferred_or_none(asking, offered=offered)
    if found is None:
        raise NotAcceptable(offered=offered)
    return found


def preferred_or_none(request: HttpRequest, *, offered: Sequence[str]) -> str | None:
    """Return the offered media type that the header Accept prefers; None if there is none, or nobody can read it.

    Django raises ValueError or TypeError for a parameter that it cannot decode (RFC 2231).
    """
    try:
        found: str | None = request.get_preferred_type(list(offered))
    except (ValueError, TypeError):
        return None
    return found


def vary_by_type(response: HttpResponseBase) -> None:
    """Tell caches that the answer depends on the header Accept."""
    patch_vary_headers(response, ["Accept"])


def offer_csv(declared: dict[str, Any], *, example: str) -> dict[str, Any]:
    """Add to an operation's declared answers that its success is offered in CSV too."""
    media = {CSV: {"schema": {"type": "string", "contentMediaType": CSV}, "example": example}}
    declared["openapi_extra"]["responses"][200] = {"content": media}
    return declared
