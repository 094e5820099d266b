"""Drills of a restore: the database comes back older than the world while customers buy.

`task drill:restore` runs the first of them, and prints how long each step took.
"""

import time
from contextlib import ExitStack

import pytest
from django.db import connection

from settlement.models import Attempt
from tests.faults.drill import Drill, assert_put_right, assert_tokens_are_refused, is_stopped, wait_for_purchases
from tests.faults.matrix import in_dialects
from tests.faults.restorable import RestorableWorld, from_a_dump, from_a_snapshot, to_a_moment
from tests.faults.truths import read_book
from tests.faults.watch import Watch
from trading.models import Order, OrderState

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def _world(django_db_blocker, chosen_dialect):
    with django_db_blocker.unblock():
        world = RestorableWorld(chosen_dialect)
        yield world
        world.end()


@pytest.mark.parametrize(
    "way",
    [
        in_dialects(to_a_moment),
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
