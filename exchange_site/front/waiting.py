"""Requests that wait until a record changes (wallets.web.waiting_answers), in no thread of their own.

One thread asks Postgres for the states of all records that are waited for, in one statement, several times a second.
So a process needs one connection more while anybody waits, and none for a request; it does not matter which process or
host changes the record. NOTIFY would be told earlier, but takes a lock of the whole server at each commit.

The places are shared between addresses as those of a lane are (exchange_site.front.places): while none is free, the
address with most gives up its newest one to an address that has fewer. So many accounts of one caller keep nobody out.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any, Final

from django.db import close_old_connections, connections

from exchange_site.front.arrivals import Arrival
from wallets.web.problems import NO_ROOM, TOO_MANY_AT_ONCE, TOO_MANY_WAIT, ProblemKind
from wallets.web.waiting_answers import ReadStates, WaitingAnswer, Watched

logger = logging.getLogger(__name__)

_MOST: Final = 200
_MOST_OF_ONE: Final = 8  # customer
_LOOK_SECONDS: Final = 0.2

_States = dict[ReadStates, Mapping[int, str]]

Refusal = tuple[Arrival, ProblemKind]
"""A request that may not wait, or not any longer, and the problem to answer."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """A waiting request, the record that it waits for, and its end (monotonic seconds).

    `gone` is Granian's future, which ends when the caller has gone.
    """

    arrival: Arrival
    watched: Watched
    until: float
    gone: Any


class Waiting:
    """The requests of a process that wait.

    `resume` is given each one that has waited for long enough, `lose` each one whose caller has gone.
    """

    def __init__(self, *, resume: Callable[[Arrival], None], lose: Callable[[Arrival], None]) -> None:
        self._resume, self._lose = resume, lose
        self._lock = Lock()
        self._waiters: dict[_Waiter, None] = {}
        self._of: Counter[int] = Counter()
        self._any, self._hurried, self._ended = Event(), Event(), Event()
        self._is_blind = False
        self._thread = Thread(target=self._run, name="waiting", daemon=True)
        self._thread.start()

    def keep(self, arrival: Arrival, answer: WaitingAnswer) -> Refusal | None:
        """Let a request wait. If too many do, return the one to refuse: this one, or another that makes room for it.

        Nobody waits for a process that ends.
        """
        arrival.waited = answer
        if self._hurried.is_set():
            self._resume(arrival)
            return None
        until = time.monotonic() + answer.watched.seconds
        gone = arrival.proto.client_disconnect()
        waiter = _Waiter(arrival, answer.watched, until, gone=gone)
        refused, kind = self._add(waiter)
        if refused is not waiter:
            gone.add_done_callback(lambda _: self._leave(waiter))  # the waiter's own may be None by now
        if refused is None:
            return None
        _cease(refused)
        return refused.arrival, kind

    def hurry(self) -> None:
        """Let nobody wait any more, because the process is ending."""
        self._hurried.set()

    def stop(self) -> None:
        """End the thread, and let nobody wait any more."""
        self._hurried.set()
        with self._lock:
            self._ended.set()
            self._any.set()
        self._thread.join()

    def _add(self, waiter: _Waiter) -> tuple[_Waiter | None, ProblemKind]:
        """Give a request a place. Return the one that goes without, if one does, and the problem to answer then."""
        customer = waiter.watched.customer_id
        with self._lock:
            if self._of[customer] >= _MOST_OF_ONE:
                return waiter, TOO_MANY_WAIT
            refused, kind = self._make_room(waiter) if len(self._waiters) >= _MOST else (None, NO_ROOM)
            if refused is not waiter:
                self._waiters[waiter] = None
                self._of[customer] += 1
                self._any.set()
        return refused, kind

    def _make_room(self, waiter: _Waiter) -> tuple[_Waiter, ProblemKind]:
        """Take the place of the newest request of the address with most, if this one's address has fewer; else this one
        goes without.
        """
        places = Counter(each.arrival.address for each in self._waiters)
        [(address, most)], own = places.most_common(1), places[waiter.arrival.address]
        if most <= max(own, 1):
            return waiter, TOO_MANY_AT_ONCE if own else NO_ROOM
        newest = next(each for each in reversed(self._waiters) if each.arrival.address == address)
        self._drop(newest)
        return newest, TOO_MANY_AT_ONCE

    def _leave(self, waiter: _Waiter) -> None:
        if self._forget(waiter):
            self._lose(waiter.arrival)

    def _forget(self, waiter: _Waiter) -> bool:
        """Let go of a request. Say whether it waited still."""
        with self._lock:
            return self._drop(waiter)

    def _drop(self, waiter: _Waiter) -> bool:
        """Let go of a request while the lock is held. Say whether it waited still."""
        if waiter not in self._waiters:
            return False
        del self._waiters[waiter]
        self._of[waiter.watched.customer_id] -= 1
        if not self._of[waiter.watched.customer_id]:
            del self._of[waiter.watched.customer_id]
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            self._any.wait()
            self._hurried.wait(_LOOK_SECONDS)
            self._end_ready()
            self._rest()
        self._end_ready()  # those who came in between

    def _end_ready(self) -> None:
        for waiter in self._find_ready():
            try:
                self._end(waiter)
            except BaseException:  # Granian raises a BaseException for a header that it cannot send; the thread goes on
                logger.exception("%s %s was not answered", waiter.arrival.scope.method, waiter.arrival.scope.path)

    def _rest(self) -> None:
        """Give the connection back if nobody waits."""
        with self._lock:
            if self._waiters or self._ended.is_set():
                return
            self._any.clear()
        connections.close_all()

    def _find_ready(self) -> list[_Waiter]:
        """Return the requests whose record has changed or whose time is over; all of them when the process ends."""
        with self._lock:
            waiting = list(self._waiters)
        if self._hurried.is_set():
            return waiting
        states, now = self._look(waiting), time.monotonic()
        return [waiter for waiter in waiting if now >= waiter.until or _has_changed(waiter.watched, states)]

    def _look(self, waiting: list[_Waiter]) -> _States:
        """Return the states of the records. Without Postgres nothing has changed, which is logged once."""
        try:
            states = _read_states(waiting)
        except Exception:
            if not self._is_blind:
                logger.exception("the records that requests wait for were not read")
            self._is_blind = True
            return {}
        self._is_blind = False
        return states

    def _end(self, waiter: _Waiter) -> None:
        if not self._forget(waiter):
            return
        _cease(waiter)
        self._resume(waiter.arrival)


def _cease(waiter: _Waiter) -> None:
    """Cease to watch for the end of the connection."""
    waiter.gone.cancel()
    waiter.gone = None  # it refers to the waiter: the request would stay until the garbage collector runs


def _read_states(waiting: list[_Waiter]) -> _States:
    """Read the states of all records that are waited for."""
    keys: dict[ReadStates, set[int]] = defaultdict(set)
    for waiter in waiting:
        keys[waiter.watched.read].add(waiter.watched.key)
    close_old_connections()
    return {read: read(of_kind) for read, of_kind in keys.items()}


def _has_changed(watched: Watched, states: _States) -> bool:
    return watched.read in states and states[watched.read].get(watched.key) != watched.seen
