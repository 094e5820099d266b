"""Everything the shop runs on, as real processes that may be killed, frozen and cut off at any moment.

Two API servers, two workers, Postgres and Redis of its own, the simulator with its durable book. The processes
reach the three servers through proxies. What dies is started again, as a supervisor would.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from exchange_site.simulator.book.matching import Book
from exchange_site.stack.embedded import (
    POSTGRES_USER,
    create_database,
    free_port,
    prepare_postgres,
    prepare_redis,
    stop,
)
from tests.faults.kills import SHOTS
from tests.processes import Simulator, start, wait_for
from tests.proxy import Proxy
from wallets import redis_store

DATABASE = "faults"
COINS = 500
# Limits and intervals of seconds: the world's minutes.
QUICK = {
    "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
    "SWEEP_CRON": "* * * * * *",
    "SWEEP_AFTER_SECONDS": "1",
    "RESCUE_CRON": "* * * * * *",
    "STALLED_WORKER_SECONDS": "2",
    "EXCHANGE_CONNECT_TIMEOUT_SECONDS": "1",
    "EXCHANGE_READ_TIMEOUT_SECONDS": "1",
    "EXCHANGE_RECV_WINDOW_MS": "1500",
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


class Child:
    """A process that is started again whenever it is gone, until it is let go."""

    def __init__(self, name, command, environment, *, log):
        self.name, self.command, self.environment = name, command, environment
        self.deaths = 0
        self._log = log
        self.begin()

    def begin(self):
        with self._log.open("ab") as log:
            self.process = start(self.command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        self.began = time.monotonic()

    def revive(self):
        """Half a second between two starts, so that one that cannot start does not eat the machine."""
        if self.process.poll() is not None and time.monotonic() > self.began + 0.5:
            self.deaths += 1
            self.begin()

    def kill(self):
        """The whole group: what is frozen dies too."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self, lines=25):
        text = self._log.read_text(errors="replace").splitlines()
        return f"--- {self.name}, died {self.deaths} times\n" + "\n".join(text[-lines:])


class Supervisor:
    """Starts again what has died."""

    def __init__(self):
        self.children = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def add(self, child):
        with self._lock:
            self.children[child.name] = child

    @contextmanager
    def without(self, name):
        """The child is down for the while."""
        with self._lock:
            child = self.children.pop(name)
            child.kill()
        try:
            yield
        finally:
            child.begin()
            self.add(child)

    def replace(self, name, **environment):
        """Start the child anew with other variables."""
        with self._lock:
            child = self.children[name]
            child.kill()
            child.environment = {**child.environment, **environment}
            child.begin()

    def end(self):
        self._ending.set()
        self._thread.join()
        for child in self.children.values():
            child.kill()

    def _watch(self):
        while not self._ending.wait(0.1):
            with self._lock:
                for child in self.children.values():
                    child.revive()


