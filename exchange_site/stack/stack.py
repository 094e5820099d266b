"""The whole system on this machine: which processes, with which environment, and how to find them.

supervisord keeps them running. `prepare` runs once below it: it waits for Postgres, migrates, seeds and
then starts the others.
"""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from exchange_site.stack.binaries import server_user
from exchange_site.stack.embedded import POSTGRES_USER, Server, free_port, prepare_postgres, prepare_redis
from exchange_site.stack.supervise import FAILED

PROJECT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 120.0
_MARK = "EXCHANGE_STACK"
_LEFTOVER_SECONDS = 4.0
_CLOSING_SECONDS = 1.0
_STOP_SECONDS = 15.0


class StackRefused(Exception):
    """The stack cannot be started as asked."""


@dataclass(frozen=True, kw_only=True)
class StackAddresses:
    """Where a running stack listens, and the environment that commands against it need."""

    api: str
    simulator: str
    environment: Mapping[str, str]


def data_dir() -> Path:
    """DATA_DIR, where the embedded servers keep their files."""
    return Path(os.environ.get("DATA_DIR", ".data")).resolve()


def prepare_environment(folder: Path) -> tuple[dict[str, str], list[Server]]:
    """What every process of the stack finds in its environment, and the servers to run for it."""
    environment: dict[str, str] = {"DATA_DIR": str(folder), "PORT": os.environ.get("PORT", "8000")}
    servers: list[Server] = []
    if not os.environ.get("POSTGRES_HOST"):
        postgres = prepare_postgres(folder)
        servers.append(postgres)
        environment |= {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(postgres.port),
            "POSTGRES_USER": POSTGRES_USER,
            "POSTGRES_PASSWORD": postgres.password,
        }
    if not os.environ.get("REDIS_HOST"):
        redis = prepare_redis(folder)
        servers.append(redis)
        environment |= {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis.port),
            "REDIS_PASSWORD": redis.password,
        }
    if not os.environ.get("EXCHANGE_URL"):
        port = os.environ.get("SIMULATOR_PORT") or ("9100" if _is_free(9100) else str(free_port()))
        environment |= {
            "SIMULATOR_PORT": port,
            "EXCHANGE_URL": f"http://127.0.0.1:{port}",
            "EXCHANGE_API_KEY": DEFAULT_API_KEY,
            "EXCHANGE_API_SECRET": DEFAULT_API_SECRET,
        }
    return environment, servers


def run_stack() -> None:
    """Become supervisord, with everything below it. Raises StackRefused."""
    folder = data_dir()
    folder.mkdir(parents=True, exist_ok=True)
    lock = claim(folder)  # noqa: F841  held until supervisord takes over
    stop_leftovers(folder)
    _refuse_taken_port("PORT", default="8000")
    if "SIMULATOR_PORT" in os.environ and not os.environ.get("EXCHANGE_URL"):
        _refuse_taken_port("SIMULATOR_PORT", default="9100")
    environment, servers = prepare_environment(folder)
    os.environ.update(environment)
    os.environ[_MARK] = str(folder)
    os.environ["SUPERVISOR_SOCKET"] = str(_socket_path(folder))
    _write_private(folder / "stack.env", "".join(f"{name}={value}\n" for name, value in environment.items()))
    for name in ("ready", FAILED):
        (folder / name).unlink(missing_ok=True)
    (folder / "dev.pid").write_text(f"{os.getpid()}\n")  # supervisord's number too, and there from the beginning
    configuration = folder / "supervisord.conf"
    _write_private(configuration, _supervisord_conf(folder, servers, with_simulator="SIMULATOR_PORT" in environment))
    os.chdir(PROJECT)
    os.execv(  # noqa: S606  Ctrl-C and the pid file are supervisord's
        sys.executable,
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "exchange_site.stack",
            "supervise",
            str(configuration),
        ],
    )


def find_running_stack(folder: Path) -> StackAddresses | None:
    """The stack that runs on `folder` and is ready, if any."""
    if _running_pid(folder) is None or not (folder / "ready").exists():
        return None
    return _addresses(folder)


@contextmanager
def running_stack(folder: Path, *, environment: Mapping[str, str]) -> Iterator[StackAddresses]:
    """Start a whole stack on `folder` and free ports, wait until it is ready, and stop it at the end.

    `environment` reaches all its processes. What they print goes to `stack.log` in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ready").unlink(missing_ok=True)
    own = {"DATA_DIR": str(folder), "PORT": str(free_port()), "SIMULATOR_PORT": str(free_port())}
    with (folder / "stack.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "exchange_site.stack", "dev"],
            cwd=PROJECT,
            env={**os.environ, **own, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_ready(folder, child)
            yield _addresses(folder)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(_STOP_SECONDS)


def _wait_until_ready(folder: Path, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not (folder / "ready").exists():
        if child.poll() is not None or time.monotonic() > deadline:
            log = (folder / "stack.log").read_text(errors="replace")
            raise StackRefused(f"the stack did not start:\n{log[-3000:]}")
        time.sleep(0.1)


def _addresses(folder: Path) -> StackAddresses:
    lines = (folder / "stack.env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    return StackAddresses(
        api=f"http://127.0.0.1:{environment['PORT']}",
        simulator=environment.get("EXCHANGE_URL", ""),
        environment=environment,
    )


def _supervisord_conf(folder: Path, servers: list[Server], *, with_simulator: bool) -> str:
    python = _quoted(sys.executable)
    manage = f"{python} manage.py"
    user = server_user()
    sections = [
        f"""
