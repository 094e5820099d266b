"""How soon a lane asks for jobs again: soon while orders come one by one, later while there are none or many."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

_QUICKER: Final = 10
"""How many times as often as usual a worker asks while orders come one by one. Several workers share that."""
_SLOWER: Final = 2
"""How many times less often than usual a worker asks while many orders come. One purchase buys for all of them."""
_MEMORY_SECONDS: Final = 10.0
_CROWD: Final = 10
_CROWD_SECONDS: Final = 2.0
_COINS_OF_CROWD: Final = 5
"""A crowd is of at most so many coins: only orders of one coin share a purchase."""


class Pace:
    """The waits between two looks at the queue, by the claims for orders that were found lately.

    `usual_seconds` is the wait while no orders come. `workers` is the number of workers that are alive.
    """

    def __init__(self, *, usual_seconds: float, read_clock: Callable[[], float] = time.monotonic) -> None:
        self._usual_seconds, self._read_clock = usual_seconds, read_clock
        self._found: deque[tuple[float, object]] = deque(maxlen=_CROWD)
        self.workers = 1

    def note_claim(self, *, coin_id: object) -> None:
        """Say that a claim for orders of a coin was found."""
        self._found.append((self._read_clock(), coin_id))

    def wait_seconds(self) -> float:
        """Return the wait before the next look at a queue in which nothing is left."""
        now = self._read_clock()
        if not self._found or now - self._found[-1][0] > _MEMORY_SECONDS:
            return self._usual_seconds
        if self._is_crowded(now):
            return self._usual_seconds * _SLOWER
        return min(self._usual_seconds * self.workers / _QUICKER, self._usual_seconds)

    def _is_crowded(self, now: float) -> bool:
        """Say whether more than a few claims a second were found, or would have been without the other workers."""
        if len(self._found) < _CROWD or now - self._found[0][0] >= _CROWD_SECONDS * self.workers:
            return False
        return len({coin_id for _, coin_id in self._found}) <= _COINS_OF_CROWD
