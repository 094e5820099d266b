"""Growing numbers for keys whose every request needs a larger number than all before it.

The number is the clock's nanosecond, so that threads, processes and hosts with clocks that agree need no store for it.
A request that overtakes another makes the other's number too small, and the venue refuses it. So the requests of a key
take turns on a host: a file lock is held from the number until the answer, or for a second at most; then the next one
goes all the same. No database connection is held meanwhile. Between hosts only the venue can help: see docs/venues.md.
"""

import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from settlement.venues.deadlines import seconds_left

_LONGEST_WAIT_SECONDS: Final = 1.0
_STEP_SECONDS: Final = 0.002

_last = 0
_last_lock: Final = threading.Lock()


@contextmanager
def take_turn(*, key: str) -> Iterator[int]:
    """Wait for the key's turn on this host, and yield its next number.

    Where no file can be made, as in a container that may not write, only the threads of this process take turns.
    """
    until = time.monotonic() + min(_LONGEST_WAIT_SECONDS, seconds_left())
    with ExitStack() as held:
        _wait_for_threads(key, held, until=until)
        with suppress(OSError):
            _wait_for_processes(key, held, until=until)
        yield next_number()


def next_number() -> int:
    """Return the time in nanoseconds since 1970, and more than any number before it in this process."""
    global _last  # noqa: PLW0603  one counter for each process
    with _last_lock:
        _last = max(_last + 1, time.time_ns())  # noqa: TID251  nothing here is dated by it
        return _last


_of_threads: Final[dict[str, threading.Lock]] = {}


def _wait_for_threads(key: str, held: ExitStack, *, until: float) -> None:
    lock = _of_threads.setdefault(key, threading.Lock())
    if lock.acquire(timeout=max(until - time.monotonic(), 0)):
        held.callback(lock.release)


def _wait_for_processes(key: str, held: ExitStack, *, until: float) -> None:
    handle = os.open(_file_of(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    held.callback(os.close, handle)  # and with it the lock goes
    while not _is_locked(handle) and time.monotonic() < until:
        time.sleep(_STEP_SECONDS)


def _is_locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _file_of(key: str) -> Path:
    """Return the file of a key's turns, whose name does not tell the key."""
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"exchange_site-turns-{os.getuid()}-{name}"