[supervisord]
pidfile={_escaped(folder)}/dev.pid
logfile=/dev/null
logfile_maxbytes=0
loglevel=warn
{"user=root" if user else ""}

[unix_http_server]
file=%(ENV_SUPERVISOR_SOCKET)s
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    sections += [
        _program(
            server.name.lower(),
            " ".join(_quoted(part) for part in server.command),
            priority=10,
            stop_signal="INT",
            extra=["directory=/", f"user={user}" if user else "", "autostart=true"],
            stop_seconds=3,
        )
        for server in servers
    ]
    sections.append(
        _program(
            "prepare",
            f"{python} -m exchange_site.stack prepare",
            priority=20,
            extra=["autostart=true", "startsecs=0", "autorestart=false"],
            restart=False,
        )
    )
    if with_simulator:
        book = _quoted(str(folder / "simulator.sqlite"))
        sections.append(
            _program(
                "simulator",
                f"{manage} exchange_simulator --port %(ENV_SIMULATOR_PORT)s --book {book}",
                priority=30,
                stop_seconds=1,
            )
        )
    sections.append(_program("worker", f"{manage} procrastinate worker", priority=40, stop_seconds=3))
    sections.append(
        _program(
            "api",
            f"{python} -m exchange_site.serve",
            priority=50,
            stop_seconds=2,
        )
    )
    return "\n".join(sections)


def _program(
    name: str,
    command: str,
    *,
    priority: int,
    stop_signal: str = "TERM",
    stop_seconds: int = 2,
    extra: list[str] | None = None,
    restart: bool = True,
) -> str:
    """A section of supervisord's configuration. Whatever ends is started again, however it ended."""
    lines = [
        f"[program:{name}]",
        f"command={command}",
        f"priority={priority}",
        f"stopsignal={stop_signal}",
        f"stopwaitsecs={stop_seconds}",
        "stopasgroup=false",
        "killasgroup=true",
        "redirect_stderr=true",
        *_output(name),
        *(["autorestart=true", "startsecs=1", "startretries=1000000"] if restart else []),
        *(line for line in extra or ["autostart=false"] if line),
    ]
    return "\n".join(lines) + "\n"


def _output(name: str) -> list[str]:
    """To the terminal; a socket in its place cannot be opened by name, then to files."""
    if stat.S_ISSOCK(os.fstat(1).st_mode):
        return [f"stdout_logfile=%(ENV_DATA_DIR)s/{name}.log"]
    return ["stdout_logfile=/dev/fd/1", "stdout_logfile_maxbytes=0"]


def _quoted(text: str) -> str:
    """For supervisord's command lines: shell words, and % is its own."""
    escaped = _escaped(text)
    return f'"{escaped}"' if escaped != text or any(letter in text for letter in " ;'") or not text else text


def _escaped(text: object) -> str:
    """For supervisord's values, where % begins a name."""
    return str(text).replace("%", "%%")


def _socket_path(folder: Path) -> Path:
    """A Unix socket's path has 107 characters at most (unix(7)); supervisord adds a few while it opens it."""
    path = folder / "supervisor.sock"
    if len(str(path)) < 90:  # noqa: PLR2004  see above
        return path
    return Path(tempfile.mkdtemp(prefix="crypto-exchange-")) / "supervisor.sock"


def claim(folder: Path) -> IO[str]:
    """Be the only one who starts servers on `folder`, while the answer is open. Raises StackRefused."""
    lock = (folder / "servers.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StackRefused(f"Another command runs its own servers on {folder}. Wait for it to end.") from error
    pid = _running_pid(folder)
    if pid is not None:
        raise StackRefused(f"A stack is running on {folder} already (pid {pid}). Stop it with: kill {pid}")
    return lock


def _running_pid(folder: Path) -> int | None:
    try:
        pid = int((folder / "dev.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, ValueError):
        return None
    return pid if "supervisord" in command and str(folder) in command else None


def _refuse_taken_port(name: str, *, default: str) -> None:
    """Raise StackRefused. A leftover that has lost its environment, and so its mark, may be closing its port still."""
    port = int(os.environ.get(name, default))
    deadline = time.monotonic() + _CLOSING_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            raise StackRefused(f"Port {port} is taken. Choose another: {name}={port + 1} task dev")
        time.sleep(0.05)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def stop_leftovers(folder: Path) -> None:
    """Stop what a stack of `folder` left running when its supervisor was killed; its servers stop elsewhere."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        for pid in _marked_processes(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while _marked_processes(folder) and time.monotonic() < deadline:
            time.sleep(0.05)


def _marked_processes(folder: Path) -> list[int]:
    """The processes that a supervisor of `folder` had started, by the mark in their environment."""
    mark = f"{_MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                found.append(int(process.name))
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
