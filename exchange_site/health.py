"""Health checks: whether this process is alive, and whether it can write to its dependencies."""

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Final

import psycopg
import redis
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from exchange_site.database.role_check import find_fault_of_unchecked_role
from wallets.runtime import clock
from wallets.runtime.postgres.connections import KeptConnection, report_loss
from wallets.runtime.redis_store import open_client

OK: Final = "ok"
READ_ONLY: Final = "read_only"
UNAVAILABLE: Final = "unavailable"
DRIFTED: Final = "drifted"

_LIMIT_SECONDS: Final = 2
_MAY_WRITE: Final = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
_REFUSES_WRITERS: Final = ("session is read-only", "server is in hot standby mode")  # libpq, of target_session_attrs


class _Question(KeptConnection):
    """A connection for one question.

    It has less time than others. That it is lost shows that Postgres is slow, and not that another server took over: if
    all connections of the process were opened anew, Postgres would become slower still.
    """

    speaks_for_others = False


def alive(request: HttpRequest) -> HttpResponse:
    """Answer 200 to show that the process is alive."""
    return JsonResponse({"status": OK})


def ready(request: HttpRequest) -> HttpResponse:
    """Report the state of each dependency within two seconds, and whether our clock and Postgres' agree.

    Answer 503 if Postgres does not answer or may not be written to, and if the clock has drifted: whatever still asks
    the host for the time is wrong. Without Redis all still works, slower.
    """
    states = _ask_all()
    states["clock"] = _clock_state(postgres_answers=states["postgres"] == OK)
    usable = states["postgres"] == states["clock"] == OK
    answer = {"status": OK if usable else UNAVAILABLE, **states}
    return JsonResponse(answer, status=200 if usable else 503)


def _ask_all() -> dict[str, str]:
    """Ask all dependencies at the same time, over new connections.

    A connection of this thread might lead to a server that has been replaced, or be silent.
    """
    parameters = connection.get_connection_params()
    threads = ThreadPoolExecutor(2)
    asked = {
        "postgres": threads.submit(_ask_postgres, parameters),
        "redis": threads.submit(_ask_redis),
    }
    wait(asked.values(), timeout=_LIMIT_SECONDS)
    threads.shutdown(wait=False)
    return {name: answer.result() if answer.done() else UNAVAILABLE for name, answer in asked.items()}


def _ask_postgres(parameters: dict[str, Any]) -> str:
    try:
        with _Question.connect(**{**parameters, "autocommit": True, "prepare_threshold": None}) as asked:
            asked.answer_within_seconds = _LIMIT_SECONDS
            may_write = asked.execute(_MAY_WRITE).fetchone()
            if find_fault_of_unchecked_role(asked):
                return UNAVAILABLE
    except psycopg.Error as error:
        return READ_ONLY if any(words in str(error) for words in _REFUSES_WRITERS) else UNAVAILABLE
    if may_write == (True,):
        return OK
    report_loss()  # connections that were opened before may lead to a server that was replaced
    return READ_ONLY


def _ask_redis() -> str:
    try:
        with open_client() as client:
            client.set("health", 1, px=1000)
    except redis.ReadOnlyError:
        return READ_ONLY
    except (redis.RedisError, OSError):
        return UNAVAILABLE
    return OK


def _clock_state(*, postgres_answers: bool) -> str:
    if postgres_answers and clock.find_drift() is None:
        with suppress(Error):
            clock.measure_if_due()
    return DRIFTED if clock.has_drifted() else OK
