"""Errors as problem details for HTTP (RFC 9457), and the declaration of the errors of an operation.

Each app maps its errors to kinds of problem in a table (`wallets.problems`, `trading.problems`), and the site merges
the tables. A `code` is part of the contract: clients decide by it, so its meaning never changes.

`type` is the address of a page about the code (`exchange_site.problems`), as a path: it is the same behind every proxy
and under every name of the service, and says nothing that a caller wrote into Host. RFC 9457 (3.1.1) lets clients
resolve it against the request.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpResponse
from ninja import Schema

from wallets.exceptions import AccountFrozen, Busy, DomainError, InvalidCursor, NotFound, RateLimited, TokenInvalid
from wallets.money import COIN_PLACES, plain
from wallets.runtime.log_context import logged
from wallets.web.bodies import MalformedJson, UnsupportedMediaType

PROBLEM_JSON: Final = "application/problem+json"
PROBLEM_PAGES: Final = "/problems/"
"""Where the pages about problems are, one for each code."""
_EXAMPLE_ID: Final = "8f14e45fceea467a9c0d3b6f7d1a2b3c"


@dataclass(frozen=True)
class ProblemKind:
    """A status, a stable code, a title, an example of the detail, and the seconds to wait before a retry.

    `refuses_body`: the connection is closed after the answer, so that nobody takes the rest of the body for a request.
    """

    status: int
    code: str
    title: str
    example: str
    retry_after_seconds: int | None = None
    refuses_body: bool = False


Problems = Mapping[type[DomainError], ProblemKind]
"""Maps each error of an app to its kind of problem."""

MALFORMED_REQUEST: Final = ProblemKind(
    400, "malformed_request", "The request is malformed", "The request is malformed.", refuses_body=True
)
NOT_ALLOWED: Final = ProblemKind(403, "not_allowed", "Not allowed", "Customers cannot deposit by themselves here.")
NOT_FOUND: Final = ProblemKind(404, "not_found", "Not found", "There is nothing here.")
METHOD_NOT_ALLOWED: Final = ProblemKind(405, "method_not_allowed", "Method not allowed", "Method not allowed.")
REQUEST_TIMEOUT: Final = ProblemKind(
    408, "request_timeout", "Request timeout", "The request's body did not arrive in time."
)
BUSY: Final = ProblemKind(
    409, "busy", "Busy", "The account is busy with another request. Try again.", retry_after_seconds=1
)
BODY_TOO_LARGE: Final = ProblemKind(
    413, "body_too_large", "Body too large", "Bodies may have up to 65536 bytes.", refuses_body=True
)
URI_TOO_LONG: Final = ProblemKind(414, "uri_too_long", "URI too long", "URI too long.")
VALIDATION_ERROR: Final = ProblemKind(422, "validation_error", "Validation failed", "Some fields are not valid.")
INTERNAL_ERROR: Final = ProblemKind(500, "internal_error", "Internal error", "Something went wrong on our side.")
UNAVAILABLE: Final = ProblemKind(
    503,
    "unavailable",
    "Temporarily unavailable",
    "The service is not available right now. Try again.",
    retry_after_seconds=1,
)
HASHING_BUSY: Final = ProblemKind(
    503, "busy", "Busy", "Too many sign-ins at this moment. Try again.", retry_after_seconds=1
)
NO_ROOM: Final = ProblemKind(503, "busy", "Busy", "Too many requests at this moment. Try again.", retry_after_seconds=1)
TOO_MANY_AT_ONCE: Final = ProblemKind(
    429,
    "rate_limited",
    "Too many requests",
    "Too many requests at once from your address. Try again in 1 s.",
    retry_after_seconds=1,
)
TOO_MANY_WAIT: Final = ProblemKind(
    429,
    "rate_limited",
    "Too many requests",
    "Too many of your requests wait at once. Try again in 1 s.",
    retry_after_seconds=1,
)
WITHOUT_AN_ERROR: Final = (
    MALFORMED_REQUEST,
    NOT_ALLOWED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    BUSY,
    BODY_TOO_LARGE,
    URI_TOO_LONG,
    VALIDATION_ERROR,
    INTERNAL_ERROR,
    UNAVAILABLE,
    NO_ROOM,
    TOO_MANY_AT_ONCE,
    TOO_MANY_WAIT,
)
"""Kinds of problem that the server also answers with when no DomainError was raised."""

PROBLEMS: Final[Problems] = {
    MalformedJson: ProblemKind(
        400,
        "malformed_json",
        "The body is not valid JSON",
        "The body must be a JSON object, in UTF-8.",
        refuses_body=True,
    ),
    UnsupportedMediaType: ProblemKind(
        415,
        "unsupported_media_type",
        "Unsupported media type",
        "The body must be sent as application/json.",
        refuses_body=True,
    ),
}

Refusal = type[DomainError] | ProblemKind
ANYBODY: Final[tuple[Refusal, ...]] = (
    MALFORMED_REQUEST,
    URI_TOO_LONG,
    VALIDATION_ERROR,
    RateLimited,
    UNAVAILABLE,
    NO_ROOM,
)
"""Refusals of every operation: a Host that is not ours is a malformed request, an unknown query parameter a validation
error, wherever they come.
"""
SIGNED_IN: Final[tuple[Refusal, ...]] = (TokenInvalid, *ANYBODY)
BODY: Final[tuple[Refusal, ...]] = (
    MalformedJson,
    REQUEST_TIMEOUT,
    BODY_TOO_LARGE,
    UnsupportedMediaType,
)
LIST: Final[tuple[Refusal, ...]] = (InvalidCursor,)
MONEY: Final[tuple[Refusal, ...]] = (AccountFrozen, NotFound, Busy)
"""Refusals of operations that lock the caller's wallet."""


