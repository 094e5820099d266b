"""The processes of one stack: found in /proc by the mark they inherit, and stopped by their ids.

PostgreSQL and Redis overwrite their environment with a title, so they are known by their program and the
folder they run in.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

MARK: Final = "EXCHANGE_STACK"
_SERVER_PROGRAMS: Final = frozenset({"postgres", "redis-server"})
_PROC: Final = Path("/proc")
_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.02


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn`: Linux sends the new process `number` when its parent is gone, however it went."""

    def ask_the_kernel() -> None:
        if _PROC.exists():
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))

    return ask_the_kernel


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Ask `condition` until it holds; return whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def is_alive(pid: int) -> bool:
    """Whether `pid` runs: a zombie that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def carries_mark(pid: int, data_dir: Path) -> bool:
    """Whether `pid` was started by the stack of `data_dir`. Without /proc, any living process counts."""
    if not _PROC.exists():
        return is_alive(pid)
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return is_alive(pid) and os.fsencode(f"{MARK}={data_dir.resolve()}") in variables


def processes_of(data_dir: Path) -> list[int]:
    """Return the ids of all that the stack of `data_dir` started and that still runs, but for the caller."""
    ours = {os.getpid(), os.getppid()}
    return [pid for pid in _all_processes() if pid not in ours and _belongs(pid, data_dir)]


def stop_leftovers(data_dir: Path) -> None:
    """Stop what a stack of `data_dir` left behind when it was killed: programs first, then servers."""
    left = processes_of(data_dir)
    servers = servers_in(_server_folders(data_dir))
    stop_processes(set(left) - set(servers), number=signal.SIGTERM, seconds=5)
    stop_processes(servers, number=signal.SIGINT, seconds=10)


def servers_in(folders: Iterable[Path]) -> list[int]:
    """Return the ids of the database processes that run in one of `folders`."""
    resolved = {folder.resolve() for folder in folders}
    return [pid for pid in _all_processes() if _serves(pid, resolved)]


def stop_processes(pids: Iterable[int], *, number: signal.Signals, seconds: float) -> None:
    """Send `number` to all of `pids`; what still runs after `seconds` is killed."""
    pids = list(pids)
    _send(pids, number)
    if not wait_until(lambda: not any(map(is_alive, pids)), seconds=seconds):
        _send(filter(is_alive, pids), signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, pids)), seconds=seconds)


def stop_child(process: subprocess.Popen[bytes], *, number: signal.Signals, seconds: float) -> int:
    """Stop a process of our own as politely as `seconds` allow, and return its exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _belongs(pid: int, data_dir: Path) -> bool:
    return carries_mark(pid, data_dir) or _serves(pid, {each.resolve() for each in _server_folders(data_dir)})


def _server_folders(data_dir: Path) -> list[Path]:
    return [data_dir / "postgres", data_dir / "redis"]


def _serves(pid: int, folders: set[Path]) -> bool:
    process = _PROC / str(pid)
    try:
        program, folder = (process / "exe").readlink(), (process / "cwd").readlink()
    except OSError:  # another user's, or gone meanwhile
        return False
    return program.name.removesuffix(" (deleted)") in _SERVER_PROGRAMS and folder in folders


def _all_processes() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.glob("[0-9]*")) if _PROC.exists() else iter(())


def _state(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
