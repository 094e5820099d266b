"""Which lane answers a request, and whether its body is admitted."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.conf import settings

from exchange_site.front.arrivals import Arrival
from exchange_site.front.bodies import Bodies
from exchange_site.front.lanes import Application, Lane
from exchange_site.front.readings import refuse_too_large
from exchange_site.front.refusals import refuse
from wallets.web.problems import UNAVAILABLE

_ADMIN: Final = "/admin/"
_MOST_LARGE_BODIES: Final = 16  # of 2 MiB each, in memory at once
_SIDE_PLACES: Final = 16


class Reception:
    """Receives requests from Granian and never waits.

    `/health/` has a thread of its own; readiness and metrics, which ask Postgres, share another. So health checks are
    answered while all other threads wait for Postgres.
    """

    def __init__(self, application: Application) -> None:
        serving = settings.SERVING
        self._bodies = Bodies(timeout_seconds=serving.request_timeout.total_seconds())
        make = partial(Lane, application, most_seconds=serving.queue_timeout.total_seconds())
        self._common = make(name="answers", threads=serving.web_threads, places=serving.web_queue)
        alive, watched = (make(name=name, threads=1, places=_SIDE_PLACES) for name in ("alive", "watched"))
        self._side = {"/health": alive, "/health/ready": watched, "/metrics": watched}

    def receive(self, scope: Any, proto: Any) -> None:
        """Hand a request to its lane as soon as its body is here."""
        arrival, headers = Arrival(scope, proto), scope.headers
        take = self._side.get(scope.path.rstrip("/"), self._common).take
        if "transfer-encoding" in headers:
            self._read(arrival, None, take)
        elif size := int(headers.get("content-length") or 0):
            self._read(arrival, size, take)
        else:
            take(arrival)

    def hurry(self) -> None:
        """Give up bodies that do not arrive soon, because the process is ending."""
        self._bodies.hurry()

    def stop(self) -> None:
        """End all threads."""
        self._bodies.stop()
        for lane in (self._common, *dict.fromkeys(self._side.values())):
            lane.stop()

    def _read(self, arrival: Arrival, size: int | None, take: Callable[[Arrival], None]) -> None:
        small = settings.LIMITS.max_body_bytes
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if arrival.scope.path.startswith(_ADMIN) else small
        most = limit if size is None else size
        if most > limit:
            refuse_too_large(arrival, limit=limit)
            self._drain(arrival)
        elif most > small and self._bodies.count_larger_than(small) >= _MOST_LARGE_BODIES:
            refuse(arrival, UNAVAILABLE, closes=True)
            self._drain(arrival)
        elif size is None:
            self._bodies.read_chunked(arrival, limit=limit, take=take)
        else:
            self._bodies.read_whole(arrival, size=size, take=take)

    def _drain(self, arrival: Arrival) -> None:
        """Discard a body, unless the caller waits with it for the answer that it now has (RFC 9110, Expect)."""
        if "expect" not in arrival.scope.headers:
            self._bodies.drain(arrival)
