"""All parts of the system as real processes, which tests can kill, freeze and cut off at any moment.

These are two API servers, two workers, Postgres, Redis, and the simulator with its book on disk. The API servers and
workers reach the other three through proxies. A process that dies is started again.
"""

import os
import shutil
import signal
import tempfile
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from exchange_site.simulator.book.matching import Book
from exchange_site.stack.environment import (
    owner_variables,
    postgres_variables,
    redis_variables,
    simulator_variables,
    split_owner,
)
from exchange_site.stack.processes import API, WORKER, answers, free_port, kill, local_url, simulator
from exchange_site.stack.servers import connect, create_database, prepare_postgres, prepare_redis, stop_server
from tests.configure import configure
from tests.dialects import BINANCE
from tests.faults.kills import SHOTS, Failpoints
from tests.faults.supervisor import Child, Supervisor
from tests.processes import Simulator, wait_for
from tests.proxy import Proxy
from tests.secrecy import ensure_silent
from wallets.runtime import redis_store

DATABASE = "faults"
COINS = 500
# Limits and intervals of seconds, where production has minutes.
QUICK = {
    "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
    "SWEEP_CRON": "* * * * * *",
    "SWEEP_AFTER_SECONDS": "1",
    "RESCUE_CRON": "* * * * * *",
    "STALLED_WORKER_SECONDS": "2",
    "EXCHANGE_CONNECT_TIMEOUT_SECONDS": "1",
    "EXCHANGE_READ_TIMEOUT_SECONDS": "1",
    "LOOKUP_FIRST_WAIT_SECONDS": "0.2",
    "LOOKUP_MAX_WAIT_SECONDS": "1",
    "NOT_FOUND_MARGIN_SECONDS": "0.5",
    "NOT_FOUND_TIMES": "2",
    "RECHECK_FIRST_WAIT_SECONDS": "1",
    "PAUSE_MAX_SECONDS": "1",
    "POOL_MAX_AGE_SECONDS": "8",
    "JOB_RETRY_MAX_WAIT_SECONDS": "1",
    "MAX_ATTEMPTS": "50",
    "RISK_MAX_ORDERS": "1000000",
    "RISK_MAX_CANCELS": "1000000",
    "RISK_MAX_VALUE": "1000000000",
    "POSTGRES_POOL_SIZE": "8",
    "WEB_WORKERS": "1",
    "LOGLEVEL": "INFO",
}


