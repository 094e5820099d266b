"""Named places in the code where a test ends or freezes this process, to see what the others make of it.

Off unless FAILPOINTS names some (`claim.committed=kill,attempt.sent=stop`), and then each fires once for all
processes that share FAILPOINTS_DIR: the process that makes the file named like the shot is the one it hits.
"""

import os
import signal
from contextlib import suppress
from typing import Final

from django.conf import settings

_ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_SHOTS: Final[tuple[str, ...]] = tuple(settings.DEVELOPMENT.failpoints)


def reach(point: str) -> None:
    """Say that `point` has been reached. Costs nothing while no failpoint is armed."""
    if _SHOTS:
        _fire(point)


def _fire(point: str) -> None:
    for shot in _SHOTS:
        name, _, action = shot.partition("=")
        if name == point:
            with suppress(FileExistsError):
                _mark(shot)
                os.kill(os.getpid(), _ACTIONS[action])


def _mark(shot: str) -> None:
    """Raises FileExistsError when the shot has been fired already. The file says by whom."""
    descriptor = os.open(settings.DEVELOPMENT.failpoints_dir / shot, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as marker:
        marker.write(str(os.getpid()))
