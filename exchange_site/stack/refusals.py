"""Why a command of the stack does not start, in one sentence: what is wrong, and what to do."""

import errno
import os
import re
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Final

MEBIBYTE: Final = 1024 * 1024
_NEW_DATA: Final = 200 * MEBIBYTE
_MORE_DATA: Final = 50 * MEBIBYTE
"""What the servers' files need on the disk at first, and to go on: PostgreSQL writes 16 MB at a time."""

_OPEN_FILES: Final = 1024
_PROCESSES: Final = 200
"""What supervisord refuses to start with less of: open files of a process, and processes of a user."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_REASONS: Final = {
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.ENOTDIR: "a part of it is a file and no folder",
    errno.EEXIST: "it is a file and no folder",
    errno.EROFS: "its file system is read-only",
    errno.ENAMETOOLONG: "its name is too long",
}


class StackRefused(Exception):
    """The stack cannot be started as asked."""


def refuse_low_limits() -> None:
    """Raise StackRefused if this shell allows fewer open files or processes than the stack needs."""
    wanted = {
        "n": (resource.RLIMIT_NOFILE, _OPEN_FILES, "open files"),
        "u": (resource.RLIMIT_NPROC, _PROCESSES, "processes"),
    }
    for option, (number, least, what) in wanted.items():
        most = resource.getrlimit(number)[1]
        if most != resource.RLIM_INFINITY and most < least:
            raise StackRefused(
                f"This shell allows {most} {what}, and the stack needs {least}. Start it in a shell that allows more:"
                f" `ulimit -{option}` must not say less than {least}."
            )


def open_folder(folder: Path) -> Path:
    """Make DATA_DIR, if it is missing, and return it. Raises StackRefused if it cannot hold a stack's data."""
    if not str(folder).isprintable():
        raise StackRefused(_say_impossible(repr(str(folder)), "a character of its name cannot be printed"))
    if re.search(r"\s[#;]", str(folder)):
        raise StackRefused(_say_impossible(str(folder), "supervisord would read a part of its name as a comment"))
    try:
        is_new = not (folder / "stack.env").exists()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StackRefused(explain_os_error(error, folder)) from error
    if free < (_NEW_DATA if is_new else _MORE_DATA):
        raise StackRefused(_say_full(folder))
    return folder


def explain_os_error(error: OSError, folder: Path) -> str:
    """Return a sentence for an error of the operating system while a stack is prepared on `folder`."""
    if error.errno in _FULL:
        return _say_full(folder)
    reason = _REASONS.get(error.errno or 0)
    if reason is None or not _is_about(error, folder):
        return f"The stack on {folder} cannot be started: {error}"
    return _say_impossible(str(folder), reason)


def _say_impossible(folder: str, reason: str) -> str:
    return f"DATA_DIR cannot be {folder}, because {reason}. Name a folder of your own: DATA_DIR=$HOME/exchange task dev"


def explain_full_disk(text: str, folder: Path) -> str | None:
    """Return a sentence if `text`, which a server has printed, says that the disk is full."""
    said = any(os.strerror(number) in text for number in _FULL)
    return _say_full(folder) if said else None


def _is_about(error: OSError, folder: Path) -> bool:
    """Say whether the error is about the folder, its parents, or what is in it."""
    named = Path(os.fsdecode(error.filename)) if error.filename else folder
    return named.is_relative_to(folder) or folder.is_relative_to(named)


def _say_full(folder: Path) -> str:
    free = shutil.disk_usage(folder).free // MEBIBYTE
    return (
        f"The disk of {folder} is full: {free} MB are free, and the servers' files need {_NEW_DATA // MEBIBYTE} MB."
        " Make room, or name a folder on another disk: DATA_DIR=/other/disk/exchange task dev"
    )