class Failpoints:
    """Arms the shots of processes that carry them all: a shot whose marker lies in the folder has been fired."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for shot in SHOTS:
            self._marker(shot).touch()

    @contextmanager
    def armed(self, shot):
        """The next process that comes by is hit; gives a function that says which one was, None while none was."""
        self._marker(shot).unlink()
        try:
            yield lambda: self._pid_of(shot)
        finally:
            self._marker(shot).touch()

    def _pid_of(self, shot):
        with suppress(FileNotFoundError, ValueError):
            return int(self._marker(shot).read_text())
        return None

    def _marker(self, shot):
        return self.folder / shot


class World:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="crypto-exchange-faults-"))
        self.folder.chmod(0o755)  # the servers run as somebody else when we are root
        self.failpoints = Failpoints(self.folder / "failpoints")
        self.supervisor = Supervisor()
        self.faults, self._coins, self.unchecked = 0, 0, []
        self._start_servers()
        self._start_processes()
        self.settle_in()

    def _start_servers(self):
        postgres = prepare_postgres(self.folder)
        # A process that dies loses nothing of what the kernel has; only a machine that dies needs fsync.
        self.postgres = replace(postgres, command=[*postgres.command, "-c", "fsync=off", "-c", "log_min_messages=log"])
        self.redis = prepare_redis(self.folder, durable=False)
        self._postgres, self._redis = self.postgres.start(), self.redis.start()
        create_database(
            host="127.0.0.1",
            port=self.postgres.port,
            user=POSTGRES_USER,
            password=self.postgres.password,
            name=DATABASE,
        )
        with self.connected():
            call_command("migrate", verbosity=0)
        self.book_file = self.folder / "book.sqlite"
        book = Book(self.book_file)
        book.set_prices({f"F{number:03}USDT": Decimal("4.00") for number in range(COINS)})
        book.close()

    def _start_processes(self):
        port = free_port()
        command = ["-m", "exchange_site.simulator", "--port", str(port), "--book", str(self.book_file)]
        self._add("simulator", command)
        self.venue = Simulator(f"http://127.0.0.1:{port}")
        wait_for(self.venue.answers, seconds=20)
        self.to_venue, self.to_postgres, self.to_redis = (
            Proxy(target) for target in (port, self.postgres.port, self.redis.port)
        )
        for name in ("worker 1", "worker 2"):
            self._add(name, ["manage.py", "procrastinate", "worker"])
        self.apis = {}
        for name in ("api 1", "api 2"):
            port = free_port()
            self.apis[name] = f"http://127.0.0.1:{port}"
            command = ["-m", "exchange_site.serve"]
            self._add(name, command, PORT=str(port))

    def _add(self, name, command, **extra):
        environment = {**os.environ, **QUICK, **self._addresses(), **extra} if name != "simulator" else {**os.environ}
        log = self.folder / f"{name}.log"
        self.supervisor.add(Child(name, [sys.executable, *command], environment, log=log))

    def _addresses(self):
        return {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.to_postgres.port),
            "POSTGRES_DB": DATABASE,
            "POSTGRES_USER": POSTGRES_USER,
            "POSTGRES_PASSWORD": self.postgres.password,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.to_redis.port),
            "REDIS_PASSWORD": self.redis.password,
            "EXCHANGE_URL": f"http://127.0.0.1:{self.to_venue.port}",
            "EXCHANGE_API_KEY": "simulator-key",
            "EXCHANGE_API_SECRET": "simulator-secret",
            "FAILPOINTS": ",".join(SHOTS),
            "FAILPOINTS_DIR": str(self.failpoints.folder),
        }

    @contextmanager
    def connected(self):
        """This process works on the world's database and Redis, directly."""
        mine = {
            "HOST": "127.0.0.1",
            "PORT": str(self.postgres.port),
            "NAME": DATABASE,
            "USER": POSTGRES_USER,
            "PASSWORD": self.postgres.password,
        }
        before = {name: connection.settings_dict[name] for name in mine}
        redis_before = (settings.REDIS_PORT, settings.REDIS_PASSWORD)
        self._point_to(mine, (self.redis.port, self.redis.password))
        try:
            yield self
        finally:
            self._point_to(before, redis_before)

    def _point_to(self, database, redis):
        connection.close()
        connection.settings_dict.update(database)
        settings.REDIS_PORT, settings.REDIS_PASSWORD = redis
        redis_store.breaker.reset()
        vars(redis_store._own).clear()

    def new_coin_name(self):
        self._coins += 1
        return f"F{self._coins - 1:03}"

    def settle_in(self):
        """Both API servers answer and both workers are alive, before the next fault."""
        for url in self.apis.values():
            wait_for(lambda url=url: self._is_ready(url), seconds=90, ignoring=httpx.HTTPError)
        wait_for(lambda: self.count_workers() >= 2, seconds=90, ignoring=psycopg.OperationalError)

    def _is_ready(self, url):
        return httpx.get(f"{url}/health/ready/", timeout=2).is_success

    def count_workers(self):
        query = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '1.5 seconds'"
        return self.ask(query)[0][0]

    def ask(self, query, parameters=()):
        """Ask Postgres on a line of its own."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.postgres.port,
            user=POSTGRES_USER,
            password=self.postgres.password,
            dbname=DATABASE,
            autocommit=True,
            connect_timeout=5,
        ) as line:
            cursor = line.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def frozen(self, *names):
        """They stand still for a moment, and are not dead."""
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
        """Like tests.processes.wait_for; when in vain, with everybody's last words."""
        try:
            return wait_for(condition, seconds=seconds)
        except AssertionError as error:
            words = "\n".join(child.last_words() for child in self.supervisor.children.values())
            raise AssertionError(f"{error}\n{words}") from None

    def stop_postgres_at_once(self):
        """As `pg_ctl stop -m immediate`: no checkpoint, no goodbye, recovery at the next start."""
        self._postgres.send_signal(signal.SIGQUIT)
        self._postgres.wait(10)

    def start_postgres(self):
        self._postgres = self.postgres.start()

    def signal_redis(self, number):
        self._redis.send_signal(number)

    def kill_redis(self):
        self._redis.kill()
        self._redis.wait()

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
        stop(self._redis)
        stop(self._postgres)
        shutil.rmtree(self.folder, ignore_errors=True)
