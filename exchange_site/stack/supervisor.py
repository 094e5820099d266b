"""Configure and run supervisord for `task dev`: it runs the servers and all other processes.

Its program `prepare` runs once: it waits for Postgres, migrates, seeds and then starts the other programs. supervisord
ends when the terminal is closed. If the start fails, its exit code is 1.
"""

import os
import signal
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from supervisor import supervisord
from supervisor.options import ServerOptions

from exchange_site.stack.binaries import server_user, write_private
from exchange_site.stack.environment import data_dir, prepare_environment, split_owner
from exchange_site.stack.processes import API, PROJECT, WORKER, NotInTime, is_free, simulator, wait_until
from exchange_site.stack.running import (
    ENVIRONMENT_FILE,
    MARK,
    OWNER_FILE,
    PID_FILE,
    READY,
    StackRefused,
    claim,
    stop_leftovers,
)
from exchange_site.stack.servers import Server

FAILED: Final = "failed"
_CLOSING_SECONDS: Final = 1.0
_RESTARTED: Final = ("autorestart=true", "startsecs=1", "startretries=1000000")
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
    folder = data_dir()
    folder.mkdir(parents=True, exist_ok=True)
    lock = claim(folder)  # noqa: F841  held until supervisord takes over
    stop_leftovers(folder)
    _refuse_taken_port("PORT", default="8000")
    if "SIMULATOR_PORT" in os.environ and not os.environ.get("EXCHANGE_URL"):
        _refuse_taken_port("SIMULATOR_PORT", default="9100")
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
    configuration = folder / "supervisord.conf"
    write_private(configuration, _configure(folder, servers, environment))
    os.chdir(PROJECT)
    command = [sys.executable, "-W", "ignore", "-m", "exchange_site.stack", "supervise", str(configuration)]
    os.execv(sys.executable, command)  # noqa: S606  so that supervisord gets Ctrl-C and keeps the pid


def supervise(configuration: Path) -> int:
    """Run supervisord until it is told to stop, and return the exit code."""
    options = _Options()
    options.realize(["--nodaemon", "-c", str(configuration)], doc=__doc__)
    options.first, options.test = True, False
    supervisord.go(options)
    options.close_httpservers()
    options.close_logger()
    return 1 if (configuration.parent / FAILED).exists() else 0


class _Options(ServerOptions):  # type: ignore[misc]  # supervisor publishes no types
    def setsignals(self) -> None:
        """Stop when the terminal is closed; without this, supervisord would reload its configuration then."""
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # started by nohup
        super().setsignals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else self._stop_in_silence)

    def _stop_in_silence(self, _number: int, frame: Any) -> None:
        """Stop without output: writing to the closed terminal would end supervisord before its programs."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        self.signal_receiver.receive(signal.SIGTERM, frame)


def _configure(folder: Path, servers: list[Server], environment: Mapping[str, str]) -> str:
    """Return supervisord's configuration. supervisord starts the servers and `prepare`, which starts the rest."""
    user = server_user()
    sections = [
        _SUPERVISORD.format(pid_file=_escaped(folder / PID_FILE), user="user=root" if user else ""),
        *(_server_program(server, user=user) for server in servers),
        _once("prepare", [sys.executable, "-m", "exchange_site.stack", "prepare"], priority=20),
    ]
    if "SIMULATOR_PORT" in environment:
        command = (*simulator(port=environment["SIMULATOR_PORT"], book=folder / "simulator.sqlite"), "--magic")
        sections.append(_program("simulator", command, priority=30, stop_seconds=1))
    sections.append(_program("worker", WORKER, priority=40, stop_seconds=3))
    sections.append(_program("api", API, priority=50, stop_seconds=2))
    return "\n".join(sections)


def _server_program(server: Server, *, user: str | None) -> str:
    lines = ["directory=/", *([f"user={user}"] if user else []), "autostart=true", "stopsignal=INT", *_RESTARTED]
    return _section(server.name.lower(), server.command, *lines, priority=10, stop_seconds=3)


def _program(name: str, command: Sequence[str], *, priority: int, stop_seconds: int) -> str:
    """Return the section of a program that `prepare` starts, and that supervisord always restarts."""
    return _section(
        name, command, "autostart=false", "stopsignal=TERM", *_RESTARTED, priority=priority, stop_seconds=stop_seconds
    )


def _once(name: str, command: Sequence[str], *, priority: int) -> str:
    lines = ["autostart=true", "startsecs=0", "autorestart=false", "stopsignal=TERM"]
    return _section(name, command, *lines, priority=priority, stop_seconds=2)


def _section(name: str, command: Sequence[str], *lines: str, priority: int, stop_seconds: int) -> str:
    """Return a section of supervisord's configuration."""
    return "\n".join(
        [
            f"[program:{name}]",
            f"command={' '.join(map(_quoted, command))}",
            f"priority={priority}",
            f"stopwaitsecs={stop_seconds}",
            "stopasgroup=false",
            "killasgroup=true",
            "redirect_stderr=true",
            *_output(name),
            *lines,
            "",
        ]
    )


def _output(name: str) -> list[str]:
    """Send output to the terminal; or to a file if stdout is a socket, which cannot be opened by name."""
    if stat.S_ISSOCK(os.fstat(1).st_mode):
        return [f"stdout_logfile=%(ENV_DATA_DIR)s/{name}.log"]
    return ["stdout_logfile=/dev/fd/1", "stdout_logfile_maxbytes=0"]


def _quoted(text: str) -> str:
    """Quote a word for supervisord's command lines, and escape %."""
    escaped = _escaped(text)
    return f'"{escaped}"' if escaped != text or any(letter in text for letter in " ;'") or not text else text


def _escaped(text: object) -> str:
    """Escape % for supervisord's values, where it begins a variable."""
    return str(text).replace("%", "%%")


def _socket_path(folder: Path) -> Path:
    """Return a short path: unix(7) allows a socket 107 characters, and supervisord adds a few when opening it."""
    path = folder / "supervisor.sock"
    if len(str(path)) < 90:  # noqa: PLR2004  see above
        return path
    return Path(tempfile.mkdtemp(prefix="crypto-exchange-")) / "supervisor.sock"


def _refuse_taken_port(name: str, *, default: str) -> None:
    """Raise StackRefused if a port is still taken after a second.

    A leftover process without its environment, and so without its mark, may need a moment to close the port.
    """
    port = int(os.environ.get(name, default))
    try:
        wait_until(lambda: is_free(port), seconds=_CLOSING_SECONDS)
    except NotInTime as error:
        raise StackRefused(f"Port {port} is taken. Choose another: {name}={port + 1} task dev") from error
