"""The bodies that are being read. None occupies a thread while it arrives, and none may take longer than the others."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Final

from exchange_site.front.arrivals import Arrival
from exchange_site.front.readings import Chunked, Drain, Reading, Whole

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.25
_HURRY_SECONDS: Final = 1.0
_ABSENT: Final = object()

Take = Callable[[Arrival], None]


class Bodies:
    """Reads bodies, each until it is whole, too large or late."""

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._open: dict[Reading, None] = {}
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="deadlines", daemon=True)
        self._thread.start()

    def read_whole(self, arrival: Arrival, *, size: int, take: Take) -> None:
        """Read a body of declared size, and hand the complete request to `take`; or answer 408."""
        self._begin(Whole(arrival, limit=size, close=self._close, take=take))

    def read_chunked(self, arrival: Arrival, *, limit: int, take: Take) -> None:
        """Read a body of unknown size, and hand the complete request to `take`; or answer 400, 408 or 413."""
        self._begin(Chunked(arrival, limit=limit, close=self._close, take=take, drain=self.drain))

    def drain(self, arrival: Arrival, *, stream: Any = None) -> None:
        """Discard the body, or the rest of it, of a request that has been answered."""
        self._begin(Drain(arrival, stream=stream, close=self._close))

    def count_by_staff(self) -> Counter[int]:
        """Return how many large bodies each member of staff is sending."""
        return Counter(reading.staff for reading in list(self._open) if reading.staff is not None)

    def hurry(self) -> None:
        """Give every body one second at most, because the process is ending."""
        self._timeout_seconds = min(self._timeout_seconds, _HURRY_SECONDS)

    def stop(self) -> None:
        """End the thread that looks for late bodies."""
        self._stopped.set()
        self._thread.join()

    def _begin(self, reading: Reading) -> None:
        self._open[reading] = None
        reading.begin()

    def _close(self, reading: Reading) -> bool:
        """End a reading. Say whether it was open still, because the last byte and the deadline may meet."""
        return self._open.pop(reading, _ABSENT) is not _ABSENT

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            self._give_up_late()

    def _give_up_late(self) -> None:
        now = time.monotonic()
        for reading in list(self._open):
            if now - reading.begun > min(reading.most_seconds, self._timeout_seconds):
                try:
                    reading.give_up()
                except Exception:
                    logger.exception("a late body was not given up")
