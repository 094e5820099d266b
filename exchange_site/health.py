"""Health checks: whether this process is alive, and whether it reaches its dependencies."""

from collections.abc import Callable
from typing import Final

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from wallets.runtime.redis_store import RedisAway, with_redis


def alive(request: HttpRequest) -> HttpResponse:
    """Answer 200 to show that the process is alive."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """Report the state of each dependency. Answer 503 without Postgres; without Redis all still works, slower."""
    states = {name: _state(check) for name, check in _CHECKS.items()}
    usable = states["postgres"] == "ok"
    return JsonResponse({"status": "ok" if usable else "unavailable", **states}, status=200 if usable else 503)


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except (DatabaseError, RedisAway):
        return "unavailable"
    return "ok"


def _ask_postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> object:
    return with_redis(lambda client: client.ping())


_CHECKS: Final[dict[str, Callable[[], object]]] = {"postgres": _ask_postgres, "redis": _ask_redis}
