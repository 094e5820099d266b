"""Drills of a restore: the database comes back older than the world while customers buy.

`task drill:restore` runs the first of them, and prints how long each step took.
"""

import subprocess
import time
from contextlib import ExitStack, contextmanager
from decimal import Decimal

import httpx
import pytest
from django.db import connection

from exchange_site.stack.processes import PROJECT, manage
from settlement.models import Attempt, AttemptState, DatabaseWatch
from settlement.verification import verify_everything
from tests.faults.restorable import RestorableWorld, from_a_dump, from_a_snapshot, to_a_moment
from tests.faults.truths import FINAL, assert_the_venues_book_is_ours, read_book
from tests.faults.watch import Watch
from trading.models import Order, OrderState
from wallets.models import Wallet, WalletRole

pytestmark = pytest.mark.timeout(400)

# Orders of 12.00 dollars at 4.00 of at most three customers, which may be committed and not acknowledged, and rounding.
SLACK = 12


@pytest.fixture(scope="module")
def _world(django_db_blocker):
    with django_db_blocker.unblock():
        world = RestorableWorld()
        yield world
        world.end()


@pytest.mark.parametrize(
    "way",
    [
        to_a_moment,
        pytest.param(from_a_dump, marks=pytest.mark.matrix),
        pytest.param(from_a_snapshot, marks=pytest.mark.matrix),
    ],
)
def test_nothing_is_bought_twice_after_a_restore_under_load(world, make_trade, way):
    trade = make_trade("large")
    world.unchecked.remove(trade)
    watch, drill = Watch(trade), Drill(world)
    with ExitStack() as entered, watch.going_on(threads=2):
        time.sleep(1)
        with drill.step("the backup, under load"):
            bring_back = entered.enter_context(way(world))
        lost = trade.new_shopper()
        time.sleep(3)
        trade.order("12.00", by=lost)
        wait_for_purchases(world, trade)
        with drill.step("the restore"):
            bring_back()
        with drill.step("until workers had asked the venue and stopped"):
            world.wait_for(is_stopped, seconds=90)
        time.sleep(1)
    assert_put_right(world, trade, watch, drill, bought=len(read_book(world)))
    assert_tokens_are_refused(world, lost)


def test_a_restart_of_postgres_needs_nobody(world, make_trade):
    """The database is in doubt, the venue has nothing unknown, and buying goes on. Redis is flushed too."""
    trade = make_trade("large")
    trade.place()
    world.wait_for(lambda: Order.objects.filter(coin=trade.coin, state=OrderState.COMPLETED).exists())
    world.stop_postgres_at_once()
    world.start_postgres()
    connection.close()
    world.kill_redis()
    world.start_redis()
    began = time.monotonic()
    trade.place()
    completed = Order.objects.filter(coin=trade.coin, state=OrderState.COMPLETED)
    world.wait_for(lambda: completed.count() == 2, seconds=60)
    print(f"an order was completed {time.monotonic() - began:.1f} s after a restart of Postgres")  # noqa: T201
    assert not is_stopped()
    assert Attempt.objects.filter(batch=None, coin=trade.coin).count() == 0


class Drill:
    """Prints how long each step took, for `pytest -s`."""

    def __init__(self, world):
        self.world = world

    @contextmanager
    def step(self, name):
        began = time.monotonic()
        yield
        print(f"{name}: {time.monotonic() - began:.1f} s")  # noqa: T201  the drill's result

    def manage(self, *arguments):
        environment = self.world.supervisor.children["api 1"].environment
        return subprocess.run(
            manage(*arguments),
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )


def is_stopped():
    connection.close()
    try:
        return DatabaseWatch.objects.filter(stopped_at__isnull=False).exists()
    except Exception:  # noqa: BLE001  Postgres may be away
        return False


def wait_for_purchases(world, trade):
    filled = Attempt.objects.filter(coin=trade.coin, state=AttemptState.FILLED)
    before = filled.count()
    world.wait_for(lambda: filled.count() > before, seconds=60)


def assert_put_right(world, trade, watch, drill, *, bought):
    """Run after_restore; then every surviving order is settled, and what was bought for lost ones is in inventory."""
    with drill.step("manage.py after_restore"):
        done = drill.manage("after_restore")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # noqa: T201  the drill's result
    connection.close()
    assert Attempt.objects.filter(batch=None).exists()
    orders = Order.objects.filter(coin=trade.coin)
    with drill.step("until every order was settled"):
        world.wait_for(lambda: not orders.exclude(state__in=FINAL).exists(), seconds=90)
    assert set(orders.values_list("state", flat=True)) == {OrderState.COMPLETED}
    assert verify_everything() == []
    verified, reconciled = drill.manage("verify_ledger"), drill.manage("reconcile", "--days", "1")
    assert (verified.returncode, reconciled.returncode) == (0, 0), verified.stdout + reconciled.stdout
    assert "0 open" in reconciled.stdout
    assert_the_venues_book_is_ours(world, coins={trade.coin.name})
    lost = lost_coins(trade, watch)
    surplus = Wallet.objects.get(role=WalletRole.INVENTORY, asset=trade.coin.name).balance
    assert surplus <= lost + SLACK, f"{surplus} in inventory, {lost} of lost orders: something was bought twice"
    print(f"{bought} purchases before, {len(read_book(world))} after; {lost} coins of lost orders")  # noqa: T201


def lost_coins(trade, watch):
    """Return how many coins the acknowledged orders had that the database has forgotten."""
    known = set(Order.objects.filter(coin=trade.coin).values_list("idempotency_key", flat=True))
    acknowledged = [
        (key, answer.json()) for _, name, key, answer in watch.answered if name == "order" and answer.is_success
    ]
    acknowledged += [(placed.key, placed.answer) for placed in trade.placed]
    return sum((Decimal(body["amount"]) for key, body in acknowledged if key not in known), Decimal(0))


def assert_tokens_are_refused(world, lost):
    """A customer who is lost is nobody, also after another customer has signed up."""
    for url in world.apis.values():
        answer = httpx.get(f"{url}/api/v1/accounts/wallet/", headers=lost.headers, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
