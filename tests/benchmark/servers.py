"""Everything that is measured, started anew: Postgres, Redis, the exchange simulator, the API, workers."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import psycopg.sql

from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from exchange_site.stack.embedded import (
    POSTGRES_USER,
    Server,
    create_database,
    free_port,
    prepare_postgres,
    prepare_redis,
    stop,
)
from exchange_site.stack.stack import PROJECT
from tests.benchmark.load import BenchmarkFailed

_DATABASE: Final = "benchmark"
# What keeps one caller from doing what this one does. Every limit is counted all the same, and every risk rule read;
# the window is short because it bounds what a customer's order reads, as the limit of 200 orders does otherwise.
_UNBOUNDED: Final = {
    **{f"RATE_LIMIT_{name}": "100000000/m" for name in ("USER", "ANON", "LOGIN", "ORDERS", "WALLET")},
    "RISK_WINDOW_SECONDS": "0.1",
    "RISK_MAX_ORDERS": "1000000",
    "RISK_MAX_VALUE": "1000000000000",
    "ACCESS_TOKEN_MINUTES": "1440",  # with millions of orders of history a run takes half an hour
}
_PRODUCTION: Final = {
    "DJANGO_SETTINGS_MODULE": "tests.benchmark.settings",
    "DEBUG": "False",
    "SECURE_SSL_REDIRECT": "False",
    "ALLOWED_HOSTS": "127.0.0.1",
}


@dataclass(kw_only=True)
class Stack:
    """The running parts. `environment` is what each of their processes finds."""

    folder: Path
    environment: dict[str, str]
    url: str
    venue: str
    web: "subprocess.Popen[bytes] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    revived: list[str] = field(default_factory=list)

    def copy(self, name: str) -> "Stack":
        """A second API and workers on a copy of the database as it is now; everything else is shared.

        Ids are the same in both, so what Redis holds of one is right for the other too.
        """
        self.stop_web()
        with self._connected("postgres") as connection:
            copied = [psycopg.sql.Identifier(part) for part in (name, self.environment["POSTGRES_DB"])]
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*copied))
        folder = self.folder / name
        folder.mkdir()
        port = str(free_port())
        environment = {**self.environment, "POSTGRES_DB": name, "PORT": port}
        return Stack(folder=folder, environment=environment, url=f"http://127.0.0.1:{port}", venue=self.venue)

    def manage(self, *arguments: str) -> None:
        """Run manage.py against the stack."""
        subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=PROJECT,
            env={**os.environ, **self.environment},
            check=True,
        )

    def start_web(self, *, processes: int) -> None:
        """Start the API, with so many processes. Stops the one that runs."""
        self.stop_web()
        command = [sys.executable, "-m", "exchange_site.serve"]
        self.web = self.start("web", command, WEB_WORKERS=str(processes))
        _wait(lambda: httpx.get(f"{self.url}/health/ready/").is_success, what="the API")

    def stop_web(self) -> None:
        if self.web:
            _end(self.web)
            self.web = None

    def start_workers(self, *, count: int) -> None:
        """Have `count` workers, and wait until they work; those that run already stay."""
        while len(self.workers) > count:
            _end(self.workers.pop())
        while len(self.workers) < count:
            self.workers.append(self._start_worker(len(self.workers)))
        _wait(lambda: self._count_workers() >= count, what="a worker")

    def revive_workers(self) -> None:
        """Start again what has ended, as a supervisor would."""
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.revived.append(f"worker{number} had ended with {worker.returncode}:\n{self.last_words(number)}")
                self.workers[number] = self._start_worker(number)

    def last_words(self, number: int) -> str:
        """The end of a worker's log."""
        return "\n".join((self.folder / f"worker{number}.log").read_text().splitlines()[-60:])

    def _count_workers(self) -> int:
        with self._connected(self.environment["POSTGRES_DB"]) as connection:
            row = connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
        return int(row[0]) if row else 0

    def _connected(self, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
        found = self.environment
        return psycopg.connect(
            host=found["POSTGRES_HOST"],
            port=found["POSTGRES_PORT"],
            user=found["POSTGRES_USER"],
            password=found["POSTGRES_PASSWORD"],
            dbname=database,
            autocommit=True,
        )

    def _start_worker(self, number: int) -> "subprocess.Popen[bytes]":
        return self.start(f"worker{number}", [sys.executable, "manage.py", "procrastinate", "worker"])

    @contextmanager
    def without_workers(self) -> Iterator[None]:
        """Stop the workers for the while, and wait until there are others.

        Not frozen: Postgres ends what stands still in a transaction, and a worker ends with that.
        """
        count = len(self.workers)
        self.start_workers(count=0)
        try:
            yield
        finally:
            self.start_workers(count=count)

    def web_processes(self) -> list[int]:
        """The pids of those that answer, not of the one that keeps them."""
        assert self.web is not None
        children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def start(self, name: str, command: list[str], **extra: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, **self.environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end(self) -> None:
        for process in [self.web, *self.workers]:
            if process:
                _end(process)


def memory_mib(pid: int) -> float:
    """What the process alone would free, and its share of what it has in common with others (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise BenchmarkFailed("this kernel tells no PSS")


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """A stack on `folder`, migrated, with neither API nor workers yet. Postgres as durable as in production."""
    postgres, redis = prepare_postgres(folder), prepare_redis(folder)
    running = [postgres.start(), redis.start()]
    stack = Stack(folder=folder, environment=_environment(postgres, redis), url="", venue="")
    stack.url = f"http://127.0.0.1:{stack.environment['PORT']}"
    stack.venue = stack.environment["EXCHANGE_URL"]
    try:
        create_database(
            host="127.0.0.1", port=postgres.port, user=POSTGRES_USER, password=postgres.password, name=_DATABASE
        )
        stack.manage("migrate", "--verbosity", "0")
        running.append(_start_simulator(stack))
        yield stack
    finally:
        stack.end()
        for server in reversed(running):
            stop(server)


def _environment(postgres: Server, redis: Server) -> dict[str, str]:
    return {
        **_PRODUCTION,
        **_UNBOUNDED,
        **{name: secrets.token_urlsafe(40) for name in ("SECRET_KEY", "JWT_SECRET_KEY")},
        "PORT": str(free_port()),
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_DB": _DATABASE,
        "POSTGRES_USER": POSTGRES_USER,
        "POSTGRES_PASSWORD": postgres.password,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis.port),
        "REDIS_PASSWORD": redis.password,
        "EXCHANGE_URL": f"http://127.0.0.1:{free_port()}",
        "EXCHANGE_API_KEY": DEFAULT_API_KEY,
        "EXCHANGE_API_SECRET": DEFAULT_API_SECRET,
    }


def _start_simulator(stack: Stack) -> "subprocess.Popen[bytes]":
    port = stack.venue.rpartition(":")[2]
    book = stack.folder / "book.sqlite"
    command = [sys.executable, "-m", "exchange_site.simulator", "--port", port, "--book", str(book)]
    simulator = stack.start("simulator", command)
    _wait(lambda: httpx.get(f"{stack.venue}/api/v3/ping").is_success, what="the exchange simulator")
    return simulator


def _wait(condition: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if condition():
                return
        time.sleep(0.05)
    raise BenchmarkFailed(f"{what} did not start")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
