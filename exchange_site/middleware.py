"""What holds for every request: optional trailing slashes, small bodies, one form of error."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.deprecation import MiddlewareMixin

from exchange_site import health
from exchange_site.api.problems import problem
from exchange_site.metrics import REQUEST_SECONDS, metrics
from wallets.runtime.log_context import log_context
from wallets.web.callers import limits_counted
from wallets.web.problems import (
    BODY_TOO_LARGE,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    URI_TOO_LONG,
)

Answer = Callable[[HttpRequest], HttpResponse]

access_log = logging.getLogger("exchange_site.access")

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_API: Final = "/api/"
_PAGES_ABOUT_IT: Final = ("/api/v1/swagger/", "/api/v1/redoc/")
_OTHERS: Final = ("/admin/", settings.STATIC_URL)


class RequestRecord:
    """Give each request an id, and leave a log line and a measurement of it.

    The id is the caller's own X-Request-ID, if it is a plain one; the answer and every log line carry it.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        request_id = request.headers.get("X-Request-ID", "")
        if not _PLAIN_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        with log_context(request_id=request_id):
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            _record(request, response, seconds=time.perf_counter() - begun)
        return response


def _record(request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
    route = request.resolver_match.route if request.resolver_match else "unknown"
    method = request.method if request.method in _METHODS else "other"
    REQUEST_SECONDS.labels(method, f"/{route}", response.status_code).observe(seconds)
    customer = getattr(request, "auth", None)
    access_log.info(
        "%s /%s %s",
        method,
        route,
        response.status_code,
        extra={
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 1),
            "customer_id": getattr(customer, "user_id", None),
        },
    )


class OptionalTrailingSlash:
    """Answer `/path` as `/path/`, without the redirect that would lose a request's body."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.endswith("/") and not request.path_info.startswith(settings.STATIC_URL):
            request.path_info += "/"
            request.path += "/"
        return self.get_response(request)


class InternalPaths:
    """Answer those who call by address: health checks and Prometheus know no host name, and speak plain HTTP.

    So neither ALLOWED_HOSTS nor the redirect to TLS stands before them. Nothing they are told is made from Host.
    """

    _VIEWS: Final = {"/health/": health.alive, "/health/ready/": health.ready, "/metrics/": metrics}

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = self._VIEWS.get(request.path_info)
        if view is None:
            return self.get_response(request)
        request.resolver_match = resolve(request.path_info)
        return view(request)


class ProblemAnswers:
    """Give every error outside the admin as problem+json, whoever raised it.

    Django and Ninja answer some themselves: an unknown path, a method that is not allowed, a crash
    (in development with its traceback).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_OTHERS):
            return self.get_response(request)
        if len(request.path_info) + len(request.META.get("QUERY_STRING", "")) > settings.MAX_URI_LENGTH:
            return problem(URI_TOO_LONG)
        if _declared_length(request) > settings.MAX_BODY_BYTES:
            return problem(BODY_TOO_LARGE, detail=f"Bodies may have up to {settings.MAX_BODY_BYTES} bytes.")
        response = self.get_response(request)
        if response.status_code < 400 or "json" in response.headers.get("Content-Type", ""):  # noqa: PLR2004  the first error status
            return response
        return _as_problem(response)


class RateLimitHeaders:
    """Say what is left of the limits that a request was counted against.

    After the IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if usages := limits_counted(request):
            response["RateLimit-Policy"] = ", ".join(
                '"{}";q={};w={}'.format(usage.limit.name, *usage.limit.rate) for usage in usages
            )
            response["RateLimit"] = ", ".join(
                f'"{usage.limit.name}";r={usage.remaining};t={usage.reset_seconds}' for usage in usages
            )
        return response


class _OfPages(MiddlewareMixin):
    """A middleware that only pages need: the API's answers are data, and its callers have no cookies."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(_API) and not request.path_info.startswith(_PAGES_ABOUT_IT):
            return self.get_response(request)
        return super().__call__(request)


class ContentPolicy(_OfPages, CSPMiddleware):
    pass


class Sessions(_OfPages, SessionMiddleware):
    pass


class Authentication(_OfPages, AuthenticationMiddleware):
    pass


class Messages(_OfPages, MessageMiddleware):
    pass


def _declared_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


_KINDS: Final = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 503: UNAVAILABLE}


def _as_problem(response: HttpResponse) -> HttpResponse:
    fallback = INTERNAL_ERROR if response.status_code >= 500 else MALFORMED_REQUEST  # noqa: PLR2004  the first server error
    answer = problem(_KINDS.get(response.status_code, fallback))
    if "Allow" in response.headers:
        answer["Allow"] = ", ".join(sorted(response.headers["Allow"].split(", ")))
    return answer
