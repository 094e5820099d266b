"""Failover drills: a streaming standby is promoted under load, and the old primary never acknowledges anything again."""

import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection

from exchange_site.stack.processes import answers
from settlement.models import Attempt, AttemptState
from tests.faults.drill import Drill, assert_put_right, assert_tokens_are_refused, is_stopped, wait_for_purchases
from tests.faults.replicas import ReplicatedWorld
from tests.faults.truths import assert_all_truths, read_book
from tests.faults.watch import Watch
from tests.processes import wait_for
from trading.models import Order, OrderState

pytestmark = pytest.mark.timeout(300)

# On two busy cores it took 1 to 4 s.
RECOVERY_SECONDS = 30


@pytest.fixture(scope="module")
def _world(django_db_blocker):
    with django_db_blocker.unblock():
        world = ReplicatedWorld()
        yield world
        world.end()


@pytest.fixture
def cluster(world):
    return world.cluster


@contextmanager
def killed(primary):
    primary.kill()
    yield


@contextmanager
def frozen_then_killed(primary):
    primary.freeze()
    time.sleep(3)
    primary.kill()
    yield


@contextmanager
def switched_off(primary):
    """Kill the primary; its address takes connections and packets from then on, and never answers, like a dead host's."""
    primary.kill()
    with socket.create_server(("127.0.0.1", primary.server.port), backlog=0):
        yield


@pytest.mark.parametrize(
    "fenced",
    [
        killed,
        pytest.param(frozen_then_killed, marks=pytest.mark.matrix),
        pytest.param(switched_off, marks=pytest.mark.matrix),
    ],
)
def test_orders_go_on_after_a_promotion_under_load(world, cluster, make_trade, fenced):
    """The standby has all that was acknowledged, because commits wait for it."""
    cluster.arrange(standbys=1)
    (standby,) = cluster.standbys
    cluster.primary.set(synchronous_standby_names=standby.name)
    watch, trade, next_trade = make_watch(world, make_trade), make_trade("large"), make_trade("large")
    deaths = world.deaths_of_apis()
    with ExitStack() as fence:
        with watch.going_on(threads=3), trade.load(threads=2):
            time.sleep(2)
            fence.enter_context(fenced(cluster.primary))
            time.sleep(1)
            cluster.promote(standby)
            wait_for_orders(world, watch, since=time.monotonic())
            time.sleep(1)
        connection.close()
        assert_workers_buy_and_look_up(world, next_trade)
        wait_for(lambda: all(answers(f"{url}/health/ready/") for url in world.apis.values()), seconds=30)
    watch.assert_every_failure_is_polite()
    watch.assert_nothing_is_lost_or_doubled()
    assert world.deaths_of_apis() == deaths
    assert_all_truths(world)


def the_other_one_follows(primary, other):
    other.follow(primary)


def its_name_is_cleared(primary, other):
    other.kill()
    primary.set(synchronous_standby_names="")


@pytest.mark.matrix
@pytest.mark.parametrize("remedy", [the_other_one_follows, its_name_is_cleared])
def test_nothing_acknowledged_is_lost_with_two_synchronous_standbys(world, cluster, make_trade, remedy):
    """After the promotion, commits wait until the other standby follows or its name is cleared."""
    cluster.arrange(standbys=2)
    names = ", ".join(node.name for node in cluster.nodes)
    for node in cluster.nodes:
        node.set(synchronous_standby_names=f"ANY 1 ({names})")
    behind, ahead = cluster.standbys
    watch, trade = make_watch(world, make_trade), make_trade("large")
    with watch.going_on(threads=3), trade.load(threads=2):
        time.sleep(1)
        with behind.line.held(then_cut=True):
            time.sleep(2)
            cluster.primary.kill()
        best = max(cluster.standbys, key=lambda standby: standby.received())
        assert best is ahead
        cluster.promote(best)
        promoted = time.monotonic()
        time.sleep(4)
        assert watch.acknowledged_since(promoted + 1) == []
        remedy(best, behind)
        wait_for_orders(world, watch, since=time.monotonic())
        time.sleep(1)
    connection.close()
    # A commit that waits for a standby holds its customer's wallet.
    watch.assert_every_failure_is_polite(allowed=((503, "unavailable"), (409, "busy")))
    watch.assert_nothing_is_lost_or_doubled()
    assert_all_truths(world, seconds=90)


@pytest.mark.matrix
def test_purchases_that_an_asynchronous_standby_has_lost_are_adopted_and_none_is_made_twice(world, cluster, make_trade):
    """The standby is 3 seconds behind, and workers run all the time."""
    cluster.arrange(standbys=1)
    (standby,) = cluster.standbys
    trade, drill = make_trade("large"), Drill(world)
    world.unchecked.remove(trade)
    watch = Watch(trade)
    with watch.going_on(threads=2):
        time.sleep(1)
        with standby.line.held(then_cut=True):
            time.sleep(3)
            lost = trade.new_shopper()
            trade.order("12.00", by=lost)
            wait_for_purchases(world, trade)
            cluster.primary.kill()
        with drill.step("the promotion"):
            cluster.promote(standby)
        with drill.step("until workers had asked the venue and stopped"):
            world.wait_for(is_stopped, seconds=90)
        time.sleep(1)
    assert_put_right(world, trade, watch, drill, bought=len(read_book(world)))
    assert_tokens_are_refused(world, lost)


def make_watch(world, make_trade):
    """Return customers who do not repeat what failed, so that the truths about trades do not hold for them."""
    trade = make_trade("pool")
    world.unchecked.remove(trade)
    return Watch(trade)


def wait_for_orders(world, watch, *, since):
    """Wait until every API server has acknowledged a write since the moment, and print after how many seconds."""
    urls = list(world.apis.values())
    world.wait_for(lambda: all(watch.acknowledged_since(since, url) for url in urls), seconds=RECOVERY_SECONDS)
    seconds = max(min(watch.acknowledged_since(since, url)) for url in urls) - since
    print(f"both API servers acknowledged writes {seconds:.1f} s later")  # noqa: T201  the drill's result, for pytest -s


def assert_workers_buy_and_look_up(world, trade):
    """Check that workers, perhaps restarted by their supervisor, buy, and look up a purchase without an answer."""
    world.venue.fail({"action": "accept_then_drop", "on": "place", "symbol": trade.symbol, "times": 1})
    trade.place()
    wait_for_completed(world, trade, count=1)
    attempt = Attempt.objects.get(coin=trade.coin)
    assert (attempt.state, attempt.lookups > 0) == (AttemptState.FILLED, True)


def wait_for_completed(world, trade, *, count):
    completed = Order.objects.filter(coin=trade.coin, state=OrderState.COMPLETED)
    world.wait_for(lambda: completed.count() == count, seconds=60)
