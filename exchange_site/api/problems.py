"""Answer every error with problem details (RFC 9457), using the merged tables of the apps."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from django.core.exceptions import TooManyFieldsSent
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from procrastinate.exceptions import ConnectorException

import trading.problems
import wallets.problems
from wallets.exceptions import Busy, DomainError, NotAcceptable, WeakPassword
from wallets.runtime.conflicts import is_conflict
from wallets.runtime.lost_connections import is_lost
from wallets.web.media_types import vary_by_type
from wallets.web.problems import (
    BUSY,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    NOT_FOUND,
    UNAVAILABLE,
    VALIDATION_ERROR,
    WITHOUT_AN_ERROR,
    Problems,
    answer_problem,
)

logger = logging.getLogger(__name__)

_PROBLEMS: Final[Problems] = {**wallets.problems.PROBLEMS, **trading.problems.PROBLEMS}
ALL_KINDS: Final = tuple(dict.fromkeys((*WITHOUT_AN_ERROR, *_PROBLEMS.values())))
"""Every kind of problem that the service answers with."""
KINDS: Final = {(kind.status, kind.code): kind for kind in ALL_KINDS}
"""The same by status and code; of several the last."""


def answer_problems(api: NinjaAPI) -> None:
    """Make `api` answer every error with a problem."""
    handlers: tuple[tuple[type[Exception], Any], ...] = (
        (DomainError, _domain_error),
        (ValidationError, _validation_error),
        (Http404, _not_found),
        (HttpError, _http_error),
        (TooManyFieldsSent, _too_many_parameters),
        (OperationalError, _unavailable),
        (InterfaceError, _unavailable),
        (DatabaseError, _database_error),
        (ConnectorException, _unavailable),
        (Exception, _crash),
    )
    for error_type, handler in handlers:
        api.add_exception_handler(error_type, handler)


def _domain_error(_: HttpRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, WeakPassword):
        listed = [{"field": error.field, "message": message} for message in error.messages]
        return answer_problem(VALIDATION_ERROR, detail=str(error), errors=listed)
    answer = answer_problem(_PROBLEMS[type(error)], detail=str(error), price=getattr(error, "price", None))
    if (wait := getattr(error, "retry_after_seconds", None)) is not None:
        answer["Retry-After"] = str(wait)
    if isinstance(error, NotAcceptable):
        vary_by_type(answer)
    return answer


def _validation_error(_: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {"field": _field(found["loc"]), "message": str(found["msg"]).removeprefix("Value error, ")}
        for found in error.errors
    ]
    return answer_problem(VALIDATION_ERROR, detail=VALIDATION_ERROR.example, errors=errors)


def _field(location: Sequence[str | int]) -> str:
    """Return a field's name: `amount` for `("body", "body", "amount")`, and `body` for the body itself."""
    named = [str(part) for part in location if part not in {"body", "query", "header", "path"}]
    return ".".join(named) or str(location[0])


def _not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return answer_problem(NOT_FOUND)


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer with the cause of Ninja's error: Ninja wraps everything that the body parser raises."""
    if isinstance(error.__cause__, DomainError):
        return _domain_error(request, error.__cause__)
    return answer_problem(MALFORMED_REQUEST)


def _too_many_parameters(_request: HttpRequest, _error: TooManyFieldsSent) -> HttpResponse:
    """Answer a query with more parameters than Django reads (DATA_UPLOAD_MAX_NUMBER_FIELDS)."""
    errors = [{"field": "query", "message": "has too many parameters"}]
    return answer_problem(VALIDATION_ERROR, detail=VALIDATION_ERROR.example, errors=errors)


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    if is_conflict(error):
        return answer_problem(BUSY, detail=str(Busy()))
    cause = type(error.__cause__ or error).__name__
    logger.error("%s %s: the database did not answer: %s", request.method, request.path, cause)
    return answer_problem(UNAVAILABLE, detail=UNAVAILABLE.example)


def _database_error(request: HttpRequest, error: DatabaseError) -> HttpResponse:
    """Answer a lost connection, which psycopg files under several classes, like a database that is away."""
    return _unavailable(request, error) if is_lost(error) else _crash(request, error)


def _crash(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("%s %s crashed", request.method, request.path, exc_info=error)
    return answer_problem(INTERNAL_ERROR, detail=INTERNAL_ERROR.example)
