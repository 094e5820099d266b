"""Growing numbers for keys whose every request needs a larger number than all before it.

The number is the time by Postgres' clock in nanoseconds, so that hosts need no store for it: the number of a host whose
own clock is ahead would keep all others out. A request that overtakes another makes the other's number too small, and
the venue refuses it. So the requests of a key take turns on a host: a file is locked from the number until the answer,
or for a second at most; then the next one goes all the same. The file holds the last number, because processes measure
Postgres' clock with small errors. No database connection is held meanwhile. Between hosts only the venue can help: see
docs/venues.md.
"""

import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from settlement.venues.deadlines import seconds_left
from wallets.runtime import clock

_LONGEST_WAIT_SECONDS: Final = 1.0
_STEP_SECONDS: Final = 0.002
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DIGITS: Final = 20

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
        number = None
        with suppress(OSError):
            handle = _wait_for_processes(key, held, until=until)
            number = _next_number_in(handle)
        yield number or next_number()


def next_number(*, above: int = 0) -> int:
    """Return the time in nanoseconds since 1970, and more than `above` and any number before it in this process."""
    global _last  # noqa: PLW0603  one counter for each process
    with _last_lock:
        now = (clock.now() - _EPOCH) // timedelta(microseconds=1) * 1000
        _last = max(_last, above, now - 1) + 1
        return _last


_of_threads: Final[dict[str, threading.Lock]] = {}


def _wait_for_threads(key: str, held: ExitStack, *, until: float) -> None:
    lock = _of_threads.setdefault(key, threading.Lock())
    if lock.acquire(timeout=max(until - time.monotonic(), 0)):
        held.callback(lock.release)


def _wait_for_processes(key: str, held: ExitStack, *, until: float) -> int:
    """Return the open file of the key's turns, which is closed with `held`. Raises OSError."""
    handle = os.open(_file_of(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    held.callback(os.close, handle)  # and with it the lock goes
    while not _is_locked(handle) and time.monotonic() < until:
        time.sleep(_STEP_SECONDS)
    return handle


def _next_number_in(handle: int) -> int:
    """Return a number above the file's, and write it there. Raises OSError."""
    written = os.pread(handle, _MOST_DIGITS, 0)
    number = next_number(above=int(written) if written.isdigit() else 0)
    os.pwrite(handle, f"{number:0{_MOST_DIGITS}}".encode(), 0)
    return number


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
