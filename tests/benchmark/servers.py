"""Start all that the benchmark measures, from nothing: Postgres, Redis, the exchange simulator, the API, workers."""

import os
import secrets
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import psycopg.sql

from exchange_site.stack.environment import (
    owner_variables,
    postgres_variables,
    redis_variables,
    simulator_variables,
    split_owner,
)
from exchange_site.stack.processes import (
    API,
    PROJECT,
    WORKER,
    NotInTime,
    free_port,
    local_url,
    manage,
    simulator,
    start,
    stop,
    wait_for_answer,
    wait_until,
)
from exchange_site.stack.servers import connect, create_database, prepare_postgres, prepare_redis
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.still_postgres import StillPostgres

_DATABASE: Final = "benchmark"
_BOOK: Final = "book.sqlite"  # the simulator's
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
# Limits so high that the benchmark stays within them. Calls are still counted, and risk rules are still checked: over an
# hour, as in production, but with a limit that holds no order of these busy customers.
_UNBOUNDED: Final = {
    **{f"RATE_LIMIT_{name}": "100000000/m" for name in ("USER", "ANON", "LOGIN", "LOGIN_ACCOUNT", "ORDERS", "WALLET")},
    "RISK_WINDOW_SECONDS": "3600",
    "RISK_MAX_ORDERS": "1000000",
    "RISK_MAX_VALUE": "1000000000000",
    "ACCESS_TOKEN_MINUTES": "1440",
}
_SETTINGS: Final = {
    **_UNBOUNDED,
    "POSTGRES_DB": _DATABASE,
    "DJANGO_SETTINGS_MODULE": "tests.benchmark.settings",
    "DEBUG": "False",
    "SECURE_SSL_REDIRECT": "False",
    "ALLOWED_HOSTS": "127.0.0.1",
    "LOAD_TEST": "True",
}


@dataclass(kw_only=True)
class Stack:
    """The running parts. Each of their processes gets the variables in `environment`, and manage.py those of `owner`.

    The variables of `postgres` are its superuser's.
    """

    folder: Path
    environment: dict[str, str]
    owner: dict[str, str]
    url: str
    venue: str
    postgres: StillPostgres
    web: "subprocess.Popen[bytes] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    revived: list[str] = field(default_factory=list)

    def manage(self, *arguments: str) -> None:
        """Run manage.py against the stack."""
        subprocess.run(
            manage(*arguments),
            cwd=PROJECT,
            env={**os.environ, "PYTHONWARNINGS": "ignore", **self.environment, **self.owner},
            check=True,
        )

    def start_web(self, *, processes: int) -> None:
        """Stop the running API, and start the API with `processes` processes."""
        self.stop_web()
        self.web = self.start("web", API, WEB_WORKERS=str(processes))
        wait_for_answer(f"{self.url}/health/ready/", seconds=_START_SECONDS, by=self.web)

    def stop_web(self) -> None:
        if self.web:
            stop(self.web, seconds=_STOP_SECONDS)
            self.web = None

    def start_workers(self, *, count: int) -> None:
        """Start or stop workers until there are `count`, and wait until all are registered."""
        while len(self.workers) > count:
            stop(self.workers.pop(), seconds=_STOP_SECONDS)
        while len(self.workers) < count:
            self.workers.append(self._start_worker(len(self.workers)))
        wait_until(lambda: self._count_workers() >= count, seconds=_START_SECONDS, what="a worker did not start")

    def revive_workers(self) -> None:
        """Restart workers that have ended, as a supervisor would."""
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.revived.append(f"worker{number} had ended with {worker.returncode}:\n{self.last_words(number)}")
                self.workers[number] = self._start_worker(number)

    def last_words(self, number: int) -> str:
        """Return the end of a worker's log."""
        return "\n".join((self.folder / f"worker{number}.log").read_text().splitlines()[-60:])

    def _count_workers(self) -> int:
        with connect(self.environment) as connection:
            row = connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
        return int(row[0]) if row else 0

    def _start_worker(self, number: int) -> "subprocess.Popen[bytes]":
        return self.start(f"worker{number}", WORKER)

    @contextmanager
    def without_workers(self) -> Iterator[None]:
        """Stop the workers. At the end start as many new workers, and wait for them.

        Freezing the workers would not do: Postgres ends idle transactions, and then the worker ends.
        """
        count = len(self.workers)
        self.start_workers(count=0)
        try:
            yield
        finally:
            self.start_workers(count=count)

    def web_processes(self) -> list[int]:
        """Return the pids of the processes that answer requests, without their parent."""
        assert self.web is not None
        children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def start(self, name: str, command: Sequence[str], **extra: str) -> "subprocess.Popen[bytes]":
        environment = {**split_owner(os.environ)[0], **self.environment, **extra}
        return start(command, environment=environment, output=self.folder / f"{name}.log")

    def end(self) -> None:
        for process in [self.web, *self.workers]:
            if process:
                stop(process, seconds=_STOP_SECONDS)


