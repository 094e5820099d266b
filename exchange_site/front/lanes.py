"""Threads that answer complete requests, one at a time each. A thread keeps its connections to Postgres and Redis."""

import logging
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

from exchange_site.front.arrivals import Arrival
from exchange_site.front.environ import make_environ
from exchange_site.front.refusals import refuse
from wallets.web.problems import INTERNAL_ERROR, UNAVAILABLE

logger = logging.getLogger(__name__)

_JOIN_SECONDS: Final = 2

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]
"""An application as WSGI defines it (PEP 3333)."""


class Lane:
    """A fixed number of threads, and a queue with a fixed number of places, in which no request waits for long."""

    def __init__(self, application: Application, *, name: str, threads: int, places: int, most_seconds: float) -> None:
        self._application = application
        self._most_seconds = most_seconds
        self._places = places
        self._queue: SimpleQueue[tuple[Arrival, float] | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def take(self, arrival: Arrival) -> None:
        """Queue a complete request; answer 503 at once if no place is free. Only one thread may call this."""
        if self._queue.qsize() < self._places:
            self._queue.put((arrival, time.monotonic()))
        else:
            refuse(arrival, UNAVAILABLE)

    def stop(self) -> None:
        """End the threads after the requests in the queue, so that they close their connections."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while (taken := self._queue.get()) is not None:
            self._answer(*taken)
            taken = None  # a thread that waits keeps no body

    def _answer(self, arrival: Arrival, queued: float) -> None:
        if time.monotonic() - queued > self._most_seconds:
            # The caller has probably gone, and may repeat the request.
            refuse(arrival, UNAVAILABLE)
            return
        try:
            answer(arrival, self._application)
        except BaseException:  # Granian raises a BaseException for a header that it cannot send; the thread goes on
            logger.exception("%s %s crashed", arrival.scope.method, arrival.scope.path)
            refuse(arrival, INTERNAL_ERROR)


def answer(arrival: Arrival, application: Application) -> None:
    """Run the application and send its answer. Then close the answer, in this thread, which holds the connections."""
    began: list[Any] = []
    response = application(make_environ(arrival), lambda status, headers, _error=None: began.extend((status, headers)))
    try:
        status, headers = began
        arrival.proto.response_bytes(int(status[:3]), headers, b"".join(response))
    finally:
        response.close()
