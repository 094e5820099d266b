"""The way of an API call: past the middleware for pages, and through what calls need of it.

A call sends no cookie and gets no page and no file. But each middleware that it passes costs processor time, and
Django's find out anew for each request what is the same for all of them.
"""

import threading
from typing import Any, Final

from corsheaders.middleware import CorsMiddleware
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers

from exchange_site.middleware.problems import ProblemAnswers
from exchange_site.middleware.requests import GetResponse, RateLimitHeaders

_API: Final = "/api/"
_PAGES_ABOUT_IT: Final = ("/api/v1/swagger/", "/api/v1/redoc/")
_MOST_HOSTS: Final = 100


class PagesEnd:
    """The end of the middleware for pages in settings.MIDDLEWARE. Django makes the last one first.

    Django calls `process_view` and `process_exception` of the middleware in between for API calls too.
    """

    def __init__(self, get_response: GetResponse) -> None:
        _made.last = get_response
        raise MiddlewareNotUsed  # Django leaves it out


class _Made(threading.local):
    """What the last PagesEnd of this thread leads to. Threads may make lists of middleware at the same time."""

    last: GetResponse


_made: Final = _Made()


class PagesBegin:
    """Lead API calls past the middleware from here to PagesEnd."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_page = get_response
        get_answer: Any = _made.last
        del _made.last  # a list of middleware without a PagesEnd must not find that of another one
        for middleware in (HostAndLength, ProblemAnswers, RateLimitHeaders, Origins, FixedHeaders):
            get_answer = convert_exception_to_response(middleware(get_answer))
        self._answer_call: GetResponse = get_answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._answer_call(request) if is_call(request) else self._get_page(request)


def is_call(request: HttpRequest) -> bool:
    """Say whether a request is a call of the API, and not for a page about it."""
    return request.path_info.startswith(_API) and not request.path_info.startswith(_PAGES_ABOUT_IT)


class FixedHeaders:
    """Redirect to TLS and add headers, as Django's SecurityMiddleware and XFrameOptionsMiddleware do.

    Their headers depend on nothing but TLS, so they are asked for once.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._security = SecurityMiddleware(get_response)
        self._frames = XFrameOptionsMiddleware(get_response)
        self._headers = {is_secure: self._find_headers(is_secure=is_secure) for is_secure in (False, True)}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._security.process_request(request) or self.get_response(request)
        for name, value in self._headers[request.is_secure()]:
            response.headers[name] = value
        return response

    def _find_headers(self, *, is_secure: bool) -> list[tuple[str, str]]:
        request, response = _Request(is_secure=is_secure), HttpResponse()
        del response["Content-Type"]
        self._security.process_response(request, response)
        self._frames.process_response(request, response)
        return list(response.items())


class _Request(HttpRequest):
    def __init__(self, *, is_secure: bool) -> None:
        super().__init__()
        self._is_secure = is_secure

    def is_secure(self) -> bool:
        return self._is_secure


class Origins:
    """Answer web pages of other origins by CorsMiddleware. Callers that are no browsers name no origin."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._answer_page: Any = CorsMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            answer: HttpResponse = self._answer_page(request)
            return answer
        response = self.get_response(request)
        if "Vary" in response.headers:
            patch_vary_headers(response, ("origin",))
        else:
            response.headers["Vary"] = "origin"
        return response


class HostAndLength:
    """Refuse hosts that are not ours, and say how long an answer is, as Django's CommonMiddleware does.

    A few hosts that are ours are remembered. There may be many, as ALLOWED_HOSTS may allow all of a domain.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._ours: set[str] = set()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get("HTTP_HOST") not in self._ours:
            self._check_host(request)
        response = self.get_response(request)
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))
        return response

    def _check_host(self, request: HttpRequest) -> None:
        """Raise DisallowedHost for a host that is not ours."""
        request.get_host()
        if "HTTP_HOST" in request.META and len(self._ours) < _MOST_HOSTS:
            self._ours.add(request.META["HTTP_HOST"])
