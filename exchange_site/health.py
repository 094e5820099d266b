"""Health checks: whether this process is alive, and whether it reaches its dependencies."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from wallets.runtime import clock
from wallets.runtime.redis_store import RedisAway, with_redis


def alive(request: HttpRequest) -> HttpResponse:
    """Answer 200 to show that the process is alive."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """Report the state of each dependency, and whether this host's clock agrees with Postgres'.

    Answer 503 without Postgres, and if the clock has drifted: whatever still asks the host for the time is wrong.
    Without Redis all still works, slower.
    """
    states = {name: _state(check) for name, check in _CHECKS.items()}
    states["clock"] = _clock_state(postgres_answers=states["postgres"] == "ok")
    usable = states["postgres"] == states["clock"] == "ok"
    return JsonResponse({"status": "ok" if usable else "unavailable", **states}, status=200 if usable else 503)


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except (DatabaseError, RedisAway):
        return "unavailable"
    return "ok"


def _clock_state(*, postgres_answers: bool) -> str:
    if postgres_answers and clock.find_drift() is None:
        with suppress(DatabaseError):
            clock.measure_if_due()
    return "drifted" if clock.has_drifted() else "ok"


def _ask_postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> object:
    return with_redis(lambda client: client.ping())


_CHECKS: Final[dict[str, Callable[[], object]]] = {"postgres": _ask_postgres, "redis": _ask_redis}
