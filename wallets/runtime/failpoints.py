"""Named places in the code where a test kills or freezes this process to see how the other processes cope.

Off unless FAILPOINTS lists shots (`claim.committed=kill,attempt.sent=stop`). Each shot fires only once among all
processes that share FAILPOINTS_DIR: it hits the process that first creates the file of its name.
"""

import os
import signal
import threading
from contextlib import suppress
from typing import Final

from django.conf import settings

_ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_SHOTS: Final[tuple[str, ...]] = tuple(settings.DEVELOPMENT.failpoints)


def reach(point: str) -> None:
    """Kill or freeze this process if FAILPOINTS lists `point`. Costs nothing without FAILPOINTS."""
    if _SHOTS:
        _fire(point)


def _fire(point: str) -> None:
    for shot in _SHOTS:
        name, _, action = shot.partition("=")
        if name == point:
            with suppress(FileExistsError):
                _mark(shot)
                # To this thread: if another one took it, this one would go on for a moment.
                signal.pthread_kill(threading.get_ident(), _ACTIONS[action])


def _mark(shot: str) -> None:
    """Create the shot's file, with this process's id. Raises FileExistsError if the shot was fired before."""
    descriptor = os.open(settings.DEVELOPMENT.failpoints_dir / shot, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as marker:
        marker.write(str(os.getpid()))
