"""Finds the member of staff who sends a request, before its body is read."""

from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.cookie import parse_cookie

_COOKIE: Final = "cookie"


def has_session(headers: Any) -> bool:
    """Say whether a request claims a session of the admin. Anybody may claim one."""
    return bool(_session_of(headers))


def find_staff(headers: Any) -> int | None:
    """Return the id of the member of staff whose session a request brings; None for anybody else. Two queries."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(_session_of(headers))
    close_old_connections()
    try:
        user = get_user(request)
        return user.pk if user.is_authenticated and user.is_staff else None
    finally:
        close_old_connections()


def _session_of(headers: Any) -> str:
    return parse_cookie(headers.get(_COOKIE) or "").get(settings.SESSION_COOKIE_NAME, "")
