"""A failover and altered columns while customers buy: refused politely meanwhile, and right again without a restart."""

import itertools
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from django.db import connection

from exchange_site.stack.processes import answers
from settlement.verification import verify_everything
from tests.processes import at_once, wait_for
from trading.models import Order
from wallets.models import Transaction

pytestmark = pytest.mark.timeout(300)

WRITES = ("order", "deposit")
CALLS = (*WRITES, "wallet", "orders", "transactions", "holdings")


@dataclass
class Watch:
    """Customers who make every kind of call to both API servers, and remember each answer."""

    trade: object
    answered: list = field(default_factory=list)
    lost: int = 0

    @contextmanager
    def going_on(self, *, threads=4):
        """Keep calling inside the `with` block."""
        ending = threading.Event()
        shoppers = [self.trade._new_shopper() for _ in range(threads)]
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
        urls = itertools.cycle(self.trade.world.apis.values())
        for name in itertools.cycle(CALLS):
            if ending.wait(0.02):
                return
            self.call(name, next(urls), shopper)

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

    def assert_every_failure_is_polite(self):
        for _, name, _, answer in self.answered:
            if not answer.is_success:
                code = answer.json()["code"]
                assert (answer.status_code, code) == (503, "unavailable"), f"{name}: {answer.text}"
                assert int(answer.headers["Retry-After"]) >= 1

    def assert_nothing_is_lost_or_doubled(self):
        """Check that what was acknowledged is there, and that no key had two effects."""
        for name, rows in (("order", Order.objects), ("deposit", Transaction.objects.filter(kind="deposit"))):
            keys = list(rows.exclude(idempotency_key=None).values_list("idempotency_key", flat=True))
            assert len(keys) == len(set(keys))
            acknowledged = {key for _, called, key, answer in self.answered if called == name and answer.is_success}
            assert acknowledged, f"no {name} was ever acknowledged"
            assert acknowledged <= set(keys)


@pytest.fixture
def watch(make_trade):
    return Watch(make_trade("large"))


def deaths_of_apis(world):
    return [world.supervisor.children[name].deaths for name in world.apis]


def states(world):
    return {httpx.get(f"{url}/health/ready/", timeout=10).json().get("postgres") for url in world.apis.values()}


def settle(watch):
    """Settle what the customers have bought, and check the ledger."""
    trade = watch.trade
    trade.problems.clear()
    connection.close()
    open_orders = Order.objects.filter(coin=trade.coin).exclude(state__in=["completed", "refunded", "cancelled"])
    trade.world.wait_for(lambda: not open_orders.exists(), seconds=60)
    assert verify_everything() == []
    trade.world.unchecked.remove(trade)


def test_a_failover_under_load_costs_no_restart(world, watch):
    deaths = deaths_of_apis(world)
    with watch.going_on():
        time.sleep(1)
        with world.read_only():
            wait_for(lambda: states(world) == {"read_only"})
            time.sleep(3)
            assert not any(answers(f"{url}/health/ready/") for url in world.apis.values())
        time.sleep(2)
        recovered = time.monotonic()
        time.sleep(2)
    after = watch.since(recovered)
    assert {name for name, _ in after} == set(CALLS)
    assert all(answer.is_success for _, answer in after)
    watch.assert_every_failure_is_polite()
    assert any(not answer.is_success for _, name, _, answer in watch.answered if name in WRITES)
    watch.assert_nothing_is_lost_or_doubled()
    assert states(world) == {"ok"}
    assert deaths_of_apis(world) == deaths
    settle(watch)


def test_columns_altered_under_load_are_not_noticed(world, watch):
    deaths = deaths_of_apis(world)
    with watch.going_on():
        time.sleep(2)
        for source_type, kind_type in (("text", "text"), ("varchar(32)", "varchar(16)")) * 2:
            world.ask(f"ALTER TABLE trading_order ALTER COLUMN price_source TYPE {source_type}")
            world.ask(f"ALTER TABLE wallets_transaction ALTER COLUMN kind TYPE {kind_type}")
            world.ask("ALTER TABLE wallets_wallet ADD COLUMN IF NOT EXISTS note text")
            time.sleep(0.5)
        world.ask("ALTER TABLE wallets_wallet DROP COLUMN note")
        altered = time.monotonic()
        time.sleep(2)
    assert all(answer.is_success for _, answer in watch.since(altered))
    watch.assert_every_failure_is_polite()
    watch.assert_nothing_is_lost_or_doubled()
    assert deaths_of_apis(world) == deaths
    settle(watch)


def test_the_first_requests_after_a_restart_of_postgres_succeed(world, watch):
    deaths = deaths_of_apis(world)
    shopper = watch.trade._new_shopper()
    urls = list(world.apis.values())

    def call(number):
        watch.call(CALLS[number % len(CALLS)], urls[number % len(urls)], shopper)
        connection.close()

    at_once(24, call)
    world.stop_postgres_at_once()
    world.start_postgres()
    wait_for(lambda: world.ask("SELECT 1"), ignoring=Exception)
    at_once(24, call)
    assert {answer.is_success for _, _, _, answer in watch.answered} == {True}
    watch.assert_nothing_is_lost_or_doubled()
    assert deaths_of_apis(world) == deaths
    settle(watch)
