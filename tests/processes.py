"""Real processes, started and stopped by the tests."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

PROJECT = Path(__file__).resolve().parents[1]


def start(command, **options):
    return subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, start_new_session=True, **options)


@contextmanager
def stopped(process):
    """Stop the process at the end, whatever state it is in."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(condition, *, seconds=10, ignoring=()):
    """Ask until the answer is true; the last answer is returned, or the test fails."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := condition():
                return answer
        except ignoring:
            pass
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)


def at_once(count, call):
    """Call `call(0)`, `call(1)` … in as many threads, and return the answers."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


class Simulator:
    """The control API of a running simulator."""

    def __init__(self, url):
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=5)

    def answers(self):
        try:
            return self._client.get("/api/v3/ping").is_success
        except httpx.HTTPError:
            return False

    def book(self, coin=None):
        orders = self._client.get("/control/book").json()
        return [order for order in orders if coin is None or order["symbol"] == f"{coin}USDT"]

    def set_prices(self, **prices):
        self._put("/control/prices", {f"{coin}USDT": price for coin, price in prices.items()})

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
