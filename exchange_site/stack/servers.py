"""PostgreSQL and Redis from wheels: prepare their files, start them, stop them."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import redis
from psycopg.conninfo import make_conninfo

from exchange_site.configuration import resolve_environment
from exchange_site.stack.binaries import (
    VALKEY,
    double_quoted,
    hand_over,
    postgres_binary,
    reachable_home,
    redis_binary,
    server_user,
    write_private,
)
from exchange_site.stack.clusters import refuse_unfit_cluster
from exchange_site.stack.processes import NotInTime, as_user, free_port, is_running, read_pid, start, stop, wait_until
from exchange_site.stack.refusals import explain_full_disk

_START_SECONDS: Final = 30.0
_LEFTOVER_SECONDS: Final = 8.0
# Tables of extensions, such as PostGIS', do not count, nor does what Django makes first when a migration is cut off.
_FOREIGN_TABLE: Final = """
    SELECT min(t.relnamespace::regnamespace || '.' || t.relname)
      FROM pg_class t
     WHERE t.relkind IN ('r', 'p') AND t.relnamespace::regnamespace::text NOT IN ('information_schema', 'pg_catalog')
       AND t.relname <> 'django_migrations'
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
       AND NOT EXISTS (SELECT FROM pg_class WHERE relname = 'wallets_wallet')
"""
POSTGRES_OWNER: Final = "postgres"
POSTGRES_USER: Final = "crypto_exchange_app"


class ServerFailed(Exception):
    """A server did not start or stop as it should."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A prepared server: its command line, its address, and a function that says whether it is ready.

    `password` is that of Redis, or of Postgres' owner. Only Postgres has an `application_password`. `log` is the file
    for its output.
    """

    name: str
    command: list[str]
    port: int
    password: str
    is_ready: Callable[[], bool]
    log: Path
    application_password: str = ""

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server as a child and wait until it answers. Raises ServerFailed."""
        self.log.unlink(missing_ok=True)
        child = start(self.command, output=self.log, user=server_user())
        try:
            self._wait(child)
        except BaseException:
            stop_server(child)
            raise
        return child

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Start the server, and stop it at the end."""
        child = self.start()
        try:
            yield child
        finally:
            stop_server(child)

    def _wait(self, child: "subprocess.Popen[bytes]") -> None:
        try:
            wait_until(lambda: child.poll() is not None or self.is_ready(), seconds=_START_SECONDS)
        except NotInTime as error:
            raise self._failure() from error
        if child.poll() is not None:
            raise self._failure()

    def _failure(self) -> ServerFailed:
        return ServerFailed(f"{self.name} did not start: {last_words(self.log) or ' '.join(self.command)}")


def last_words(log: Path) -> str:
    """Return the last line that a server has written to its log; empty without one."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def stop_server(child: "subprocess.Popen[bytes]") -> None:
    """Stop a child server cleanly, without waiting for its clients."""
    stop(child, number=signal.SIGINT)  # PostgreSQL's fast shutdown; for Redis the same as SIGTERM


def prepare_postgres(data_dir: Path, *, durable: bool = True) -> Server:
    """Create the cluster of `data_dir` if there is none yet, and return its server.

    The server asks for a password (SCRAM), because other users of the machine can reach its port.
    """
    home = _home(data_dir)
    cluster, password_file = home / "postgres", home / "postgres.password"
    if cluster.exists():
        refuse_unfit_cluster(cluster, password_file=password_file)
    password = _password(password_file)
    if not cluster.exists():
        _make_cluster(cluster, password=password)
    _stop_leftover(cluster / "postmaster.pid", marker=str(cluster), number=signal.SIGINT)
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
        log=home / "postgres.log",
        application_password=_password(home / "application.password"),
    )


def prepare_redis(data_dir: Path, *, durable: bool = True) -> Server:
    """Return the Redis server of `data_dir`. Its contents survive a restart if `durable`."""
    home = _home(data_dir)
    password, port = _password(home / "redis.password"), free_port()
    folder = home / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    hand_over(folder)
    configuration, pid_file = folder / "redis.conf", folder / "redis.pid"
    _stop_leftover(pid_file, marker=VALKEY, number=signal.SIGTERM)
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {double_quoted(str(folder))}",
        f"requirepass {password}",
        f"pidfile {double_quoted(str(pid_file))}",
        "loglevel warning",
        f"appendonly {'yes' if durable else 'no'}",
        'save ""',
    ]
    write_private(configuration, "\n".join(lines) + "\n")
    hand_over(configuration)
    return Server(
        name="Redis",
        command=[str(redis_binary()), str(configuration)],
        port=port,
        password=password,
        is_ready=lambda: _answers_ping(port, password),
        log=home / "redis.log",
    )


