"""Processes that die or freeze at the worst moment."""

import os
import signal
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.faults.kills import POINTS_OF_API, POINTS_OF_WORKER
from tests.faults.matrix import LOAD, ONCE, each, in_dialects
from tests.faults.truths import (
    assert_all_truths,
    await_the_end_of,
    batches_in_doubt,
    is_quiet,
    was_bought_again,
)
from trading.models import Order

pytestmark = pytest.mark.timeout(300)

POINT_OF_DOUBT = "attempt.sent"
"""The purchase is recorded, and was not sent."""
POINTS_OF_BUYING = (POINT_OF_DOUBT, "attempt.answered")


def killed_at(point):
    """Make a fault that kills the next process to reach the point."""

    @contextmanager
    def fault(world, trade):
        with world.failpoints.armed(f"{point}=kill") as pid:
            yield
            world.wait_for(pid)
        if point == POINT_OF_DOUBT:
            await_the_end_of(batches_in_doubt(trade), world)

    return fault


def frozen_at(point, *, until):
    """Make a fault that freezes the next process to reach the point, until `until` is true."""

    @contextmanager
    def fault(world, trade):
        with world.failpoints.armed(f"{point}=stop") as hit:
            yield
            pid = world.wait_for(hit)
        struck = batches_in_doubt(trade) if point == POINT_OF_DOUBT else []
        try:
            world.wait_for(lambda: until(world, trade), seconds=60)
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(2)  # let the process finish the work that it had begun
        await_the_end_of(struck, world)

    return fault


def everything_is_settled(world, trade):
    return Order.objects.filter(coin=trade.coin).count() >= len(trade.begun) and is_quiet(trade)


def heartbeat_has_stopped(world, trade):
    """Say whether the process counts as dead; if so, give the other worker three seconds to take over."""
    return world.count_workers() < 2 and world.ask("SELECT pg_sleep(3)")


def everything_is_acknowledged(world, trade):
    return len(trade.placed) >= len(trade.begun)


@each(*POINTS_OF_API)
def test_customers_repeat_their_request_on_another_server_after_an_api_server_is_killed(suffer, name, kind, mode):
    suffer(killed_at(name), kind, mode)


@each(*POINTS_OF_WORKER, dialects=POINTS_OF_BUYING)
def test_orders_survive_a_killed_worker(suffer, name, kind, mode):
    suffer(killed_at(name), kind, mode)


@each(*POINTS_OF_BUYING, dialects=POINTS_OF_BUYING)
def test_orders_survive_a_worker_that_freezes_while_it_buys(suffer, name, kind, mode):
    until = everything_is_settled if mode == ONCE else heartbeat_has_stopped
    suffer(frozen_at(name, until=until), kind, mode)


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["large", "pool"])
@pytest.mark.parametrize("point", ["claim.claimed", "claim.committed", "job.done"])
def test_orders_survive_a_worker_that_freezes_at_another_place(suffer, point, kind):
    """A frozen worker that holds the coin's lock delays settlement until Postgres ends its transaction after 10 s."""
    suffer(frozen_at(point, until=everything_is_settled), kind, ONCE)


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["large", "pool"])
@pytest.mark.parametrize("point", POINTS_OF_API)
def test_customers_repeat_their_request_on_another_server_while_an_api_server_is_frozen(suffer, point, kind):
    suffer(frozen_at(point, until=everything_is_acknowledged), kind, ONCE)


def test_a_cancel_survives_a_killed_api_server(world, make_trade):
    trade = make_trade("pool")
    order = trade.order("4.00")
    with world.failpoints.armed("cancel.credited=kill") as pid:
        assert trade.cancel(order) == 200
        assert pid()
    assert_all_truths(world)
    assert states_of(trade) == {"cancelled": 1}


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["large", "pool"])
def test_cancels_under_load_survive_killed_api_servers(suffer, kind):
    suffer(killed_at("cancel.credited"), kind, LOAD)


@pytest.mark.parametrize("kind", [in_dialects("large"), pytest.param("pool", marks=pytest.mark.matrix)])
def test_a_refund_survives_a_killed_worker(world, suffer, kind):
    """The refusal dies with the worker. The venue does not know the order, so another attempt is sent and refused."""

    @contextmanager
    def fault(world, trade):
        world.venue.fail({"symbol": trade.symbol, "on": "place", "action": "reject"})
        with killed_at("refund.credited")(world, trade):
            yield

    trade = suffer(fault, kind, ONCE)
    assert states_of(trade) == {"refunded": len(trade.begun)}


@pytest.mark.parametrize("kind", [in_dialects("pool"), pytest.param("large", marks=pytest.mark.matrix)])
def test_a_fill_that_only_a_frozen_worker_knows_becomes_a_late_fill(world, suffer, kind):
    """The venue denies the purchase to other workers, so they buy again. A finding then reports the first fill."""

    @contextmanager
    def fault(world, trade):
        trade.late_fills = True
        world.venue.fail(
            *({"symbol": trade.symbol, "on": each, "action": "not_found"} for each in ("query", "list", "trades"))
        )
        with frozen_at("attempt.answered", until=completed_by_another_purchase)(world, trade):
            yield
        world.venue.fail()

    trade = suffer(fault, kind, ONCE)
    assert states_of(trade) == {"completed": len(trade.begun)}


def completed_by_another_purchase(world, trade):
    """Say whether all orders are completed. As soon as they were bought once more, the venue denies nothing.

    A venue whose answer is the order's id alone is asked for the second purchase, too.
    """
    if was_bought_again(trade):
        world.venue.fail()
    return states_of(trade) == {"completed": len(trade.begun)}


def states_of(trade):
    return Counter(Order.objects.filter(coin=trade.coin).values_list("state", flat=True))
