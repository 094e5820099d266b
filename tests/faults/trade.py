"""Customers who buy one coin during one fault. Like a careful client, they repeat a request that got no answer."""

import itertools
import random
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import httpx

from tests.conftest import Shopper, make_coin

PRICE = Decimal("4.00")
TOTALS = {"large": ["12.00"], "pool": ["4.00", "4.00", "4.00"]}
LOAD_TOTALS = {"large": ["12.00", "20.00", "12.40"], "pool": ["2.00", "4.00", "6.40"]}
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Placed:
    """An acknowledged order: its customer, its idempotency key, and the answer."""

    shopper: Shopper
    key: str
    answer: dict


class Trade:
    """One coin, its customers, and the orders that were acknowledged to them."""

    def __init__(self, world, kind, *, opening="100000.00", **fields):
        self.world, self.kind, self.opening = world, kind, Decimal(opening)
        self.coin = make_coin(world.new_coin_name(), PRICE, **fields)
        self.shoppers, self.placed, self._threads, self.problems = [], [], [], []
        self._turn = itertools.count()
        self.late_fills = False
        self.symbol = f"{self.coin.name}USDT"
        self.lines = threading.local()
        world.unchecked.append(self)
        self.begun = [(self.new_shopper(), total) for total in TOTALS[kind]]

    def new_shopper(self):
        shopper = Shopper(self.opening)
        self.shoppers.append(shopper)
        return shopper

    def order(self, total, *, by=None, key=None):
        """Place an order and return the answer. Without one, repeat the request on the other server, with the same key."""
        shopper, key = by or self.new_shopper(), key or uuid.uuid4().hex
        body = {"crypto": self.coin.name, "total": total}
        answer = self._insist("orders/", shopper, {201}, json=body, headers={"Idempotency-Key": key}).json()
        self.placed.append(Placed(shopper, key, answer))
        return answer

    def cancel(self, order):
        """Cancel an order and return the status. Without an answer, repeat the request."""
        shopper = next(placed.shopper for placed in self.placed if placed.answer["id"] == order["id"])
        return self._insist(f"orders/{order['id']}/cancel/", shopper, {200, 409}).status_code

    def _insist(self, path, shopper, wanted, *, headers=None, **content):
        deadline = time.monotonic() + PATIENCE_SECONDS
        urls = list(self.world.apis.values())
        while True:
            url = urls[next(self._turn) % len(urls)]
            try:
                answer = httpx.post(
                    f"{url}/api/v1/{path}", headers={**shopper.headers, **(headers or {})}, timeout=3, **content
                )
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code in wanted and answer.json().get("code") != "busy":
                return answer
            if answer is not None:
                passing = answer.status_code >= 500 or answer.json().get("code") == "busy"
                assert passing, f"{answer.status_code} {answer.text}"
            assert time.monotonic() < deadline, f"no answer for {PATIENCE_SECONDS} s"
            time.sleep(0.1)

    def start(self):
        """Place the orders of this trade shortly after each other, each in its own thread."""
        for shopper, total in self.begun:
            self._in_thread(lambda shopper=shopper, total=total: self.order(total, by=shopper))
            time.sleep(0.02)
        return self

    def place(self):
        """Place the orders of this trade, one after the other."""
        for shopper, total in self.begun:
            self.order(total, by=shopper)
        return self

    def join(self):
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS + 10)
        self._threads.clear()
        assert self.problems == []

    @contextmanager
    def load(self, *, threads=3):
        """Keep placing orders inside the `with` block, and cancel some of them at once."""
        ending = threading.Event()
        for number in range(threads):
            shopper = self.new_shopper()
            self._in_thread(lambda shopper=shopper, seed=number: self._keep_on(shopper, random.Random(seed), ending))
        try:
            yield self
        finally:
            ending.set()
            self.join()

    def _keep_on(self, shopper, chance, ending):
        spent = Decimal(0)
        while not ending.wait(chance.uniform(0.02, 0.1)) and spent < self.opening - 20:
            order = self.order(chance.choice(LOAD_TOTALS[self.kind]), by=shopper)
            spent += Decimal(order["total_price"])
            if chance.random() < 0.2:
                self.cancel(order)

    def _in_thread(self, call):
        def run():
            try:
                call()
            except BaseException as error:  # noqa: BLE001  join() reports it
                self.problems.append(repr(error))

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()
