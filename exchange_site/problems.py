"""The one table from domain errors to HTTP answers (problem details, RFC 9457).

The codes themselves are in wallets.problems.
"""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from procrastinate.exceptions import ConnectorException

import trading.exceptions as shop
import wallets.exceptions as accounts
from exchange_site.bodies import MalformedJson, UnsupportedMediaType, to_json
from wallets.conflicts import is_conflict
from wallets.exceptions import DomainError
from wallets.problems import PROBLEM_JSON, problem_body

logger = logging.getLogger(__name__)


_OF_ERROR: Final[dict[type[DomainError], str]] = {
    accounts.InvalidCredentials: "invalid_credentials",
    accounts.TokenInvalid: "token_invalid",
    accounts.UsernameTaken: "username_taken",
    accounts.AccountFrozen: "account_frozen",
    accounts.DepositsClosed: "not_allowed",
    accounts.InsufficientFunds: "insufficient_funds",
    accounts.IdempotencyKeyReused: "idempotency_key_reused",
    accounts.InvalidCursor: "invalid_cursor",
    accounts.NotFound: "not_found",
    accounts.RateLimited: "rate_limited",
    accounts.Busy: "busy",
    shop.UnknownCoin: "unknown_crypto",
    shop.PriceUnavailable: "price_unavailable",
    shop.BelowMinimum: "below_minimum",
    shop.AboveMaximum: "above_maximum",
    shop.OrderNotCancellable: "order_not_cancellable",
    MalformedJson: "malformed_json",
    UnsupportedMediaType: "unsupported_media_type",
}

_RETRY_AFTER_SECONDS: Final = {"price_unavailable": 10, "unavailable": 1, "busy": 1}


def problem(code: str, *, detail: str = "", errors: Sequence[dict[str, str]] | None = None) -> HttpResponse:
    """The answer for `code`."""
    body = problem_body(code, detail=detail)
    if errors is not None:
        body["errors"] = errors
    answer = HttpResponse(to_json(body), status=body["status"], content_type=PROBLEM_JSON)
    if code in _RETRY_AFTER_SECONDS:
        answer["Retry-After"] = str(_RETRY_AFTER_SECONDS[code])
    if body["status"] == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def answer_problems(api: NinjaAPI) -> None:
    """Make `api` answer every error by the table."""
    handlers: tuple[tuple[type[Exception], Any], ...] = (
        (DomainError, _domain_error),
        (ValidationError, _validation_error),
        (Http404, _not_found),
        (HttpError, _http_error),
        (OperationalError, _unavailable),
        (InterfaceError, _unavailable),
        (ConnectorException, _unavailable),
        (Exception, _crash),
    )
    for error_type, handler in handlers:
        api.add_exception_handler(error_type, handler)


def _domain_error(_: HttpRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, accounts.WeakPassword):
        listed = [{"field": "password", "message": message} for message in error.messages]
        return problem("validation_error", detail=str(error), errors=listed)
    answer = problem(_OF_ERROR[type(error)], detail=str(error))
    if isinstance(error, accounts.RateLimited):
        answer["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _validation_error(_: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {"field": _field(found["loc"]), "message": str(found["msg"]).removeprefix("Value error, ")}
        for found in error.errors
    ]
    return problem("validation_error", detail="Some fields are not valid.", errors=errors)


def _field(location: Sequence[str | int]) -> str:
    """`("body", "body", "amount")` is the field `amount`; the body itself is `body`."""
    named = [str(part) for part in location if part not in {"body", "query", "header", "path"}]
    return ".".join(named) or str(location[0])


def _not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return problem("not_found")


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja wraps whatever the body parser raised."""
    if isinstance(error.__cause__, DomainError):
        return _domain_error(request, error.__cause__)
    return problem("malformed_request")


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    if is_conflict(error):
        return problem("busy", detail=str(accounts.Busy()))
    logger.error("%s %s: the database did not answer: %s", request.method, request.path, type(error).__name__)
    return problem("unavailable", detail="The service is not available right now. Try again.")


def _crash(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("%s %s crashed", request.method, request.path, exc_info=error)
    return problem("internal_error", detail="Something went wrong on our side.")
