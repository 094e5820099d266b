"""Middleware for pages only. Callers of the API send no cookies and receive no pages.

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
_API: Final = "/api/"
_PAGES_ABOUT_IT: Final = ("/api/v1/swagger/", "/api/v1/redoc/")


class PagesOnly(MiddlewareMixin):
    """Skip this middleware for the API."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(_API) and not request.path_info.startswith(_PAGES_ABOUT_IT):
            return self.get_response(request)
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


class ContentPolicy(PagesOnly, CSPMiddleware):
    pass


class Sessions(PagesOnly, SessionMiddleware):
    pass


class Authentication(PagesOnly, AuthenticationMiddleware):
    pass


class Messages(PagesOnly, MessageMiddleware):
    pass
