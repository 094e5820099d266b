"""Bodies of requests: their limits, and bodies of unknown length."""

from io import BytesIO
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from exchange_site.middleware.requests import GetResponse
from wallets.web.problems import BODY_TOO_LARGE, MALFORMED_REQUEST, answer_problem
from wallets.web.requests import declared_length

_ADMIN: Final = "/admin/"


class RequestBodies:
    """Refuse bodies above the limit, and read bodies that come in chunks, which Django would not.

    AdminForms refuses the admin's forms, by limits of its own.

    WSGI knows no body without a length (PEP 3333), so Django takes such a body for empty. A server that hands bodies
    over whole gives their length, and then there is nothing to read.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_TRANSFER_ENCODING" not in request.META and not request.META.get("CONTENT_LENGTH"):
            return self.get_response(request)
        limit = _limit_of(request)
        if declared_length(request) > limit and not request.path_info.startswith(_ADMIN):
            return _refuse_too_large(limit)
        if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
            try:
                body = request.META["wsgi.input"].read(limit + 1)
            except OSError:  # the caller broke off
                return answer_problem(MALFORMED_REQUEST)
            if len(body) > limit:
                return _refuse_too_large(limit)
            _take(request, body)
        return self.get_response(request)


def _limit_of(request: HttpRequest) -> int:
    """Return the largest body that the path takes, in bytes: the admin has long forms."""
    limit: int = settings.LIMITS.max_body_bytes
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) if request.path_info.startswith(_ADMIN) else limit


def _refuse_too_large(limit: int) -> HttpResponse:
    return answer_problem(BODY_TOO_LARGE, detail=f"Bodies may have up to {limit} bytes.")


def _take(request: HttpRequest, body: bytes) -> None:
    """Hand a body to Django as if its length had been declared."""
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)  # noqa: SLF001  Django has no public way
