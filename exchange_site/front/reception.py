"""Which lane answers a request, and whether its body is admitted."""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError

from exchange_site.front.arrivals import Arrival, is_order, is_page
from exchange_site.front.bodies import Bodies
from exchange_site.front.callers import Callers
from exchange_site.front.lanes import Application, Lane, Sender
from exchange_site.front.late import LateAnswers, brings_password
from exchange_site.front.readings import refuse_too_large
from exchange_site.front.refusals import record_gone, refuse
from exchange_site.front.staff import find_staff, has_session
from exchange_site.front.streams import Streams
from exchange_site.front.waiting import Waiting
from wallets.web.problems import NO_ROOM, TOO_MANY_AT_ONCE, UNAVAILABLE, ProblemKind

_MOST_LARGE_BODIES: Final = 16  # of 2 MiB each, in memory at once
_MOST_OF_ONE: Final = 4  # member of staff
_SIDE_PLACES: Final = 16

Take = Callable[[Arrival], None]


class Reception:
    """Receives requests from Granian and never waits.

    Orders that are placed have threads of their own: most of them wait for others of their group, and would keep reads
    waiting. `/health/` has a thread of its own; readiness and metrics, which ask Postgres, share another. So health
    checks are answered while all other threads wait for Postgres.
    """

    def __init__(self, application: Application) -> None:
        serving = settings.SERVING
        self._bodies = Bodies(timeout_seconds=serving.request_timeout.total_seconds())
        self._lock = Lock()  # large bodies are counted and begun in several threads
        self._callers, self._late = Callers(), LateAnswers()
        self._streams, self._waiting = Streams(), Waiting(resume=self._take, lose=record_gone)
        sender = Sender(application=application, late=self._late, streams=self._streams, waiting=self._waiting)
        make = partial(Lane, sender, most_seconds=serving.queue_timeout.total_seconds())
        self._common = make(name="answers", threads=serving.web_threads, places=serving.web_queue)
        self._orders = make(name="orders", threads=serving.order_threads, places=serving.web_queue)
        alive, watched = (make(name=name, threads=1, places=_SIDE_PLACES) for name in ("alive", "watched"))
        self._side = {"/health": alive, "/health/ready": watched, "/metrics": watched}

    def receive(self, scope: Any, proto: Any) -> None:
        """Hand a request to its lane as soon as its body is here."""
        headers, path = scope.headers, scope.path
        arrival = Arrival(scope, proto, self._callers.find_address(scope), is_page(path))
        side = self._side.get(path.rstrip("/"))
        take = side.take if side else self._take
        if "transfer-encoding" in headers:
            self._admit(arrival, None, take)
        elif size := int(headers.get("content-length") or 0):
            self._admit(arrival, size, take)
        else:
            take(arrival)

    def hurry(self) -> None:
        """Give up bodies that do not arrive soon, and let no request wait, because the process is ending."""
        self._bodies.hurry()
        self._waiting.hurry()

    def stop(self) -> None:
        """End all threads."""
        self._bodies.stop()
        self._waiting.stop()
        for lane in (self._common, self._orders, *dict.fromkeys(self._side.values())):
            lane.stop()
        self._streams.stop()
        self._late.stop()

    def _take(self, arrival: Arrival) -> None:
        if brings_password(arrival) and self._late.has_enough_of(arrival.address):
            refuse(arrival, TOO_MANY_AT_ONCE)
        elif is_order(arrival):
            self._orders.take(arrival)
        else:
            self._common.take(arrival)

    def _admit(self, arrival: Arrival, size: int | None, take: Take) -> None:
        """Read a body, if it may have its size. A large one may come from staff only, and only for the admin."""
        small, large = settings.LIMITS.max_body_bytes, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        may_be_large = arrival.is_page and has_session(arrival.scope.headers)
        if size is not None and size > (large if may_be_large else small):
            refuse_too_large(arrival, limit=large if may_be_large else small)
            self._drain(arrival)
        elif may_be_large and (size is None or size > small):
            arrival.before = partial(self._admit_large, size=size, take=take)
            take(arrival)
        else:
            self._read(arrival, size, limit=small, take=take)

    def _admit_large(self, arrival: Arrival, *, size: int | None, take: Take) -> None:
        """Read a large body if a member of staff sends it, in a thread that may ask Postgres for the session."""
        arrival.before = None
        small = settings.LIMITS.max_body_bytes
        try:
            staff = find_staff(arrival.scope.headers)
        except DatabaseError:
            self._refuse_body(arrival, UNAVAILABLE)
            return
        if staff is not None:
            self._read_of_staff(arrival, size, staff=staff, take=take)
        elif size is None:
            self._read(arrival, size, limit=small, take=take)
        else:
            refuse_too_large(arrival, limit=small)
            self._drain(arrival)

    def _read_of_staff(self, arrival: Arrival, size: int | None, *, staff: int, take: Take) -> None:
        with self._lock:
            reading = self._bodies.count_by_staff()
            has_share, has_room = reading[staff] < _MOST_OF_ONE, reading.total() < _MOST_LARGE_BODIES
            if has_share and has_room:
                arrival.staff = staff
                self._read(arrival, size, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, take=take)
                return
        self._refuse_body(arrival, NO_ROOM if has_share else TOO_MANY_AT_ONCE)

    def _read(self, arrival: Arrival, size: int | None, *, limit: int, take: Take) -> None:
        if size is None:
            self._bodies.read_chunked(arrival, limit=limit, take=take)
        else:
            self._bodies.read_whole(arrival, size=size, take=take)

    def _refuse_body(self, arrival: Arrival, kind: ProblemKind) -> None:
        refuse(arrival, kind, closes=True)
        self._drain(arrival)

    def _drain(self, arrival: Arrival) -> None:
        """Discard a body, unless the caller waits with it for the answer that it now has (RFC 9110, Expect)."""
        if "expect" not in arrival.scope.headers:
            self._bodies.drain(arrival)
