"""One side of a comparison: a tree of the code that runs on servers of its own.

Each side has its own Postgres, Redis, exchange simulator, API and worker, so all the work of these processes is for that
side. That includes the work that Postgres does for no particular connection: writing pages, the log, checkpoints.

A tree may be of any revision, so it is spoken to by what stays the same: its commands, its HTTP API, an order's state.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from exchange_site.stack.environment import split_owner
from exchange_site.stack.processes import free_port
from exchange_site.stack.servers import create_database, prepare_redis, stop_server
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.processor_time import read_seconds
from tests.benchmark.steady import place_steadily
from tests.benchmark.still_postgres import Connection, StillPostgres, running_postgres
from wallets.runtime.paging import MAX_LIMIT

PARTS: Final = ("API", "Postgres", "Redis", "worker")
_DATABASE: Final = "cost"
_OWNER: Final = ("USER", "PASSWORD")
_START_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 60.0
_LARGE: Final = '{"crypto": "ABAN", "amount": "3"}'
_READERS: Final = 8  # customers with as many orders as a page of a list can have
_AT_ONCE: Final = 1e9  # orders a second: as fast as they are answered
# Each revision opens accounts with code of its own. Its benchmark is in the first of these packages, or was in the second.
_OPEN_ACCOUNTS: Final = """
import importlib, importlib.util, pathlib, sys
import django
django.setup()
package = next(package for package in ("tests", "exchange_site") if importlib.util.find_spec(f"{package}.benchmark"))
customers = importlib.import_module(f"{package}.benchmark.customers")
customers.open_accounts(count=int(sys.argv[1]), folder=pathlib.Path(sys.argv[2]))
"""
_NEVER: Final = "0 0 29 2 *"
_SETTINGS: Final = {
    "DEBUG": "False",
    "SECURE_SSL_REDIRECT": "False",
    "ALLOWED_HOSTS": "127.0.0.1",
    "LOAD_TEST": "True",
    "SELF_SERVICE_DEPOSITS": "True",
    "WEB_WORKERS": "2",
    "PYTHONHASHSEED": "0",  # chance would lay dictionaries out in another way on each side
    "ACCESS_TOKEN_MINUTES": "1440",
    # Counted and read as ever, but nobody is refused. The risk rules look back as far as in production, an hour, and an order
    # of a customer with twenty orders in it reads these twenty.
    **{f"RATE_LIMIT_{name}": "100000000/m" for name in ("USER", "ANON", "LOGIN", "REGISTER", "ORDERS", "WALLET")},
    "RISK_WINDOW_SECONDS": "3600",
    "RISK_MAX_ORDERS": "1000000",
    "RISK_MAX_VALUE": "1000000000000",
    # What is done by the clock costs the same without orders, and would fall into some rounds and not into others.
    **{f"{name}_CRON": _NEVER for name in ("PRICE_REFRESH", "SWEEP", "RESCUE", "RECONCILE")},
    "PRICE_MAX_AGE_SECONDS": "86400",
}


@dataclass(kw_only=True)
class Side:
    """A tree, how its processes find each other, and those that run."""

    name: str
    tree: Path
    folder: Path
    environment: Mapping[str, str]
    owner: Mapping[str, str]
    connection: Connection
    python: str = sys.executable
    running: dict[str, int] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    worker: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}"

    def read_processor_seconds(self) -> dict[str, float]:
        """The processor time that each part has had since it started."""
        return {part: read_seconds(pid=self.running[part]) for part in PARTS}

    def open_accounts(self, *, count: int) -> None:
        """Open accounts with money, by the tree's own code. The file `tokens` gets their access tokens."""
        self.run("-c", _OPEN_ACCOUNTS, str(count), str(self.folder))
        self.tokens += (self.folder / "tokens").read_text().split()

    def prepare_customers(self, *, count: int, earlier: int) -> None:
        """Open accounts, and place about `earlier` orders for each, and a long list for each of a few.

        The file `readers` gets the access tokens of those few. Raises BenchmarkFailed.
        """
        self.open_accounts(count=count)
        readers = self.tokens[:_READERS]
        (self.folder / "readers").write_text("\n".join(readers) + "\n")
        for tokens, orders in ((self.tokens, count * earlier), (readers, _READERS * MAX_LIMIT)):
            place_steadily(url=self.url, tokens=tokens, body=_LARGE, orders=orders, rate=_AT_ONCE)

    def wait_until_settled(self) -> None:
        """Wait until no order is open. Raises BenchmarkFailed."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._has_open_orders():
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{self.name}: orders are still open:\n{self._last_words('worker')}")
            time.sleep(0.1)

    def count_completed(self) -> int:
        """How many orders have been settled in all."""
        row = self.connection.execute("SELECT count(*) FROM trading_order WHERE state = 'completed'").fetchone()
        return int(row[0]) if row else 0

    def manage(self, *arguments: str) -> None:
        """Run manage.py of the tree. Raises BenchmarkFailed."""
        self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> None:
        """Run the tree's Python as the database's owner, until it ends. Raises BenchmarkFailed."""
        done = subprocess.run(
            [self.python, "-W", "ignore", *arguments],
            cwd=self.tree,
            env={"DJANGO_SETTINGS_MODULE": "exchange_site.settings", **self.environment, **self.owner},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkFailed(f"{self.name}: {' '.join(arguments)[:60]} failed:\n{done.stderr[-2000:]}")

    def start(self, part: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a Python program of the tree."""
        with (self.folder / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(
                [self.python, *arguments],
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[part] = process.pid
        return process

    def start_worker(self) -> None:
        self.worker = self.start("worker", "manage.py", "procrastinate", "worker")

    def stop_worker(self) -> None:
        if self.worker:
            stop_server(self.worker)
            self.worker = None

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """Stop the worker for the `with` block."""
        self.stop_worker()
        try:
            yield
        finally:
            self.start_worker()

    def wait_for(self, part: str, address: str) -> None:
        """Wait until a part answers. Raises BenchmarkFailed."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if httpx.get(address).is_success:
                    return
            time.sleep(0.05)
        raise BenchmarkFailed(f"{self.name}: the {part} did not start:\n{self._last_words(part)}")

    def _has_open_orders(self) -> bool:
        """State by state, for each has its own partial index; this is asked while the time is taken."""
        return any(
            self.connection.execute("SELECT FROM trading_order WHERE state = %s LIMIT 1", [state]).fetchone()
            is not None
            for state in ("pending", "settling")
        )

    def _last_words(self, part: str) -> str:
        return "\n".join((self.folder / f"{part}.log").read_text().splitlines()[-20:])


@contextmanager
def running_side(*, name: str, tree: Path, folder: Path, python: str = sys.executable) -> Iterator[Side]:
    """Start everything that a tree needs, new, with the coins of its seeder. `python` has the tree's packages."""
    folder.mkdir(mode=0o755)
    with ExitStack() as ending:
        postgres = ending.enter_context(running_postgres(folder))
        redis = prepare_redis(folder)
        redis_process = redis.start()
        ending.callback(stop_server, redis_process)
        create_database({**postgres.environment, "POSTGRES_DB": _DATABASE})
        application, owner = _roles(tree, postgres)
        variables = {**application, "REDIS_PORT": str(redis.port), "REDIS_PASSWORD": redis.password}
        side = Side(
            name=name,
            tree=tree,
            folder=folder,
            python=python,
            environment=_environment(postgres, variables),
            owner=owner,
            connection=ending.enter_context(closing(postgres.connect(database=_DATABASE))),
            running={"Postgres": postgres.pid, "Redis": redis_process.pid},
        )
        side.manage("migrate", "--verbosity", "0")
        side.manage("seeder", "--if-empty", "--force")
        _start_programs(side, ending)
        yield side


def _roles(tree: Path, postgres: StillPostgres) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables with the application's role and with the owner. Older revisions have one role for all."""
    if not (tree / "exchange_site" / "management" / "commands" / "database_roles.py").exists():
        return {}, {}
    application = {"POSTGRES_USER": "cost", "POSTGRES_PASSWORD": secrets.token_urlsafe(24)}
    return application, {f"POSTGRES_OWNER_{name}": postgres.environment[f"POSTGRES_{name}"] for name in _OWNER}


def _environment(postgres: StillPostgres, variables: Mapping[str, str]) -> dict[str, str]:
    of_this_process = {
        name: value
        for name, value in split_owner(os.environ)[0].items()
        if name not in {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
    }
    return {
        **of_this_process,
        **_SETTINGS,
        **{name: secrets.token_urlsafe(40) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS")},
        **postgres.environment,
        **variables,
        "REDIS_HOST": "127.0.0.1",
        "POSTGRES_DB": _DATABASE,
        "PORT": str(free_port()),
        "EXCHANGE_URL": f"http://127.0.0.1:{free_port()}",
        "EXCHANGE_API_KEY": DEFAULT_API_KEY,
        "EXCHANGE_API_SECRET": DEFAULT_API_SECRET,
    }


def _start_programs(side: Side, ending: ExitStack) -> None:
    venue = side.environment["EXCHANGE_URL"]
    book = str(side.folder / "book.sqlite")
    simulator = ("-m", "exchange_site.simulator", "--port", venue.rpartition(":")[2], "--book", book)
    ending.callback(stop_server, side.start("simulator", *simulator))
    side.wait_for("simulator", f"{venue}/api/v3/ping")
    ending.callback(stop_server, side.start("API", "-m", "exchange_site.serve"))
    side.wait_for("API", f"{side.url}/health/ready/")
    ending.callback(side.stop_worker)
    side.start_worker()