def memory_mib(pid: int) -> float:
    """Return a process's own memory plus its part of the memory that it shares with others (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise BenchmarkFailed("this kernel tells no PSS")


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Start a migrated stack on `folder`, without API and workers. Postgres is as durable as in production.

    Raises BenchmarkFailed if a part does not start.
    """
    postgres = prepare_postgres(folder)
    owner = owner_variables(postgres)
    superuser = {f"POSTGRES_{name}": owner[f"POSTGRES_OWNER_{name}"] for name in ("USER", "PASSWORD")}
    with postgres.running() as process, _running_parts(folder) as parts:
        environment = {**_SETTINGS, **_make_secrets(), **postgres_variables(postgres), **parts}
        still = StillPostgres(pid=process.pid, environment={**environment, **superuser})
        stack = _stack(folder, environment, owner, still)
        create_database({**environment, **owner})
        stack.manage("migrate", "--verbosity", "0")
        with _ending(stack):
            yield stack


@contextmanager
def running_copy(stack: Stack, *, name: str) -> Iterator[Stack]:
    """Start a second stack on a copy of the first one's database; they share Postgres and nothing else.

    Copies the database and the simulator's book, unless an earlier run has, and migrates the copy. The caller has no
    connection to the database, and no worker runs. Raises BenchmarkFailed if a part does not start.
    """
    stack.stop_web()
    folder = stack.folder / name
    folder.mkdir(exist_ok=True)
    with connect({**stack.environment, **stack.owner}, database="postgres") as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            _copy_book(stack.folder / _BOOK, into=folder / _BOOK)
            copied = [psycopg.sql.Identifier(part) for part in (name, stack.environment["POSTGRES_DB"])]
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*copied))
    with _running_parts(folder) as parts:
        copy = _stack(folder, {**stack.environment, "POSTGRES_DB": name, **parts}, stack.owner, stack.postgres)
        copy.manage("migrate", "--verbosity", "0")
        copy.manage("database_roles", "--verbosity", "0")  # a role's timeouts belong to one database
        with _ending(copy):
            yield copy


def _stack(folder: Path, environment: dict[str, str], owner: dict[str, str], postgres: StillPostgres) -> Stack:
    return Stack(
        folder=folder,
        environment=environment,
        owner=owner,
        url=local_url(environment["PORT"]),
        venue=environment["EXCHANGE_URL"],
        postgres=postgres,
    )


@contextmanager
def _running_parts(folder: Path) -> Iterator[dict[str, str]]:
    """Start the Redis and the exchange simulator of a stack; return their variables, and a port for its API."""
    redis, port = prepare_redis(folder), free_port()
    variables = {"PORT": str(free_port()), **redis_variables(redis), **simulator_variables(port=port)}
    environment = {**split_owner(os.environ)[0], **variables}
    with ExitStack() as running:
        running.enter_context(redis.running())
        venue = start(
            simulator(port=port, book=folder / _BOOK), environment=environment, output=folder / "simulator.log"
        )
        running.callback(stop, venue)
        try:
            wait_for_answer(f"{variables['EXCHANGE_URL']}/api/v3/ping", seconds=_START_SECONDS, by=venue)
        except NotInTime as error:
            raise BenchmarkFailed(str(error)) from error
        yield variables


@contextmanager
def _ending(stack: Stack) -> Iterator[None]:
    """Stop the API and the workers at the end. Raises BenchmarkFailed if one of them has not started."""
    try:
        yield
    except NotInTime as error:
        raise BenchmarkFailed(str(error)) from error
    finally:
        stack.end()


def _copy_book(book: Path, *, into: Path) -> None:
    with closing(sqlite3.connect(book)) as source, closing(sqlite3.connect(into)) as copy:
        source.backup(copy)


def _make_secrets() -> dict[str, str]:
    return {name: secrets.token_urlsafe(40) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS")}
