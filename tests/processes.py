"""Helpers of tests with real processes: wait for a condition, make calls at the same time, control a simulator."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psutil
from django.db import connection

from exchange_site.stack.processes import NotInTime, answers, stop, wait_until
from tests.patience import stretched


@contextmanager
def stopped(process):
    """Stop the process at the end of the `with` block, in whatever state it is."""
    try:
        yield process
    finally:
        stop(process)


def wait_for(condition, *, seconds=10, ignoring=()):
    """Call `condition` until its result is true, and return that result.

    After `seconds` the test fails, on a busy machine after more.
    """
    ignored = ignoring if isinstance(ignoring, tuple) else (ignoring,)
    try:
        return wait_until(condition, seconds=stretched(seconds), ignoring=ignored)
    except NotInTime as error:
        raise AssertionError(str(error)) from None


def find_lifeline(worker):
    """Return the process id of a worker's lifeline, or None before it has begun.

    Another child may be a program that a library asks about the system.
    """
    with suppress(psutil.Error):
        for child in psutil.Process(worker).children():
            if any(word.endswith("lifeline.py") for word in child.cmdline()):
                return child.pid
    return None


def at_once(count, call):
    """Run `call(0)`, `call(1)` … in `count` threads with separate database connections, and return the results.

    Each waits for the others' locks for as long as a busy machine needs, not for the two seconds of production.
    """

    def run(number):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '60s'")
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def insist(ask):
    """Return the answer of `ask()`. While it is `busy`, ask again, as a client should: the more often, the slower a machine."""
    while True:
        answer = ask()
        if answer.json().get("code") != "busy":
            return answer


def somebody_waits_for_a_lock():
    """Say whether a session of this database waits for a lock. True at once also inside a database transaction."""
    return count_waits_for_locks() > 0


def count_waits_for_locks():
    """Return how many sessions of this database wait for a lock.

    Tests of other processes wait in other databases of the same server. Not every lock names its database, but whoever
    waits for one has another lock that does.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(DISTINCT pid) FROM pg_locks AS waiting JOIN pg_locks AS other USING (pid)
                WHERE NOT waiting.granted
                  AND other.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        )
        return cursor.fetchone()[0]


class Simulator:
    """A client of a running simulator's control API."""

    def __init__(self, url):
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=5)

    def answers(self):
        return answers(f"{self.url}/api/v3/ping")

    def book(self, coin=None):
        orders = self._client.get("/control/book").json()
        return [order for order in orders if coin is None or order["symbol"] == f"{coin}USDT"]

    def set_prices(self, **prices):
        self._put("/control/prices", {f"{coin}USDT": price for coin, price in prices.items()})

    def set_market(self, **changes):
        self._put("/control/market", {f"{coin}USDT": change for coin, change in changes.items()})

    def market(self):
        return self._client.get("/control/market").json()

    def set_second_source(self, **changes):
        self._put("/control/second_source", changes)

    def second_source(self):
        return self._client.get("/control/second_source").json()

    def set_filters(self, coin, **filters):
        self._put("/control/filters", {f"{coin}USDT": filters})

    def set_status(self, **status):
        self._put("/control/market", {f"{coin}USDT": {"status": word} for coin, word in status.items()})

    def delist(self, coin):
        self._put("/control/market", {f"{coin}USDT": None})

    def account(self):
        return self._client.get("/control/account").json()

    def set_account(self, **account):
        self._put("/control/account", account)

    def fail(self, *rules):
        self._put("/control/faults", list(rules))

    def faults(self):
        return self._client.get("/control/faults").json()

    def close(self):
        self._client.close()

    def _put(self, path, data):
        self._client.put(path, json=data).raise_for_status()
