"""One error format for every path outside the admin."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views import csrf, defaults

from exchange_site.middleware.requests import GetResponse
from exchange_site.problems.pages import PageOfNothing
from wallets.web.problems import (
    BODY_TOO_LARGE,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    NOT_FOUND,
    UNAVAILABLE,
    URI_TOO_LONG,
    answer_not_allowed,
    answer_problem,
)
from wallets.web.requests import declared_length

_OTHERS: Final = ("/admin/", settings.STATIC_URL)
_KINDS: Final = {404: NOT_FOUND, 503: UNAVAILABLE}


class ProblemAnswers:
    """Answer every error outside the admin as problem+json, from any source.

    Django and Ninja answer some errors in formats of their own: an unknown path, a method that is not allowed, a
    crash (in development with a traceback).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_OTHERS):
            return self.get_response(request)
        if len(request.path_info) + len(request.META.get("QUERY_STRING", "")) > settings.LIMITS.max_uri_length:
            return answer_problem(URI_TOO_LONG)
        if declared_length(request) > settings.LIMITS.max_body_bytes:
            return answer_problem(
                BODY_TOO_LARGE, detail=f"Bodies may have up to {settings.LIMITS.max_body_bytes} bytes."
            )
        response = self.get_response(request)
        return response if _is_as_it_should_be(response) else _as_problem(response)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that a middleware outside ProblemAnswers refuses, such as one with a Host that is not ours."""
    if request.path_info.startswith(_OTHERS):
        return defaults.bad_request(request, exception)
    return answer_problem(MALFORMED_REQUEST)


def crash(request: HttpRequest) -> HttpResponse:
    """Answer after a crash in a middleware outside ProblemAnswers. Django has logged it."""
    if request.path_info.startswith(_OTHERS):
        return defaults.server_error(request)
    return answer_problem(INTERNAL_ERROR, detail=INTERNAL_ERROR.example)


def refuse_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request whose CSRF token Django misses. It looks for that before a page says that it takes no forms.

    Outside the admin no page does, and calls of the API need no such token.
    """
    if request.path_info.startswith(_OTHERS):
        answer: HttpResponse = csrf.csrf_failure(request, reason=reason)
        return answer
    if request.resolver_match and request.resolver_match.url_name == "api-root":  # Ninja's: it has no methods at all
        return answer_problem(NOT_FOUND)
    return answer_not_allowed(["GET"])


def _is_as_it_should_be(response: HttpResponse) -> bool:
    if response.status_code < 400 or isinstance(response, PageOfNothing):  # noqa: PLR2004  the first error status
        return True
    return "json" in response.headers.get("Content-Type", "")


def _as_problem(response: HttpResponse) -> HttpResponse:
    if "Allow" in response.headers:
        return answer_not_allowed(response.headers["Allow"].split(", "))
    fallback = INTERNAL_ERROR if response.status_code >= 500 else MALFORMED_REQUEST  # noqa: PLR2004  the first server error
    return answer_problem(_KINDS.get(response.status_code, fallback))
