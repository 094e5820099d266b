"""Middleware for every request: its id and log line, its trailing slash, internal paths, limit headers, HEAD."""

import logging
import os
import random
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Histogram

from exchange_site.internal_urls import urlpatterns
from exchange_site.metrics.endpoint import REQUEST_SECONDS
from wallets.runtime.acting import acting
from wallets.runtime.log_context import log_context
from wallets.web.callers import count_revoked_token, give_back_unused, limits_counted, origin_of
from wallets.web.problems import answer_not_allowed
from wallets.web.waiting_answers import UNKNOWN_ROUTE, WaitingAnswer

GetResponse = Callable[[HttpRequest], HttpResponse]

access_log = logging.getLogger("exchange_site.access")

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Ids are no secrets. To ask the kernel for randomness, a thread lets go of the interpreter and waits for it again.
_random: Final = random.Random()  # noqa: S311  seeded by the kernel
os.register_at_fork(after_in_child=_random.seed)  # else all workers of one process would make the same ids
_SAFE: Final = ("GET", "HEAD")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestRecord:
    """Give each request an id, measure its time, and write one log line for it.

    The id is the caller's X-Request-ID if that has a plain form, else a new id. The response and every log line
    carry the id. Services can ask where the request comes from (wallets.runtime.acting).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        request_id = choose_request_id(request.headers.get("X-Request-ID", ""))
        with log_context(request_id=request_id), acting(lambda: origin_of(request)):
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            if isinstance(response, WaitingAnswer):  # the request is answered, and recorded, later
                response.route = _route_of(request)
            else:
                _record(request, response, seconds=time.perf_counter() - begun)
        return response


def choose_request_id(given: str) -> str:
    """Return the caller's id if it has a plain form, else a new id."""
    return given if _PLAIN_ID.fullmatch(given) else f"{_random.getrandbits(128):032x}"


def _record(request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
    record_answer(method=request.method or "", route=_route_of(request), status=response.status_code, seconds=seconds)


def _route_of(request: HttpRequest) -> str:
    return request.resolver_match.route if request.resolver_match else UNKNOWN_ROUTE


def record_answer(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count an answer and write its log line."""
    method = method if method in _METHODS else "other"
    _measure_of(method, route, status).observe(seconds)
    access_log.info(
        "%s /%s %s",
        method,
        route,
        status,
        extra={"status": status, "duration_ms": round(seconds * 1000, 1)},
    )


@cache
def _measure_of(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, f"/{route}", status)


class OptionalTrailingSlash:
    """Treat `/path` as `/path/`, without a redirect, because a redirect would lose the request's body."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.endswith("/") and not request.path_info.startswith(settings.STATIC_URL):
            request.path_info += "/"
            request.path += "/"
        return self.get_response(request)


class InternalPaths:
    """Answer health checks and Prometheus, which call by IP address instead of host name, and over plain HTTP.

    Their paths bypass ALLOWED_HOSTS and the redirect to TLS; the responses never use the Host header.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._patterns = {f"/{each.pattern}": each for each in urlpatterns}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        pattern = self._patterns.get(request.path_info)
        if pattern is None:
            return self.get_response(request)
        request.resolver_match = pattern.resolve(request.path_info.removeprefix("/"))
        if request.method not in _SAFE:
            return answer_not_allowed(_SAFE)
        response: HttpResponse = pattern.callback(request)
        return response


class HeadLikeGet:
    """Let every view answer HEAD as it answers GET (RFC 9110, sections 9.1 and 9.3.2). The server leaves out the body.

    It is the innermost middleware: whatever counts, measures and logs a request still sees HEAD.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method != "HEAD":
            return self.get_response(request)
        request.method = "GET"
        try:
            return self.get_response(request)
        finally:
            request.method = "HEAD"


class RateLimitHeaders:
    """Add headers with the remaining calls of each limit that the request was counted against.

    After the IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        count_revoked_token(request, status=response.status_code)
        give_back_unused(request)
        if usages := limits_counted(request):
            response["RateLimit-Policy"] = ", ".join(
                f'"{usage.limit.name}";q={usage.calls};w={usage.seconds}' for usage in usages
            )
            response["RateLimit"] = ", ".join(
                f'"{usage.limit.name}";r={usage.remaining};t={usage.reset_seconds}' for usage in usages
            )
        return response
