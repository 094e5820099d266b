"""Threads that answer complete requests, one at a time each. A thread keeps its connections to Postgres and Redis."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from exchange_site.front.arrivals import Arrival
from exchange_site.front.environ import make_environ
from exchange_site.front.late import Headers, LateAnswers
from exchange_site.front.places import Places
from exchange_site.front.refusals import refuse
from exchange_site.front.streams import Streams
from exchange_site.front.waiting import Waiting
from wallets.web.long_answers import LongAnswer
from wallets.web.problems import INTERNAL_ERROR, NO_ROOM, TOO_MANY_AT_ONCE
from wallets.web.waiting_answers import WaitingAnswer

logger = logging.getLogger(__name__)

_JOIN_SECONDS: Final = 2
_PAGES: Final = 4  # one place for pages for so many others
_LOOK: Final = True
_END: Final = False

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]
"""An application as WSGI defines it (PEP 3333)."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Asks the application, and sends its answers: at once, late, or piece by piece. Or it lets the request wait."""

    application: Application
    late: LateAnswers
    streams: Streams
    waiting: Waiting

    def answer(self, arrival: Arrival) -> None:
        """Run the application, send its answer, and close it in this thread, which holds the connections."""
        began: list[Any] = []
        response = self.application(make_environ(arrival), lambda *given: began.extend(given[:2]))
        try:
            status, headers = int(began[0][:3]), began[1]
            if isinstance(response, WaitingAnswer):
                self._keep(arrival, response)
            elif isinstance(response, LongAnswer) and arrival.method == "HEAD":
                self.late.send(arrival, status, headers, b"")  # nothing would read the pipe of a long answer
            elif isinstance(response, LongAnswer):
                self._send_long(arrival, status, headers, iter(response))
            else:
                self.late.send(arrival, status, headers, b"".join(response))
        finally:
            response.close()

    def _keep(self, arrival: Arrival, answer: WaitingAnswer) -> None:
        if refusal := self.waiting.keep(arrival, answer):
            refused, kind = refusal
            refuse(refused, kind, late=self.late)

    def _send_long(self, arrival: Arrival, status: int, headers: Headers, pieces: Iterator[bytes]) -> None:
        if self.streams.has_room_for(arrival.address):
            self.streams.send(arrival, status, headers, pieces)
        else:
            refuse(arrival, TOO_MANY_AT_ONCE, late=self.late)


class Lane:
    """A fixed number of threads, and a fixed number of places in which no request waits for long.

    Pages of the admin are slow. They have places of their own, and use at most half of the threads at a time.
    """

    def __init__(self, sender: Sender, *, name: str, threads: int, places: int, most_seconds: float) -> None:
        self._sender = sender
        self._most_seconds = most_seconds
        self._late = sender.late
        self._lock = Lock()
        self._calls, self._pages = Places(places), Places(max(places // _PAGES, 1))
        self._most_pages = max(threads // 2, 1)
        self._pages_begun = 0
        self._is_turn_of_pages = False
        # At least one _LOOK for each request that a thread may begin.
        self._signals: SimpleQueue[bool] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def take(self, arrival: Arrival) -> None:
        """Give a request a place. Without a free one, the address that has most is refused: 429; or this one: 503."""
        arrival.queued = time.monotonic()
        places = self._pages if arrival.is_page else self._calls
        with self._lock:
            goes = places.add(arrival)
            has_others = goes is not None and places.has(goes.address)
        if goes is None:
            self._signals.put(_LOOK)
        else:
            refuse(goes, TOO_MANY_AT_ONCE if has_others else NO_ROOM, late=self._late)

    def stop(self) -> None:
        """End the threads after the requests that wait, so that they close their connections."""
        for _ in self._threads:
            self._signals.put(_END)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while self._signals.get():
            self._answer_next()
        while self._answer_next():
            pass

    def _answer_next(self) -> bool:
        """Answer the request whose turn it is. Say whether there was one that may begin."""
        arrival = self._next()
        if arrival is None:
            return False
        try:
            self._answer(arrival)
        finally:
            if arrival.is_page:
                self._end_page()
        return True

    def _next(self) -> Arrival | None:
        """Calls and pages take turns, as far as pages may begin."""
        with self._lock:
            may_be_page = self._pages.taken and self._pages_begun < self._most_pages
            if may_be_page and (self._is_turn_of_pages or not self._calls.taken):
                self._is_turn_of_pages = False
                self._pages_begun += 1
                return self._pages.take()
            self._is_turn_of_pages = True
            return self._calls.take() if self._calls.taken else None

    def _end_page(self) -> None:
        with self._lock:
            self._pages_begun -= 1
            others_wait = self._pages.taken
        if others_wait:
            self._signals.put(_LOOK)

    def _answer(self, arrival: Arrival) -> None:
        if time.monotonic() - arrival.queued > self._most_seconds:
            # The caller has probably gone, and may repeat the request.
            refuse(arrival, NO_ROOM)
            return
        try:
            if arrival.before:
                arrival.before(arrival)
            else:
                self._sender.answer(arrival)
        except BaseException:  # Granian raises a BaseException for a header that it cannot send; the thread goes on
            logger.exception("%s %s crashed", arrival.scope.method, arrival.scope.path)
            refuse(arrival, INTERNAL_ERROR)
