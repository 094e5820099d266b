"""Configure and run supervisord for `task dev`: it runs the servers and all other processes.

Its program `prepare` runs once: it waits for Postgres, migrates, seeds and then starts the other programs. supervisord
ends when the terminal is closed. If the start fails, its exit code is 1.
"""

import atexit
import gc
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from supervisor import loggers, supervisord
from supervisor.loggers import Handler, LevelsByName, StreamHandler
from supervisor.medusa.asyncore_25 import dispatcher
from supervisor.options import ServerOptions

from exchange_site.stack.binaries import double_quoted, server_user, write_private
from exchange_site.stack.environment import (
    api_port,
    data_dir,
    prepare_environment,
    refuse_wrong_values,
    simulator_port,
    split_owner,
)
from exchange_site.stack.giving_up import give_up_if_killed
from exchange_site.stack.ports import find_free_port, refuse_taken_port
from exchange_site.stack.processes import API, PROJECT, WORKER, end_with, simulator
from exchange_site.stack.refusals import StackRefused, open_folder, refuse_low_limits
from exchange_site.stack.running import ENVIRONMENT_FILE, MARK, OWNER_FILE, PID_FILE, READY, claim, stop_leftovers
from exchange_site.stack.servers import Server
from exchange_site.stack.steps import Step, showing_steps, write_step

FAILED: Final = "failed"
_RESTARTED: Final = ("autorestart=true", "startsecs=1", "startretries=1000000")
_OUTPUT: Final = "/dev/fd/1"
_COLUMNS: Final = 80  # of a terminal that does not know its width
_SUPERVISORD: Final = """
[supervisord]
pidfile={pid_file}
logfile=/dev/null
logfile_maxbytes=0
loglevel=warn
{user}

[unix_http_server]
file=%(ENV_SUPERVISOR_SOCKET)s
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


def run_stack() -> None:
    """Replace this process with a supervisord that runs the whole stack. Raises StackRefused."""
    refuse_wrong_values()
    refuse_low_limits()
    folder = open_folder(data_dir())
    lock = claim(folder)  # noqa: F841  held until supervisord takes over
    if left := stop_leftovers(folder):
        told = f"A stack that was killed had left {folder}, and {left} of its processes still ran. All are stopped."
        sys.stderr.write(f"{told}\n")
    _refuse_ports(api=api_port(), simulator=simulator_port())
    step = Step(name="files of PostgreSQL and Redis")
    write_step(folder, step)
    with showing_steps(Console()) as display:
        display.show(step)
        servers, environment = _prepare(folder)
    configuration = folder / "supervisord.conf"
    write_private(configuration, _configure(folder, servers, environment))
    os.chdir(PROJECT)
    command = [sys.executable, "-W", "ignore", "-m", "exchange_site.stack", "supervise", str(configuration)]
    os.execv(sys.executable, command)  # noqa: S606  so that supervisord gets Ctrl-C and keeps the pid


def _refuse_ports(*, api: int, simulator: int | None) -> None:
    """Raise StackRefused for ports on which the API or the simulator could not listen."""
    refuse_taken_port(name="PORT", port=api)
    if simulator == api:
        other = f"SIMULATOR_PORT={find_free_port(after=api)} task dev"
        raise StackRefused(f"PORT and SIMULATOR_PORT are both {api}. Choose another one: {other}")
    if simulator:
        refuse_taken_port(name="SIMULATOR_PORT", port=simulator)


def _prepare(folder: Path) -> tuple[list[Server], dict[str, str]]:
    """Prepare the servers, and this process's environment, which all programs get. Record both in `folder`."""
    servers, prepared = prepare_environment(folder)
    environment, owner = split_owner(prepared)
    inherited = split_owner(os.environ)[1]
    os.environ.update(environment)
    for name in inherited:
        del os.environ[name]
    os.environ[MARK] = str(folder)
    os.environ["SUPERVISOR_SOCKET"] = str(_socket_path(folder))
    for name, variables in ((ENVIRONMENT_FILE, environment), (OWNER_FILE, owner or inherited)):
        write_private(folder / name, "".join(f"{variable}={value}\n" for variable, value in variables.items()))
    for name in (READY, FAILED):
        (folder / name).unlink(missing_ok=True)
    (folder / PID_FILE).write_text(f"{os.getpid()}\n")  # known from the start: supervisord keeps this process id
    return servers, environment


