"""Sends long answers piece by piece, each piece when the caller has taken the one before.

Granian keeps whatever its own streams are given in memory, however slowly the caller takes it. So it is given a pipe
instead, as a file: it reads from there as fast as the caller takes, and a pipe holds 64 KiB. One thread makes the next
piece of an answer when its pipe has room. So no thread waits for a caller, and between two pieces no statement runs.
"""

import fcntl
import logging
import os
import selectors
import socket
import stat
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

from django.db import close_old_connections

from exchange_site.front.arrivals import Arrival
from exchange_site.front.callers import split_address
from exchange_site.front.late import Headers

logger = logging.getLogger(__name__)

_MOST: Final = 200
_MOST_OF_ONE: Final = 8  # address
_SILENT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5


@dataclass(eq=False)
class _Stream:
    """An answer on its way: its pieces, the pipe's ends, what did not fit yet, and when the caller last took some.

    `read_end` stays open until Granian, which opens the pipe by it, has surely done so: it has read of the `written`
    bytes. While it is open, nobody notices that Granian has let go of the pipe. `gone` is Granian's future, which ends
    if the caller has gone before the pipe was opened: then it never is.
    """

    arrival: Arrival
    pieces: Iterator[bytes]
    gone: Any
    read_end: int
    write_end: int
    rest: memoryview = field(default_factory=lambda: memoryview(b""))
    took_at: float = field(default_factory=time.monotonic)
    written: int = 0
    is_written: bool = False


class Streams:
    """The long answers that a process is sending."""

    def __init__(self) -> None:
        self._poller = selectors.DefaultSelector()
        self._open: dict[_Stream, None] = {}
        self._lock = Lock()
        self._begun, self._stopped = Event(), Event()
        self._thread = Thread(target=self._run, name="streams", daemon=True)
        self._thread.start()

    def has_room_for(self, address: str) -> bool:
        """Say whether another long answer may begin, and not too many go to the address already."""
        with self._lock:
            of_one = sum(stream.arrival.address == address for stream in self._open)
            return len(self._open) < _MOST and of_one < _MOST_OF_ONE

    def send(self, arrival: Arrival, status: int, headers: Headers, pieces: Iterator[bytes]) -> None:
        """Begin an answer. `pieces` is read in a thread of this object's; an error there breaks the connection."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        # Only our end must not block: Granian opens the other one anew.
        fcntl.fcntl(write_end, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            gone = arrival.proto.client_disconnect()
            arrival.proto.response_file(status, headers, f"/proc/self/fd/{read_end}")
        except BaseException:
            os.close(read_end)
            os.close(write_end)
            raise
        stream = _Stream(arrival, pieces, gone, read_end, write_end)
        with self._lock:
            self._open[stream] = None
            self._poller.register(write_end, selectors.EVENT_WRITE, stream)
        self._begun.set()

    def stop(self) -> None:
        """Break off what is being sent, because the process is ending."""
        self._stopped.set()
        self._begun.set()
        self._thread.join()
        for stream in list(self._open):
            self._break_off(stream)

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._open:
                self._begun.wait()
                self._begun.clear()
                continue
            for key, _ in self._poller.select(_LOOK_SECONDS):
                self._go_on(key.data)
            self._tidy_up()

    def _go_on(self, stream: _Stream) -> None:
        """Write as much of one piece as the pipe takes."""
        try:
            if not stream.rest:
                close_old_connections()
                stream.rest = memoryview(next(stream.pieces))
            _write(stream)
        except StopIteration:
            self._close_write_end(stream)
        except BrokenPipeError:  # the caller has gone
            self._forget(stream)
        except Exception:
            logger.exception("%s %s broke off", stream.arrival.scope.method, stream.arrival.scope.path)
            self._break_off(stream)

    def _tidy_up(self) -> None:
        """Forget answers that Granian sends on by itself, and those whose callers went before they had any of it.

        Break off those whose callers take nothing.
        """
        now = time.monotonic()
        for stream in list(self._open):
            if stream.read_end >= 0 and _bytes_in(stream.read_end) < stream.written:
                self._close_read_end(stream)
            if stream.gone.done() or (stream.is_written and stream.read_end < 0):
                self._forget(stream)
            elif now - stream.took_at > _SILENT_SECONDS:
                self._break_off(stream)

    def _break_off(self, stream: _Stream) -> None:
        """End an answer so that its caller notices: else the part that they have would look whole."""
        if not stream.is_written:
            cut_connection(stream.arrival.scope.client)
        self._forget(stream)

    def _forget(self, stream: _Stream) -> None:
        stream.gone.cancel()
        self._close_write_end(stream)
        self._close_read_end(stream)
        with self._lock:
            self._open.pop(stream, None)

    def _close_write_end(self, stream: _Stream) -> None:
        if not stream.is_written:
            stream.is_written = True
            self._poller.unregister(stream.write_end)
            os.close(stream.write_end)

    def _close_read_end(self, stream: _Stream) -> None:
        if stream.read_end >= 0:
            os.close(stream.read_end)
            stream.read_end = -1


def _write(stream: _Stream) -> None:
    with suppress(BlockingIOError):
        while stream.rest:
            written = os.write(stream.write_end, stream.rest)
            stream.rest = stream.rest[written:]
            stream.written += written
            stream.took_at = time.monotonic()


def _bytes_in(read_end: int) -> int:
    """Return the number of bytes that wait in a pipe."""
    [count] = struct.unpack("i", fcntl.ioctl(read_end, termios.FIONREAD, b"\0" * 4))
    return int(count)


def cut_connection(client: str) -> None:
    """Cut this process's connection to a caller, `address:port`. Granian has no call for it."""
    wanted = split_address(client)
    for opened in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, or no connection
            if _peer_of(int(opened.name)) == wanted:
                with socket.socket(fileno=os.dup(int(opened.name))) as found:
                    found.shutdown(socket.SHUT_RDWR)
                return


def _peer_of(number: int) -> tuple[str, str] | None:
    """Return the address and port at the other end of an open file, if that is a connection. Raises OSError."""
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return None
    with socket.socket(fileno=os.dup(number)) as found:
        if found.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
        host, port = found.getpeername()[:2]
        return host.partition("%")[0], str(port)
