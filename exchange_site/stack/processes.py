"""The project's processes: their command lines, and functions to start them, wait for them and stop them."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import psutil

PROJECT: Final = Path(__file__).resolve().parents[2]
API: Final = (sys.executable, "-m", "exchange_site.serve")
WORKER: Final = (sys.executable, "manage.py", "procrastinate", "worker")
_STOP_SECONDS: Final = 8.0
_NOBODY: Final = 65534  # the group of `nobody`
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)

T = TypeVar("T")


class NotInTime(Exception):
    """A condition did not become true in time."""


def manage(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a management command."""
    return (sys.executable, "manage.py", *arguments)


def simulator(*, port: int | str, book: Path) -> tuple[str, ...]:
    """Return the command line of an exchange simulator."""
    return (sys.executable, "-m", "exchange_site.simulator", "--port", str(port), "--book", str(book))


def local_url(port: int | str) -> str:
    """Return the URL of a process that listens on this machine."""
    return f"http://127.0.0.1:{port}"


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: Path | IO[Any] | int | None = None,
    errors: IO[Any] | int | None = subprocess.STDOUT,
    user: str | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own: in the project's folder, or in `/` if another user runs it.

    Its output is appended to `output`, and its errors too unless `errors` is given. Without `environment` it inherits
    this process's environment.
    """
    if isinstance(output, Path):
        with output.open("ab") as log:
            return start(command, environment=environment, output=log, errors=errors, user=user)
    return subprocess.Popen(  # noqa: S603  a command of ours
        command,
        cwd="/" if user else PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else errors,
        start_new_session=True,
        **as_user(user),
    )


def end_with(parent: int, *, number: signal.Signals) -> None:
    """Let this process get a signal when its parent ends, also after an exec; now if the parent has ended already.

    Systems other than Linux can only do the latter.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        signal.signal(number, signal.SIG_DFL)  # a child that is forked begins with the handlers of its parent
        os.kill(os.getpid(), number)


def as_user(user: str | None) -> dict[str, Any]:
    """Return the arguments with which Popen runs a process as this user only; none for None."""
    return {"user": user, "group": _NOBODY, "extra_groups": []} if user else {}


def stop(
    child: "subprocess.Popen[bytes]", *, number: signal.Signals = signal.SIGTERM, seconds: float = _STOP_SECONDS
) -> None:
    """Ask a child process to end, and kill it if it does not end in time. Safe to call again."""
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(child)


def kill(child: "subprocess.Popen[bytes]") -> None:
    """Kill a child process and its process group, even if they are frozen."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def wait_until(
    condition: Callable[[], T], *, seconds: float, ignoring: tuple[type[BaseException], ...] = (), what: str = ""
) -> T:
    """Call `condition` until its result is true, and return the result.

    Raises NotInTime with the text `what`, from the last of the errors that are ignored.
    """
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            if answer := condition():
                return answer
        except ignoring as error:
            last = error
        if time.monotonic() > deadline:
            raise NotInTime(what or f"a condition did not become true within {seconds} s") from last
        time.sleep(0.05)


def wait_for_answer(url: str, *, seconds: float, by: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait until `url` answers. Raises NotInTime; at once if the process `by`, which should answer, has ended."""

    def has_answered() -> bool:
        if by is not None and by.poll() is not None:
            raise NotInTime(f"{url} does not answer: the process has ended with {by.returncode}")
        return answers(url)

    wait_until(has_answered, seconds=seconds, what=f"{url} does not answer")


def answers(url: str) -> bool:
    """Say whether a request for `url` succeeds right now."""
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  our own address
    except (OSError, HTTPException):
        return False
    return True


def free_port() -> int:
    """Return a port on which no process listens right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Say whether a server could listen on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def read_pid(file: Path) -> int | None:
    """Return the process id in the first line of a pid file; None without one."""
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def is_running(pid: int, *markers: str) -> bool:
    """Say whether this process runs and has all markers in its command line, because process ids are reused."""
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and all(marker in command for marker in markers)
    except (psutil.Error, ValueError):
        return False
