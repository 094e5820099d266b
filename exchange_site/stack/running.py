"""Running stacks: lock a data folder, find the stack that runs on it, and stop what a killed stack has left."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil
from rich.console import Console

from exchange_site.stack.processes import NotInTime, free_port, is_running, local_url, read_pid, start, wait_until
from exchange_site.stack.refusals import StackRefused
from exchange_site.stack.steps import Display, Step, read_step, showing_steps, write_step

MARK: Final = "EXCHANGE_STACK"
READY: Final = "ready"
PID_FILE: Final = "dev.pid"
ENVIRONMENT_FILE: Final = "stack.env"
OWNER_FILE: Final = "owner.env"
WITH_PARENT: Final = "--with-parent"
"""The option, before a command, that ends the command if the process that started it, whose id follows, is killed."""
_BESIDE: Final = "start a second one beside it: DATA_DIR=.data2 PORT=8001 task dev"
_READY_SECONDS: Final = 300.0
_LEFTOVER_SECONDS: Final = 4.0
_STOP_SECONDS: Final = 15.0


@dataclass(frozen=True, kw_only=True)
class StackAddresses:
    """The URLs of a running stack, and the environment for commands that use the stack.

    `owner` has the variables that only some commands need, such as `migrate`.
    """

    api: str
    simulator: str
    environment: Mapping[str, str]
    owner: Mapping[str, str]


def find_running_stack(folder: Path) -> StackAddresses | None:
    """Return the addresses of the stack on `folder`, or None if none runs there or it is not ready."""
    if _running_pid(folder) is None or not (folder / READY).exists():
        return None
    return _addresses(folder)


@contextmanager
def running_stack(
    folder: Path, *, environment: Mapping[str, str], console: Console | None = None
) -> Iterator[StackAddresses]:
    """Start a whole stack on `folder`, with ports that are free; wait until it is ready, and stop it at the end.

    All its processes get `environment`. Their output goes to `stack.log` in the folder. `console` shows how far the
    start is. The stack also ends if this process is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / READY).unlink(missing_ok=True)
    write_step(folder, Step(name="loading"))
    (folder / "stack.log").unlink(missing_ok=True)
    own = {"DATA_DIR": str(folder), "PORT": str(free_port()), "SIMULATOR_PORT": str(free_port())}
    child = start(
        [sys.executable, "-m", "exchange_site.stack", WITH_PARENT, str(os.getpid()), "dev"],
        environment={**os.environ, **own, **environment},
        output=folder / "stack.log",
    )
    try:
        with showing_steps(console or Console(quiet=True)) as display:
            _wait_until_ready(folder, child, display)
        yield _addresses(folder)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(_STOP_SECONDS)


def read_owner(folder: Path) -> dict[str, str]:
    """Return the variables with the owner of the database of `folder`, if it has one."""
    return _read_variables(folder / OWNER_FILE)


def claim(folder: Path) -> IO[str]:
    """Hold the lock of `folder` until the returned file is closed, so that no other command starts servers there.

    Raises StackRefused if another command holds the lock or a stack runs there.
    """
    lock = (folder / "servers.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise StackRefused(
            f"Another command (pid {lock.read().strip()}) is starting or using servers on {folder}. Wait for it to end,"
            f" or {_BESIDE}"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    pid = _running_pid(folder)
    if pid is not None:
        raise StackRefused(
            f"A stack is running on {folder} already (pid {pid}). Stop it with `kill {pid}`, or {_BESIDE}"
        )
    return lock


def stop_leftovers(folder: Path) -> int:
    """Stop the processes of a stack whose supervisor was killed, as far as they have not ended with it.

    Its servers are left, because preparing them stops them. Return how many processes there were.
    """
    found = len(_marked_processes(folder))
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        for process in _marked_processes(folder):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        while _marked_processes(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
    return found


def _wait_until_ready(folder: Path, child: "subprocess.Popen[bytes]", display: Display) -> None:
    def has_ended_or_is_ready() -> bool:
        display.show(read_step(folder))
        return child.poll() is not None or (folder / READY).exists()

    try:
        wait_until(has_ended_or_is_ready, seconds=_READY_SECONDS)
    except NotInTime as error:
        raise _not_started(folder) from error
    if child.poll() is not None:
        raise _not_started(folder)


def _not_started(folder: Path) -> StackRefused:
    log = (folder / "stack.log").read_text(errors="replace")
    return StackRefused(f"the stack did not start:\n{log[-3000:]}")


def _addresses(folder: Path) -> StackAddresses:
    environment = _read_variables(folder / ENVIRONMENT_FILE)
    return StackAddresses(
        api=local_url(environment["PORT"]),
        simulator=environment.get("EXCHANGE_URL", ""),
        environment=environment,
        owner=read_owner(folder),
    )


def _read_variables(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def _running_pid(folder: Path) -> int | None:
    pid = read_pid(folder / PID_FILE)
    return pid if pid is not None and is_running(pid, "supervisord", str(folder)) else None


def _marked_processes(folder: Path) -> list[psutil.Process]:
    """Return the processes that a supervisor of `folder` started: they have a mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:  # the process has ended, or belongs to another user
            continue
    return found
