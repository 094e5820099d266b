"""A failover and altered columns while customers buy: refused politely meanwhile, and right again without a restart."""

import time

import httpx
import pytest
from django.db import connection

from exchange_site.stack.processes import answers
from settlement.verification import verify_everything
from tests.faults.watch import CALLS, WRITES, Watch
from tests.processes import at_once, wait_for
from trading.models import Order

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def watch(make_trade):
    return Watch(make_trade("large"))


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
    deaths = world.deaths_of_apis()
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
    assert world.deaths_of_apis() == deaths
    settle(watch)


def test_columns_altered_under_load_are_not_noticed(world, watch):
    deaths = world.deaths_of_apis()
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
    assert world.deaths_of_apis() == deaths
    settle(watch)


def test_the_first_requests_after_a_restart_of_postgres_succeed(world, watch):
    deaths = world.deaths_of_apis()
    shopper = watch.trade.new_shopper()
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
    assert world.deaths_of_apis() == deaths
    settle(watch)