def supervise(configuration: Path) -> int:
    """Run supervisord until it is told to stop, and return the exit code."""
    atexit.register(gc.freeze)  # Python would look through all objects again when it ends, for up to a second
    Handler.handleError = _lose_line
    loggers.handle_file = partial(_handle_file, loggers.handle_file)
    options = _Options()
    options.realize(["--nodaemon", "-c", str(configuration)], doc=__doc__)
    options.first, options.test = True, False
    supervisord.go(options)
    options.close_httpservers()
    options.close_logger()
    return 1 if (configuration.parent / FAILED).exists() else 0


def _lose_line(_: Handler) -> None:
    """Lose a line that cannot be written, because the disk is full or the program that read the output has gone.

    supervisord would print the error, which fails too, and end before its programs.
    """
    if not isinstance(sys.exc_info()[1], OSError):
        raise  # noqa: PLE0704  the error that is being handled


def _handle_file(usual: Callable[..., None], logger: Any, filename: str, fmt: str, **rotation: Any) -> None:
    """Let a logger write to a file; to this process's output without opening that, because it is open already.

    By its name it opens for its maker alone, who is another user after `su`, and not at all if it is a socket.
    """
    if filename != _OUTPUT:
        usual(logger, filename, fmt, **rotation)
        return
    handler = StreamHandler(os.fdopen(os.dup(1), "wb", buffering=0))
    handler.setFormat(fmt)
    handler.setLevel(logger.level)
    logger.addHandler(handler)


class _Options(ServerOptions):  # type: ignore[misc]  # supervisor publishes no types
    _pid = os.getpid()

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Run a program in a child, as the program's user. The program ends when supervisord is killed."""
        end_with(self._pid, number=signal.SIGTERM if filename == sys.executable else signal.SIGINT)
        super().execve(filename, argv, env)

    def make_http_servers(self, supervisord: Any) -> Any:
        """Open the socket without a warning that it asks for no password: only its owner can open it."""
        level, self.logger.level = self.logger.level, LevelsByName.CRIT + 1
        try:
            return super().make_http_servers(supervisord)
        finally:
            self.logger.level = level

    def setsignals(self) -> None:
        """Stop when the terminal is closed; without this, supervisord would reload its configuration then.

        Wake for each signal; without this, it would see the end of each program up to a second late.
        """
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # started by nohup
        super().setsignals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else self._stop_in_silence)
        _Signals()
        give_up_if_killed("prepare", self, on_end=Path(self.configfile).with_name(FAILED).touch)

    def get_signal(self) -> int | None:
        """Return the next signal but SIGCHLD: one is read in each round, and that one would delay others."""
        while (number := super().get_signal()) == signal.SIGCHLD:
            pass
        return int(number) if number else None

    def _stop_in_silence(self, _number: int, frame: Any) -> None:
        """Stop without output: writing to the closed terminal would end supervisord before its programs."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        self.signal_receiver.receive(signal.SIGTERM, frame)


class _Signals(dispatcher):  # type: ignore[misc]  # as above
    """Wakes supervisord's loop when a signal comes: it waits for files, which Python goes on with after a signal."""

    def __init__(self) -> None:
        woken, self._waking = socket.socketpair()
        self._waking.settimeout(0)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        super().__init__(woken)

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.recv(4096)


