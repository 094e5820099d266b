"""Middleware for pages only; calls of the API pass by (exchange_site.middleware.api).

All of it reads or writes the database, so each part answers 503 while the database is away.
"""

import logging
from typing import Any, Final

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from procrastinate.exceptions import ConnectorException

from wallets.runtime.lost_connections import is_lost
from wallets.web.problems import UNAVAILABLE

logger = logging.getLogger(__name__)

_DATABASE_ERRORS: Final = (DatabaseError, InterfaceError, ConnectorException)


class UnavailableWithoutDatabase(MiddlewareMixin):
    """Answer 503 while the database is away."""

    def __call__(self, request: HttpRequest) -> Any:
        try:
            return super().__call__(request)
        except _DATABASE_ERRORS as error:
            if answer := _answer_unavailable(request, error):
                return answer
            raise

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for a view whose statement failed."""
        return _answer_unavailable(request, error) if isinstance(error, _DATABASE_ERRORS) else None


def _answer_unavailable(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return a 503 if the database is away, as the API does; None for an error of our own."""
    if isinstance(error, DatabaseError) and not isinstance(error, OperationalError) and not is_lost(error):
        return None
    cause = type(error.__cause__ or error).__name__
    logger.error("%s %s: the database did not answer: %s", request.method, request.path, cause)
    return HttpResponse(
        UNAVAILABLE.example,
        status=UNAVAILABLE.status,
        content_type="text/plain",
        headers={"Retry-After": str(UNAVAILABLE.retry_after_seconds)},
    )


class ContentPolicy(UnavailableWithoutDatabase, CSPMiddleware):
    pass


class Sessions(UnavailableWithoutDatabase, SessionMiddleware):
    pass


class Authentication(UnavailableWithoutDatabase, AuthenticationMiddleware):
    pass


class Messages(UnavailableWithoutDatabase, MessageMiddleware):
    pass
