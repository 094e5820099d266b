"""Middleware for the admin's forms: how large they may be, and plain pages for what the admin refuses."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from exchange_site.middleware.requests import GetResponse
from wallets.exceptions import DomainError, HashingBusy, RateLimited
from wallets.web.requests import declared_length

_ADMIN: Final = "/admin/"
# Forms with a name and passwords. Anybody may send the first.
_SMALL_FORMS: Final = ("/admin/login/", "/admin/password_change/")


class AdminForms:
    """Refuse a form that is too large before any of it is read, and refuse politely when a password cannot be hashed.

    Django's own limit, DATA_UPLOAD_MAX_MEMORY_SIZE, does not count files in a form: it would read and store them.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_ADMIN) and declared_length(request) > _most_bytes(request.path_info):
            return _answer("The form is too large.", status=413)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal that a form of the admin cannot show."""
        if not request.path_info.startswith(_ADMIN):
            return None
        if isinstance(error, HashingBusy):
            return _refuse(error, status=503, retry_after_seconds=1)
        if isinstance(error, RateLimited):
            return _refuse(error, status=429, retry_after_seconds=error.retry_after_seconds)
        return None


def _most_bytes(path: str) -> int:
    if path in _SMALL_FORMS:
        return settings.LIMITS.max_body_bytes
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0


def _refuse(error: DomainError, *, status: int, retry_after_seconds: int) -> HttpResponse:
    answer = _answer(str(error), status=status)
    answer["Retry-After"] = str(retry_after_seconds)
    return answer


def _answer(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
