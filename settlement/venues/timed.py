"""Connections whose every wait ends in time, however the venue spreads its bytes.

A socket's own timeout begins anew with every byte, so an answer that drips never runs into it. Here each read gets the
time that the request has left. The same clock bounds the look-up of the venue's address and the connection, and a
counter bounds what arrives: status line, headers and trailers have no other limit.
"""

import io
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from settlement.venues.deadlines import OutOfTime
from settlement.venues.handover import hand_over

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADERS: Final = 128 * 1024
"""Bytes that an answer may have besides its body."""


class TooMuch(OSError):
    """More bytes arrived than the answer may have."""


class Clock:
    """The time and the bytes that one request has left."""

    def __init__(self, *, connected_by: float, ends_at: float, silence_seconds: float, bytes_at_most: int) -> None:
        self._connected_by = min(connected_by, ends_at)
        self._ends_at = ends_at
        self._silence = silence_seconds
        self._bytes_left = bytes_at_most + _HEADERS

    def seconds_to_connect(self) -> float:
        """Return the seconds until a connection has to be open. Raises OutOfTime."""
        return _left_until(self._connected_by)

    def seconds_to_wait(self) -> float:
        """Return the longest wait for the next bytes. Raises OutOfTime."""
        return min(_left_until(self._ends_at), self._silence)

    def take(self, count: int) -> None:
        """Count bytes that arrived. Raises TooMuch."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise TooMuch("the answer is too large")


_clock: ContextVar[Clock] = ContextVar("clock_of_the_request")


@contextmanager
def timed_by(clock: Clock) -> "Iterator[None]":
    """Time all connections inside the block by this clock."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


class _TimedReader(socket.SocketIO):
    def readinto(self, buffer: Any) -> int | None:
        clock = _clock.get()
        self._sock.settimeout(clock.seconds_to_wait())  # type: ignore[attr-defined]  # not in the published types
        count = super().readinto(buffer)
        clock.take(count or 0)
        return count


class _TimedSocket:
    """A connected socket, plain or with TLS, whose reads and writes are timed by the request's clock."""

    def __init__(self, connected: Any) -> None:
        self._socket = connected

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        self._socket._io_refs += 1  # noqa: SLF001  as socket.makefile does: the socket closes after its last reader
        return io.BufferedReader(_TimedReader(self._socket, "r"))

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_clock.get().seconds_to_wait())
        hand_over()
        self._socket.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Timed:
    """What both kinds of connection have in common."""

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # of HTTPConnection
        self.sock: Any = _TimedSocket(self.sock)

    def _new_conn(self) -> socket.socket:
        clock, this = _clock.get(), _as_connection(self)
        try:
            return _connect(this, clock=clock)
        except socket.gaierror as error:
            raise NameResolutionError(this.host, this, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(this, f"no connection to {this.host} in time") from error
        except OSError as error:
            raise NewConnectionError(this, f"no connection to {this.host}: {error}") from error


class _TimedHTTP(_Timed, HTTPConnection):
    pass


class _TimedHTTPS(_Timed, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _TimedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPS


TIMED_POOLS: Final = {"http": _HTTPPool, "https": _HTTPSPool}
"""Classes of connection pools, by scheme, for `PoolManager.pool_classes_by_scheme`."""


def _as_connection(connection: Any) -> HTTPConnection:
    assert isinstance(connection, HTTPConnection)
    return connection


def _connect(connection: HTTPConnection, *, clock: Clock) -> socket.socket:
    """Try the host's addresses, all of them together within the time to connect."""
    failure: OSError | None = None
    host, port = connection._dns_host, connection.port or 0  # noqa: SLF001  as HTTPConnection._new_conn does
    for address in _resolve(host, port, seconds=clock.seconds_to_connect()):
        try:
            connected = create_connection(
                (address, port), clock.seconds_to_connect(), socket_options=connection.socket_options
            )
        except OSError as error:
            failure = error
            continue
        connected.settimeout(clock.seconds_to_connect())  # for the handshake of TLS, which it bounds as a whole
        return connected
    raise failure or OSError("the host has no address")


_resolving: dict[tuple[str, int], "Future[list[str]]"] = {}
_resolving_lock: Final = threading.Lock()


def _resolve(host: str, port: int, *, seconds: float) -> list[str]:
    """Return the host's addresses. Raises OutOfTime and socket.gaierror.

    The system's resolver has no timeout, so it runs in a thread; all calls for a host wait for the same one.
    """
    if _is_address(host):
        return [host]
    with _resolving_lock:
        found = _resolving.get((host, port))
        if found is None:
            found = _resolving[host, port] = Future()
            threading.Thread(target=_look_up, args=(host, port, found), name="resolver", daemon=True).start()
    try:
        return found.result(seconds)
    except FutureTimeout as error:
        raise OutOfTime(f"no address of {host} in time") from error


def _look_up(host: str, port: int, found: "Future[list[str]]") -> None:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.set_result(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))
    except Exception as error:  # noqa: BLE001  raised again in the threads that wait
        found.set_exception(error)
    finally:
        with _resolving_lock:
            _resolving.pop((host, port), None)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _left_until(moment: float) -> float:
    left = moment - time.monotonic()
    if left <= 0:
        raise OutOfTime("the time for this request is over")
    return left
