"""Errors as they travel: the table of codes, and how an operation says which of them it answers with.

Problem details for HTTP, RFC 9457. `code` is part of the contract: clients decide by it, so it never changes
its meaning. Which domain error becomes which code is decided in exchange_site.problems.
"""

from dataclasses import dataclass
from typing import Any, Final

from ninja import Schema

PROBLEM_JSON: Final = "application/problem+json"


@dataclass(frozen=True)
class ProblemKind:
    """A code's HTTP status and title, and a sentence as an example of its detail."""

    status: int
    title: str
    example: str


CODES: Final[dict[str, ProblemKind]] = {
    "malformed_json": ProblemKind(400, "The body is not valid JSON", "The body must be a JSON object, in UTF-8."),
    "malformed_request": ProblemKind(400, "The request is malformed", "The request is malformed."),
    "insufficient_funds": ProblemKind(400, "Insufficient funds", "The wallet holds 5.00 USD; 12.00 USD are needed."),
    "invalid_cursor": ProblemKind(400, "Invalid cursor", "The cursor is not one of this list with these filters."),
    "invalid_credentials": ProblemKind(
        401, "Invalid credentials", "No active account matches this username and password."
    ),
    "token_invalid": ProblemKind(401, "Invalid token", "The token is invalid, expired or revoked."),
    "account_frozen": ProblemKind(403, "Account frozen", "The account is frozen."),
    "limit_exceeded": ProblemKind(403, "Limit exceeded", "Limit exceeded."),
    "not_allowed": ProblemKind(403, "Not allowed", "Customers cannot deposit by themselves here."),
    "not_found": ProblemKind(404, "Not found", "There is nothing here."),
    "unknown_crypto": ProblemKind(404, "Unknown cryptocurrency", "This cryptocurrency is not sold here."),
    "method_not_allowed": ProblemKind(405, "Method not allowed", "Method not allowed."),
    "username_taken": ProblemKind(409, "Username taken", "This username is taken."),
    "order_not_cancellable": ProblemKind(409, "Order not cancellable", "The order can no longer be cancelled."),
    "busy": ProblemKind(409, "Busy", "The account is busy with another request. Try again."),
    "body_too_large": ProblemKind(413, "Body too large", "Bodies may have up to 65536 bytes."),
    "uri_too_long": ProblemKind(414, "URI too long", "URI too long."),
    "unsupported_media_type": ProblemKind(415, "Unsupported media type", "The body must be sent as application/json."),
    "validation_error": ProblemKind(422, "Validation failed", "Some fields are not valid."),
    "idempotency_key_reused": ProblemKind(
        422, "Idempotency key reused", "This idempotency key was used with another request."
    ),
    "below_minimum": ProblemKind(422, "Below the minimum", "The smallest order is 0.5 coins."),
    "above_maximum": ProblemKind(422, "Above the maximum", "The largest order is 1000 coins."),
    "rate_limited": ProblemKind(429, "Too many requests", "Too many calls (orders). Try again in 17 s."),
    "internal_error": ProblemKind(500, "Internal error", "Something went wrong on our side."),
    "price_unavailable": ProblemKind(
        503, "Price unavailable", "There is no current price for this cryptocurrency. Try again soon."
    ),
    "unavailable": ProblemKind(503, "Temporarily unavailable", "The service is not available right now. Try again."),
}

ANYBODY: Final = ("rate_limited", "unavailable")
SIGNED_IN: Final = ("token_invalid", *ANYBODY)
BODY: Final = ("malformed_json", "body_too_large", "unsupported_media_type", "validation_error")
LIST: Final = ("invalid_cursor", "uri_too_long", "validation_error")
MONEY: Final = ("account_frozen", "not_found", "busy")
"""What operations that lock the caller's wallet may answer."""


class FieldProblem(Schema):
    """What is wrong with a field; `body` for the body as a whole."""

    field: str
    message: str


class Problem(Schema):
    """An error, after RFC 9457. `code` is stable: programs decide by it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] | None = None


def problem_body(code: str, *, detail: str = "") -> dict[str, Any]:
    """The members of the problem `code`."""
    kind = CODES[code]
    return {
        "type": f"urn:crypto-exchange:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or f"{kind.title}.",
        "code": code,
    }


def answers(success: dict[int, Any], *codes: str) -> dict[str, Any]:
    """An operation's answers, for Ninja's decorators: what it gives, and every code that it refuses with."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code].status, []).append(code)
    return {
        "response": {**success, **dict.fromkeys(sorted(by_status), Problem)},
        "openapi_extra": {"responses": {status: _described(named) for status, named in by_status.items()}},
    }


def _described(codes: list[str]) -> dict[str, Any]:
    examples = {code: {"summary": CODES[code].title, "value": _example(code)} for code in codes}
    return {
        "description": " or ".join(f"`{code}`" for code in codes),
        "content": {
            PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples},
        },
    }


def _example(code: str) -> dict[str, Any]:
    body = problem_body(code, detail=CODES[code].example)
    if code == "validation_error":
        body["errors"] = [{"field": "amount", "message": "must be greater than zero"}]
    return body
