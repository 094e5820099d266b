"""Middleware for pages only. Callers of the API send no cookies and receive no pages."""

from typing import Any, Final

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

_API: Final = "/api/"
_PAGES_ABOUT_IT: Final = ("/api/v1/swagger/", "/api/v1/redoc/")


class PagesOnly(MiddlewareMixin):
    """Skip this middleware for the API."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(_API) and not request.path_info.startswith(_PAGES_ABOUT_IT):
            return self.get_response(request)
        return super().__call__(request)


class ContentPolicy(PagesOnly, CSPMiddleware):
    pass


class Sessions(PagesOnly, SessionMiddleware):
    pass


class Authentication(PagesOnly, AuthenticationMiddleware):
    pass


class Messages(PagesOnly, MessageMiddleware):
    pass
