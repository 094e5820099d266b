"""The ports of this machine: which process has one, and which one is free instead."""

import socket
from typing import Final

import psutil

from exchange_site.stack.processes import NotInTime, is_free, wait_until
from exchange_site.stack.refusals import StackRefused
from exchange_site.stack.running import MARK

_CLOSING_SECONDS: Final = 1.0
_FIRST_PORT: Final = 1024  # of those that every user may open
_LAST_PORT: Final = 65_535
_LONGEST: Final = 60


def refuse_taken_port(*, name: str, port: int) -> None:
    """Raise StackRefused, with the process that has it, if the port of the variable `name` is taken after a second.

    A leftover process without its environment, and so without its mark, may need a moment to close the port.
    """
    try:
        wait_until(lambda: is_free(port), seconds=_CLOSING_SECONDS)
    except NotInTime as error:
        raise StackRefused(
            f"Port {port} {_say_why_not(port)}. Choose one that is free: {name}={find_free_port(after=port)} task dev"
        ) from error


def ensure_listens(pid: int, *, port: int) -> None:
    """Raise NotInTime if neither a process nor a child of it listens on a port that answers, and say who does.

    Another process may have taken the port since it was found free. Then that one has answered.
    """
    if not any(_listens(process, port) for process in _list_family(pid)):
        raise NotInTime(f"port {port} is taken by {describe_holder(port)}")


def _list_family(pid: int) -> list[psutil.Process]:
    """Return a process and its children. 0 is none."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children()] if pid else []
    except psutil.NoSuchProcess:
        return []


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)


def _say_why_not(port: int) -> str:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return "may be opened by root alone"
        except OSError:
            pass
    return f"is taken by {describe_holder(port)}"


def describe_holder(port: int) -> str:
    """Return words for the process that listens on a port, or for the stack that it is a part of."""
    process = _find_holder(port)
    if process is None:
        return "a process of another user"
    try:
        folder = process.environ().get(MARK)
    except psutil.Error:
        folder = None
    try:
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        command = "a process that ends just now"
    shown = command if len(command) <= _LONGEST else f"{command[:_LONGEST]}…"
    return f"the stack on {folder} (pid {process.pid})" if folder else f"`{shown}` (pid {process.pid})"


def find_free_port(*, after: int) -> int:
    """Return the next port on which a server could listen."""
    candidates: tuple[int, ...] = (*range(after + 1, _LAST_PORT + 1), *range(_FIRST_PORT, after))
    return next(port for port in candidates if is_free(port))


def _find_holder(port: int) -> psutil.Process | None:
    """Return the process that listens on a port; None if the system does not say, as it does of other users' ones."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS
        return None
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
            try:
                return psutil.Process(each.pid)
            except psutil.NoSuchProcess:
                return None
    return None
