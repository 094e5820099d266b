"""Temporary folders of processes, which the next process can tell from those that a killed one has left.

A process locks a file in its folder. Unlike a process id, the lock cannot be another process's after a while.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "held.lock"
_UNHELD: Final = "unheld.lock"


@contextmanager
def held_folder(*, prefix: str) -> Iterator[Path]:
    """Make a folder, hold it, and delete it at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with (folder / _UNHELD).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / _UNHELD).rename(folder / _LOCK)  # nobody finds the lock before it is held
            yield folder
    finally:
        _delete(folder)


def take_left_folders(*, prefix: str) -> Iterator[Path]:
    """Yield each folder that a killed process of this user has left, and delete it afterwards."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # its process ends it just now, holds it, or is another user's
            if folder.lstat().st_uid != os.geteuid():
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock.fileno()).st_nlink:  # else another process took the folder since this one found it
                    yield folder
                    _delete(folder)


def _delete(folder: Path) -> None:
    """Delete a folder, and its lock last: if this is cut off, the next process still finds what is left."""
    with suppress(OSError):
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            elif each.name != _LOCK:
                each.unlink()
    shutil.rmtree(folder, ignore_errors=True)