def stop_leftover_servers(data_dir: Path) -> None:
    """Stop the servers of a data folder that nobody is going to start on again."""
    home = _home(data_dir)
    _stop_leftover(home / "postgres" / "postmaster.pid", marker=str(home / "postgres"), number=signal.SIGINT)
    _stop_leftover(home / "redis" / "redis.pid", marker=VALKEY, number=signal.SIGTERM)


def connect(variables: Mapping[str, str], *, database: str | None = None) -> "psycopg.Connection[tuple[Any, ...]]":
    """Connect to the Postgres that the POSTGRES_ variables name, as its owner if they name one.

    Missing variables have their defaults.
    """
    variables = resolve_environment(variables)
    given = {name: variables.get(f"POSTGRES_{name.upper()}") for name in ("sslmode", "sslrootcert")}
    given["target_session_attrs"] = "read-write" if "," in variables["POSTGRES_HOST"] else None
    role = "POSTGRES_OWNER" if variables.get("POSTGRES_OWNER_USER") else "POSTGRES"
    address = make_conninfo(
        host=variables["POSTGRES_HOST"],
        port=variables.get("POSTGRES_PORT") or "5432",
        user=variables.get(f"{role}_USER", POSTGRES_OWNER),
        password=variables.get(f"{role}_PASSWORD", ""),
        dbname=database or _database(variables),
        connect_timeout=5,
        **{name: value for name, value in given.items() if value},
    )
    return psycopg.connect(address, autocommit=True)


def create_database(variables: Mapping[str, str]) -> None:
    """Create the database that the POSTGRES_ variables name, if it is missing."""
    name = _database(resolve_environment(variables))
    with connect(variables, database="postgres") as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


def find_foreign_table(variables: Mapping[str, str]) -> str | None:
    """Return a table of the database that the POSTGRES_ variables name, if there are tables and none is of a wallet."""
    with connect(variables) as connection:
        found: str | None = connection.execute(_FOREIGN_TABLE).fetchall()[0][0]
        return found


def _database(variables: Mapping[str, str]) -> str:
    return variables.get("POSTGRES_DB") or "crypto_exchange"


def _home(data_dir: Path) -> Path:
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    return reachable_home(data_dir)


def _make_cluster(cluster: Path, *, password: str) -> None:
    """Run initdb beside the cluster's place, so that a start which is cut off leaves no half of a cluster there.

    The password is in a file that the servers' user can read.
    """
    unfinished = cluster.with_name(f"{cluster.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    hand_over(unfinished)
    password_file = cluster.with_name("initdb.password")
    write_private(password_file, password)
    hand_over(password_file)
    options = [
        *("--pgdata", str(unfinished), "--username", POSTGRES_OWNER),
        *("--auth=scram-sha-256", f"--pwfile={password_file}"),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
    ]
    command = [str(postgres_binary("initdb")), *options]
    try:
        subprocess.run(command, cwd="/", check=True, capture_output=True, **as_user(server_user()))  # noqa: S603  ours
    except subprocess.CalledProcessError as error:
        shutil.rmtree(unfinished)
        said = error.stderr.decode(errors="replace").strip()
        raise ServerFailed(explain_full_disk(said, cluster.parent) or f"initdb: {said}") from error
    finally:
        password_file.unlink()
    unfinished.rename(cluster)


def _password(file: Path) -> str:
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24))
    return file.read_text()


def _stop_leftover(pid_file: Path, *, marker: str, number: signal.Signals) -> None:
    """Stop a server that outlived its supervisor, because it still uses the data that a new one needs."""
    pid = read_pid(pid_file)
    if pid is None:
        return
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while is_running(pid, marker):
        os.kill(pid, number if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.1)


def _answers_sql(port: int, password: str) -> bool:
    try:
        psycopg.connect(
            host="127.0.0.1", port=port, user=POSTGRES_OWNER, password=password, dbname="postgres", connect_timeout=2
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
