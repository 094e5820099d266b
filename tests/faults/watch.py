"""Customers who watch the API: every failure has to be polite, and nothing acknowledged may be lost or doubled."""

import itertools
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from trading.models import Order
from wallets.models import Transaction

WRITES = ("order", "deposit")
CALLS = (*WRITES, "wallet", "orders", "transactions", "holdings")


@dataclass
class Watch:
    """Customers who make every kind of call to both API servers, and remember each answer."""

    trade: object
    answered: list = field(default_factory=list)

    @contextmanager
    def going_on(self, *, threads=4):
        """Keep calling inside the `with` block."""
        ending = threading.Event()
        shoppers = [self.trade.new_shopper() for _ in range(threads)]
        running = [threading.Thread(target=self._keep_on, args=(shopper, ending)) for shopper in shoppers]
        for thread in running:
            thread.start()
        try:
            yield self
        finally:
            ending.set()
            for thread in running:
                thread.join()

    def _keep_on(self, shopper, ending):
        for url, name in itertools.cycle(itertools.product(self.trade.world.apis.values(), CALLS)):
            if ending.wait(0.02):
                return
            self.call(name, url, shopper)

    def call(self, name, url, shopper):
        """Make one call; a customer repeats a deposit or order without an answer later, or never."""
        headers = {**shopper.headers, "Idempotency-Key": uuid.uuid4().hex}
        method, path, body = {
            "order": ("POST", "orders/", {"crypto": self.trade.coin.name, "total": "12.00"}),
            "deposit": ("PATCH", "accounts/wallet/deposit/", {"amount": "5.00"}),
            "wallet": ("GET", "accounts/wallet/", None),
            "orders": ("GET", "orders/", None),
            "transactions": ("GET", "transactions/", None),
            "holdings": ("GET", "accounts/holdings/", None),
        }[name]
        answer = httpx.request(method, f"{url}/api/v1/{path}", json=body, headers=headers, timeout=30)
        self.answered.append((time.monotonic(), name, headers["Idempotency-Key"], answer))

    def since(self, moment):
        return [(name, answer) for at, name, _, answer in self.answered if at >= moment]

    def acknowledged_since(self, moment, url=""):
        """Return when writes were acknowledged since the moment, by all API servers or by that of `url`."""
        return [
            at
            for at, name, _, answer in list(self.answered)
            if at >= moment and name in WRITES and answer.is_success and str(answer.url).startswith(url)
        ]

    def assert_every_failure_is_polite(self, *, allowed=((503, "unavailable"),)):
        for _, name, _, answer in self.answered:
            if not answer.is_success:
                code = answer.json()["code"]
                assert (answer.status_code, code) in allowed, f"{name}: {answer.text}"
                assert int(answer.headers["Retry-After"]) >= 1

    def assert_nothing_is_lost_or_doubled(self):
        """Check that what was acknowledged is there, and that no key had two effects."""
        for name, rows in (("order", Order.objects), ("deposit", Transaction.objects.filter(kind="deposit"))):
            keys = list(rows.exclude(idempotency_key=None).values_list("idempotency_key", flat=True))
            assert len(keys) == len(set(keys))
            acknowledged = {key for _, called, key, answer in self.answered if called == name and answer.is_success}
            assert acknowledged, f"no {name} was ever acknowledged"
            assert acknowledged <= set(keys)
