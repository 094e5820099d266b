"""Answers that are held back for a while, in no thread of their own, so that whoever is refused cannot go on at once.

Most floods wait for each answer before the next request. So a refusal that comes late costs them, and nobody else.
"""

import logging
import time
from collections import Counter
from http import HTTPStatus
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Final

from exchange_site.front.arrivals import Arrival

logger = logging.getLogger(__name__)

_SECONDS: Final = 0.5
_MOST: Final = 2000
_MOST_SIGN_INS: Final = 20  # of one address
_REFRESH: Final = "/api/v1/accounts/auth/refresh"
_OF_API: Final = ("/api/v1/accounts/auth/login", "/api/v1/accounts/auth/register", _REFRESH)
_OF_ADMIN: Final = ("/admin/login", "/admin/password_change")

Headers = list[tuple[str, str]]
_Held = tuple[float, Arrival, int, Headers, bytes]


class LateAnswers:
    """Sends answers: refusals of floods half a second late, all others at once.

    Late are 429, `busy`, and forms with a password that were not accepted: a page does not say why.
    """

    def __init__(self) -> None:
        self._held: SimpleQueue[_Held | None] = SimpleQueue()  # all wait equally long, so they leave in order
        self._lock = Lock()
        self._sign_ins: Counter[str] = Counter()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="late", daemon=True)
        self._thread.start()

    def send(self, arrival: Arrival, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer now or late."""
        if status < HTTPStatus.BAD_REQUEST and not arrival.is_page:
            arrival.proto.response_bytes(status, headers, body)
        elif _is_refusal(arrival, status):
            self.hold(arrival, status, headers, body)
        else:
            arrival.proto.response_bytes(status, headers, body)

    def hold(self, arrival: Arrival, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer late; at once if many are held already."""
        if self._held.qsize() >= _MOST or self._stopped.is_set():
            arrival.proto.response_bytes(status, headers, body)
            return
        if brings_password(arrival):
            with self._lock:
                self._sign_ins[arrival.address] += 1
        arrival.body = b""
        self._held.put((time.monotonic() + _SECONDS, arrival, status, headers, body))

    def has_enough_of(self, address: str) -> bool:
        """Say whether so many refused sign-ins of the address are held that its next one need not be tried."""
        return self._sign_ins.get(address, 0) >= _MOST_SIGN_INS

    def stop(self) -> None:
        """Send what is held, and end the thread."""
        self._stopped.set()
        self._held.put(None)
        self._thread.join()

    def _run(self) -> None:
        while held := self._held.get():
            self._stopped.wait(max(held[0] - time.monotonic(), 0))
            self._release(*held[1:])
            held = None  # a thread that waits keeps no request

    def _release(self, arrival: Arrival, status: int, headers: Headers, body: bytes) -> None:
        try:
            arrival.proto.response_bytes(status, headers, body)
        except BaseException:  # Granian raises a BaseException for a header that it cannot send; the thread goes on
            logger.exception("%s %s was not answered", arrival.scope.method, arrival.scope.path)
        if brings_password(arrival):
            self._forget(arrival.address)

    def _forget(self, address: str) -> None:
        with self._lock:
            self._sign_ins[address] -= 1
            if not self._sign_ins[address]:
                del self._sign_ins[address]


def brings_password(arrival: Arrival) -> bool:
    """Say whether a request brings a password."""
    return _is_sign_in(arrival) and arrival.scope.path.rstrip("/") != _REFRESH


def _is_sign_in(arrival: Arrival) -> bool:
    """Say whether a request brings a password or a refresh token."""
    return arrival.method == "POST" and arrival.scope.path.rstrip("/") in {*_OF_API, *_OF_ADMIN}


def _is_refusal(arrival: Arrival, status: int) -> bool:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if not _is_sign_in(arrival):
        return False
    return status == HTTPStatus.SERVICE_UNAVAILABLE or (arrival.is_page and status != HTTPStatus.FOUND)