def _configure(folder: Path, servers: list[Server], environment: Mapping[str, str]) -> str:
    """Return supervisord's configuration. supervisord starts the servers and `prepare`, which starts the rest."""
    user = server_user()
    sections = [
        _SUPERVISORD.format(pid_file=_escaped(folder / PID_FILE), user="user=root" if user else ""),
        *(_server_program(server, user=user) for server in servers),
        _once("prepare", [sys.executable, "-m", "exchange_site.stack", "prepare", *_terminal()], priority=20),
    ]
    if "SIMULATOR_PORT" in environment:
        command = (*simulator(port=environment["SIMULATOR_PORT"], book=folder / "simulator.sqlite"), "--magic")
        # It is stopped before the worker, which else would wait for an answer of a venue that hangs.
        sections.append(_program("simulator", command, priority=45, stop_seconds=3))
    sections.append(_program("worker", WORKER, priority=40, stop_seconds=5))
    sections.append(_program("api", API, priority=50, stop_seconds=2))
    return "\n".join(sections)


def _server_program(server: Server, *, user: str | None) -> str:
    lines = ["directory=/", *([f"user={user}"] if user else []), "autostart=true", "stopsignal=INT", *_RESTARTED]
    return _section(server.name.lower(), server.command, *lines, priority=10, stop_seconds=3, log=server.log)


def _program(name: str, command: Sequence[str], *, priority: int, stop_seconds: int) -> str:
    """Return the section of a program that `prepare` starts, and that supervisord always restarts."""
    return _section(
        name, command, "autostart=false", "stopsignal=TERM", *_RESTARTED, priority=priority, stop_seconds=stop_seconds
    )


def _once(name: str, command: Sequence[str], *, priority: int) -> str:
    """Return the section of a program that runs until it has succeeded or failed, and again only if it was killed.

    See giving_up for the end of that.
    """
    lines = ["autostart=true", "startsecs=0", "autorestart=unexpected", "exitcodes=0,1", "stopsignal=TERM"]
    return _section(name, command, *lines, priority=priority, stop_seconds=2)


def _section(
    name: str, command: Sequence[str], *lines: str, priority: int, stop_seconds: int, log: Path | None = None
) -> str:
    """Return a section of supervisord's configuration. Output goes to this process's, or to `log`."""
    return "\n".join(
        [
            f"[program:{name}]",
            f"command={' '.join(map(_quoted, command))}",
            f"priority={priority}",
            f"stopwaitsecs={stop_seconds}",
            "stopasgroup=false",
            "killasgroup=true",
            "redirect_stderr=true",
            *(_log_file(log) if log else [f"stdout_logfile={_OUTPUT}", "stdout_logfile_maxbytes=0"]),
            *lines,
            "",
        ]
    )


def _log_file(log: Path) -> list[str]:
    return [_log_name(log), "stdout_logfile_maxbytes=1MB", "stdout_logfile_backups=1"]


def _log_name(log: Path) -> str:
    """Escape % twice, because supervisord replaces variables in the names of logs twice.

    If it fails to, it prints the whole environment, with all passwords.
    """
    return f"stdout_logfile={_escaped(_escaped(log))}"


def _terminal() -> list[str]:
    """Return the width of this process's terminal, to which supervisord passes output on; nothing without one."""
    return [str(os.get_terminal_size(1).columns or _COLUMNS)] if os.isatty(1) else []


def _quoted(text: str) -> str:
    """Quote a word for supervisord's command lines, and escape %."""
    return double_quoted(_escaped(text)) if not text or any(letter in text for letter in " ;'%\"\\") else text


def _escaped(text: object) -> str:
    """Escape % for supervisord's values, where it begins a variable."""
    return str(text).replace("%", "%%")


def _socket_path(folder: Path) -> Path:
    """Return a short path: unix(7) allows a socket 107 characters, and supervisord adds a few when opening it."""
    path = folder / "supervisor.sock"
    if len(str(path)) < 90:  # noqa: PLR2004  see above
        return path
    return Path(tempfile.mkdtemp(prefix="crypto-exchange-")) / "supervisor.sock"
