"""Waits of jobs that end when their worker is told to stop: it ends with its last job, or is killed meanwhile."""

import threading
from typing import Final

_told: Final = threading.Event()


def forget() -> None:
    """Let jobs wait again, because the worker has stopped and another may begin in this process."""
    _told.clear()


def tell() -> None:
    """End all waits, now and from now on."""
    _told.set()


def wait(seconds: float) -> bool:
    """Wait for so many seconds. Say whether they are over: False if the worker is to stop, and the job should end."""
    return not _told.wait(seconds)