class World:
    def __init__(self, dialect=BINANCE):
        self.dialect = dialect
        self.api_key = f"key-{uuid.uuid4().hex}"  # of its own: the requests of a key take turns on a host
        self.folder = Path(tempfile.mkdtemp(prefix="crypto-exchange-faults-"))
        self.folder.chmod(0o755)  # if we are root, the servers run as another user
        self.failpoints = Failpoints(self.folder / "failpoints")
        self.supervisor = Supervisor()
        self.faults, self._coins, self.unchecked = 0, 0, []
        self._start_servers()
        self._start_processes()
        self.settle_in()

    def _start_servers(self):
        postgres = prepare_postgres(self.folder)
        # Without fsync: a killed process loses nothing that it has handed to the kernel.
        self.postgres = replace(postgres, command=[*postgres.command, *self._postgres_options()])
        self.redis = prepare_redis(self.folder, durable=False)
        self._postgres, self._redis = self.postgres.start(), self.redis.start()
        self._database = {
            **postgres_variables(self.postgres),
            **owner_variables(self.postgres),
            "POSTGRES_DB": DATABASE,
        }
        create_database(self._database)
        with self.connected():
            call_command("migrate", verbosity=0)
            self.dialect.name_first_venue()
        self.book_file = self.folder / "book.sqlite"
        book = Book(self.book_file)
        book.set_prices({f"F{number:03}USDT": Decimal("4.00") for number in range(COINS)})
        book.close()

    def _postgres_options(self):
        return ("-c", "fsync=off", "-c", "log_min_messages=log")

    def _start_processes(self):
        port = free_port()
        command = (*simulator(port=port, book=self.book_file), "--api-key", self.api_key)
        self._add("simulator", command, split_owner(os.environ)[0])
        self.venue = Simulator(local_url(port))
        wait_for(self.venue.answers, seconds=20)
        self.to_venue, self.to_postgres, self.to_redis = (
            Proxy(target) for target in (port, self.postgres.port, self.redis.port)
        )
        environment = {**split_owner(os.environ)[0], **QUICK, **self._addresses()}
        for name in ("worker 1", "worker 2"):
            self._add(name, WORKER, environment)
        self.apis = {}
        for name in ("api 1", "api 2"):
            port = free_port()
            self.apis[name] = local_url(port)
            self._add(name, API, {**environment, "PORT": str(port)})

    def _add(self, name, command, environment):
        self.supervisor.add(Child(name, command, environment, log=self.folder / f"{name}.log"))

    def _addresses(self):
        """Return the addresses of the servers, which are those of the proxies."""
        return {
            **postgres_variables(self.postgres, port=self.to_postgres.port),
            **redis_variables(self.redis, port=self.to_redis.port),
            **simulator_variables(port=self.to_venue.port),
            **self.dialect.variables(),
            "EXCHANGE_API_KEY": self.api_key,
            "POSTGRES_DB": DATABASE,
            "FAILPOINTS": ",".join(SHOTS),
            "FAILPOINTS_DIR": str(self.failpoints.folder),
        }

    @contextmanager
    def connected(self):
        """Connect this process to the world's database and Redis, without proxies, and let it know the same venue."""
        names = {"NAME": "DB", **{name: name for name in ("HOST", "PORT", "USER", "PASSWORD")}}
        mine = {setting: self._database[f"POSTGRES_{name}"] for setting, name in names.items()}
        before = {name: connection.settings_dict[name] for name in mine}
        redis_before = (settings.REDIS.port, settings.REDIS.password)
        owner_before = (settings.POSTGRES.owner_user, settings.POSTGRES.owner_password)
        venue_before = {name: getattr(settings.VENUE, name) for name in self.dialect.settings()}
        owner = (self._database["POSTGRES_OWNER_USER"], self._database["POSTGRES_OWNER_PASSWORD"])
        self._point_to(mine, (self.redis.port, self.redis.password), owner)
        configure(settings, "VENUE", **self.dialect.settings())
        try:
            yield self
        finally:
            configure(settings, "VENUE", **venue_before)
            self._point_to(before, redis_before, owner_before)

    def _point_to(self, database, redis, owner):
        connection.close()
        connection.settings_dict.update(database)
        configure(settings, "REDIS", port=redis[0], password=redis[1])
        configure(settings, "POSTGRES", owner_user=owner[0], owner_password=owner[1])
        redis_store.breaker.reset()
        vars(redis_store._own).clear()

    def new_coin_name(self):
        self._coins += 1
        return f"F{self._coins - 1:03}"

    def settle_in(self):
        """Wait until both API servers answer and both workers are alive."""
        for url in self.apis.values():
            wait_for(lambda url=url: answers(f"{url}/health/ready/"), seconds=90)
        wait_for(lambda: self.count_workers() >= 2, seconds=90, ignoring=psycopg.OperationalError)

    def count_workers(self):
        query = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '1.5 seconds'"
        return self.ask(query)[0][0]

    def deaths_of_apis(self):
        return [self.supervisor.children[name].deaths for name in self.apis]

    def ask(self, query, parameters=()):
        """Run a query over a new connection, without a proxy."""
        with connect(self._database) as line:
            cursor = line.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def frozen(self, *names):
        """Freeze the named processes inside the `with` block."""
        frozen = [self.supervisor.children[name].process.pid for name in names]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

    def frozen_workers(self):
        return self.frozen("worker 1", "worker 2")

    def wait_for(self, condition, *, seconds=40):
        """Wait as tests.processes.wait_for does; a failure also shows the last log lines of all processes."""
        try:
            return wait_for(condition, seconds=seconds)
        except AssertionError as error:
            words = "\n".join(child.last_words() for child in self.supervisor.children.values())
            raise AssertionError(f"{error}\n{words}") from None

    def stop_postgres_at_once(self):
        """Stop Postgres as `pg_ctl stop -m immediate` does: without a checkpoint, so that it recovers at the next start."""
        self._postgres.send_signal(signal.SIGQUIT)
        self._postgres.wait(10)

    @contextmanager
    def read_only(self):
        """Let new sessions only read inside the `with` block, and end the old ones, as a failover does to a primary."""
        self._administer(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = on")
        try:
            self._administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (DATABASE,))
            yield
        finally:
            self._administer(f"ALTER DATABASE {DATABASE} RESET default_transaction_read_only")

    def _administer(self, statement, parameters=()):
        """Run a statement beside the world's database, which may be read-only."""
        with connect(self._database, database="postgres") as line:
            line.execute(statement, parameters)

    def start_postgres(self):
        self._postgres = self.postgres.start()

    def signal_redis(self, number):
        self._redis.send_signal(number)

    def kill_redis(self):
        kill(self._redis)

    def start_redis(self):
        self._redis = self.redis.start()
        vars(redis_store._own).clear()
        redis_store.breaker.reset()

    def end(self):
        self.supervisor.end()
        self.venue.close()
        for proxy in (self.to_venue, self.to_postgres, self.to_redis):
            proxy.close()
        with suppress(ProcessLookupError):
            self._redis.send_signal(signal.SIGCONT)
        stop_server(self._redis)
        stop_server(self._postgres)
        try:
            ensure_silent(self.folder)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
