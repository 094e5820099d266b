"""The places in which requests wait for a thread, shared fairly between addresses."""

from collections import deque

from exchange_site.front.arrivals import Arrival


class Places:
    """A fixed number of places. Addresses take turns, so one that sends many requests delays itself most.

    Code that uses this from several threads holds a lock.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: dict[str, deque[Arrival]] = {}
        self.taken = 0

    def add(self, arrival: Arrival) -> Arrival | None:
        """Give a request a place. If none is free, return the request that goes without: one of whoever has most.

        That is the newest of the address with most places, if this address has fewer; else it is this request.
        """
        goes = None
        if self.taken >= self._most:
            goes = self._make_room(arrival)
            if goes is arrival:
                return goes
        self._of.setdefault(arrival.address, deque()).append(arrival)
        self.taken += 1
        return goes

    def has(self, address: str) -> bool:
        """Say whether a request of the address waits."""
        return address in self._of

    def take(self) -> Arrival:
        """Return the oldest request of the address whose turn it is. There must be one."""
        address, waiting = next(iter(self._of.items()))
        arrival = waiting.popleft()
        del self._of[address]
        if waiting:
            self._of[address] = waiting  # at the end
        self.taken -= 1
        return arrival

    def _make_room(self, arrival: Arrival) -> Arrival:
        most = max(self._of.values(), key=len)
        if len(most) <= max(len(self._of.get(arrival.address, ())), 1):
            return arrival
        self.taken -= 1
        return most.pop()