class FieldProblem(Schema):
    """An error in one field; `field` is `body` if the error concerns the whole body."""

    field: str
    message: str


class Problem(Schema):
    """An error in the form of RFC 9457. `code` is stable, so that programs can decide by it.

    `type` is the path of a page about the code, at this service. `request_id` is also in the header X-Request-ID: name
    it when you ask for help. `errors` is only in problems of validation, `price` only in those about a price.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] | None = None
    price: str | None = None


def problem_body(kind: ProblemKind, *, request_id: str, detail: str = "") -> dict[str, Any]:
    """Return the members of a problem of this kind."""
    return {
        "type": f"{PROBLEM_PAGES}{kind.code}/",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or f"{kind.title}.",
        "code": kind.code,
        "request_id": request_id,
    }


def example_problem(kind: ProblemKind) -> dict[str, Any]:
    """Return an example of a problem of this kind, for documents."""
    body = problem_body(kind, request_id=_EXAMPLE_ID, detail=kind.example)
    if kind is VALIDATION_ERROR:
        body["errors"] = [{"field": "amount", "message": "must be greater than zero"}]
    return body


def answer_problem(
    kind: ProblemKind,
    *,
    detail: str = "",
    errors: Sequence[Mapping[str, str]] | None = None,
    price: Decimal | None = None,
) -> HttpResponse:
    """Return an answer with a problem of this kind.

    `errors` lists the invalid fields; `price` is that of now, in US dollars a coin.
    """
    body = problem_body(kind, request_id=str(logged("request_id") or ""), detail=detail)
    if price is not None:
        body["price"] = plain(price, places=max(COIN_PLACES, -int(price.as_tuple().exponent)))
    if errors is not None:
        body["errors"] = errors
    answer = HttpResponse(json.dumps(body), status=kind.status, content_type=PROBLEM_JSON)
    if kind.retry_after_seconds is not None:
        answer["Retry-After"] = str(kind.retry_after_seconds)
    if kind.refuses_body:
        answer["Connection"] = "close"
    if kind.status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def answer_not_allowed(methods: Iterable[str]) -> HttpResponse:
    """Return a 405 that names the methods which the path has. One that has GET has HEAD too."""
    answer, allowed = answer_problem(METHOD_NOT_ALLOWED), set(methods)
    answer["Allow"] = ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
    return answer


def declare_answers(problems: Problems, success: dict[int, Any], *refusals: Refusal) -> dict[str, Any]:
    """Return an operation's answers as arguments for Ninja's decorators. `success` maps each status to a schema.

    Each of `refusals` is an error class in `problems`, or a `ProblemKind` that no error class stands for.
    """
    by_status: dict[int, list[ProblemKind]] = {}
    for refusal in refusals:
        kind = refusal if isinstance(refusal, ProblemKind) else problems[refusal]
        by_status.setdefault(kind.status, []).append(kind)
    return {
        "response": {**success, **dict.fromkeys(sorted(by_status), Problem)},
        "openapi_extra": {"responses": {status: describe_answer(*kinds) for status, kinds in by_status.items()}},
    }


def describe_answer(*kinds: ProblemKind) -> dict[str, Any]:
    """Return the answer with one of these problems, as the OpenAPI document describes it."""
    return {
        "description": " or ".join(dict.fromkeys(f"`{kind.code}`" for kind in kinds)),
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind.code: {"summary": kind.title, "value": example_problem(kind)} for kind in kinds},
            },
        },
    }
