"""PostgreSQL and Redis for development and tests, without installing either.

A `Server` says how one is started and reached; `running` runs it for the length of a `with` block, and the
supervisor of `task dev` runs it from the same description. Both listen on 127.0.0.1 alone and want a password,
because a developer's machine can have other users.
"""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange_site.development import places, processes, wheels
from exchange_site.development.errors import PlaceUnusable, StartFailed
from exchange_site.development.places import Account
from exchange_site.development.ports import LOOPBACK, free_port

POSTGRES_USER: Final = "postgres"
_START_SECONDS: Final = 60  # a crash recovery included
_STOP_SECONDS: Final = 10
_LOG_TAIL: Final = 2000
_INITDB_OPTIONS: Final = (
    f"--username={POSTGRES_USER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
)
_POSTGRES_SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For data that nobody will miss after a power cut.
_CARELESS_SETTINGS: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that is ready to be started: its data exists and a free port is chosen."""

    name: str
    command: tuple[str, ...]
    folder: Path
    account: Account
    address: dict[str, str]  # the environment by which the site finds it
    is_ready: Callable[[], bool]


def postgres_server(*, data_dir: Path, durable: bool) -> Server:
    """Return the PostgreSQL of `data_dir`, whose files are made when there are none.

    One that still runs on these files is stopped. Raises ServersMissing, PlaceUnusable, StartFailed.
    """
    account = places.server_account()
    programs = wheels.postgres_programs(account)
    folder = places.place_for_data("postgres", data_dir=data_dir, account=account)
    _stop_servers_in(folder)
    password = _password(data_dir / "postgres.password", may_be_new=not folder.exists())
    if not folder.exists():
        _initialise(folder, initdb=programs / "initdb", password=password, account=account)
    port = free_port()
    return Server(
        name="postgres",
        command=_postgres_command(programs / "postgres", folder, port, durable=durable),
        folder=folder,
        account=account,
        address={
            "POSTGRES_HOST": LOOPBACK,
            "POSTGRES_PORT": str(port),
            "POSTGRES_USER": POSTGRES_USER,
            "POSTGRES_PASSWORD": password,
        },
        is_ready=lambda: _postgres_is_ready(folder),
    )


def redis_server(*, data_dir: Path, durable: bool) -> Server:
    """Return the Redis of `data_dir`. One that still runs on these files is stopped.

    Raises ServersMissing, PlaceUnusable.
    """
    account = places.server_account()
    program = wheels.redis_program(account)
    folder = places.place_for_data("redis", data_dir=data_dir, account=account)
    _stop_servers_in(folder)
    if not folder.exists():
        places.make_private(folder, account)
    password, port = _password(data_dir / "redis.password", may_be_new=True), free_port()
    settings = _write_redis_settings(folder, port=port, password=password, durable=durable, account=account)
    return Server(
        name="redis",
        command=(str(program), str(settings)),
        folder=folder,
        account=account,
        address={"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(port), "REDIS_PASSWORD": password},
        is_ready=lambda: _redis_is_ready(port),
    )


@contextmanager
def running(server: Server, *, log: Path) -> Iterator[Server]:
    """Run `server` until the block ends, or until this process does. Raises StartFailed."""
    process = _start(server, log)
    try:
        _wait_until_ready(server, process, log)
        yield server
    finally:
        processes.stop_child(process, number=signal.SIGINT, seconds=_STOP_SECONDS)


def _start(server: Server, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  a program of our own wheels
            server.command,
            cwd=server.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C is for the command in front; this one is stopped after it
            preexec_fn=processes.die_with_parent(signal.SIGINT),  # noqa: PLW1509  one prctl call, no locks
            **server.account.process_options,
        )


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    processes.wait_until(lambda: process.poll() is not None or server.is_ready(), seconds=_START_SECONDS)
    if process.poll() is not None or not server.is_ready():
        raise StartFailed(f"{server.name} did not start. The end of {log}:\n{log.read_text()[-_LOG_TAIL:]}")


def _stop_servers_in(folder: Path) -> None:
    processes.stop_processes(processes.servers_in([folder]), number=signal.SIGINT, seconds=_STOP_SECONDS)


def _password(file: Path, *, may_be_new: bool) -> str:
    if file.exists():
        return file.read_text().strip()
    if not may_be_new:
        raise PlaceUnusable(
            f"{file} is gone, and with it the way into the data. Remove {file.parent} to begin anew."
        )
    password = secrets.token_urlsafe(24)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(password + "\n")
    return password


def _initialise(folder: Path, *, initdb: Path, password: str, account: Account) -> None:
    """Make a cluster beside its final place and move it there, so that half of one is never taken for one."""
    half = folder.with_name(folder.name + ".new")
    places.make_private(half, account)
    with tempfile.NamedTemporaryFile("w", dir=folder.parent) as secret:
        account.owns(Path(secret.name))
        secret.write(password)
        secret.flush()
        made = subprocess.run(  # noqa: S603  a program of our own wheels
            [initdb, "-D", half, "--pwfile", secret.name, *_INITDB_OPTIONS, "--no-sync"],
            check=False,
            cwd="/",
            capture_output=True,
            text=True,
            **account.process_options,
        )
    if made.returncode:
        raise StartFailed(f"initdb failed:\n{made.stdout}{made.stderr}")
    half.rename(folder)


def _postgres_command(program: Path, folder: Path, port: int, *, durable: bool) -> tuple[str, ...]:
    settings = _POSTGRES_SETTINGS | {"port": str(port)} | ({} if durable else _CARELESS_SETTINGS)
    return (str(program), "-D", str(folder), *(f"--{name}={value}" for name, value in settings.items()))


def _postgres_is_ready(folder: Path) -> bool:
    """PostgreSQL writes its state into the eighth line of this file."""
    try:
        return (folder / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (FileNotFoundError, IndexError):
        return False


def _write_redis_settings(folder: Path, *, port: int, password: str, durable: bool, account: Account) -> Path:
    """Write them to a file, because the command line is for everybody to see."""
    file = folder / "redis.conf"
    file.touch(mode=0o600)
    account.owns(file)
    file.write_text(
        f"bind {LOOPBACK}\nport {port}\nrequirepass {password}\nsave ''\n"
        f"appendonly {'yes' if durable else 'no'}\nloglevel warning\n"
    )
    return file


def _redis_is_ready(port: int) -> bool:
    """Whatever it answers but LOADING, it has read its data: without the password it says NOAUTH."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
    except OSError:
        return False
    return bool(answer) and not answer.startswith(b"-LOADING")
