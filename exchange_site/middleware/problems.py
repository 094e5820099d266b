"""One form of error for every path outside the admin."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from exchange_site.middleware.requests import GetResponse
from exchange_site.problems import problem

_OTHERS: Final = ("/admin/", settings.STATIC_URL)
_CODES: Final = {404: "not_found", 405: "method_not_allowed", 503: "unavailable"}


class ProblemAnswers:
    """Answer every error outside the admin as problem+json, whoever raised it.

    Django and Ninja answer some themselves: an unknown path, a method that is not allowed, a crash
    (in development with its traceback).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_OTHERS):
            return self.get_response(request)
        if len(request.path_info) + len(request.META.get("QUERY_STRING", "")) > settings.LIMITS.max_uri_length:
            return problem("uri_too_long")
        if _declared_length(request) > settings.LIMITS.max_body_bytes:
            return problem("body_too_large", detail=f"Bodies may have up to {settings.LIMITS.max_body_bytes} bytes.")
        response = self.get_response(request)
        if response.status_code < 400 or "json" in response.headers.get("Content-Type", ""):  # noqa: PLR2004  the first error status
            return response
        return _as_problem(response)


def _declared_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _as_problem(response: HttpResponse) -> HttpResponse:
    fallback = "internal_error" if response.status_code >= 500 else "malformed_request"  # noqa: PLR2004  the first server error
    answer = problem(_CODES.get(response.status_code, fallback))
    if "Allow" in response.headers:
        answer["Allow"] = ", ".join(sorted(response.headers["Allow"].split(", ")))
    return answer
