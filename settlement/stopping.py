"""Waits of jobs that end when their worker is told to stop: it ends with its last job, or is killed meanwhile."""

import threading
from typing import Final

_stopping: Final = threading.Event()


def forget() -> None:
    """Let jobs wait again, because the worker has stopped and another may begin in this process."""
    _stopping.clear()


def tell() -> None:
    """End all waits, now and from now on."""
    _stopping.set()


def wait(seconds: float) -> bool:
    """Wait for so many seconds. Say whether they are over: False if the worker is to stop, and the job should end."""
    return not _stopping.wait(seconds)
