"""Processes that die or freeze at the worst moment."""

import os
import signal
import time
from contextlib import contextmanager

import pytest

from tests.faults.kills import POINTS_OF_API, POINTS_OF_WORKER
from tests.faults.matrix import ONCE, each
from tests.faults.truths import is_quiet
from trading.models import Order

pytestmark = pytest.mark.timeout(300)


def killed_at(point):
    """The next process that reaches the point dies there."""

    @contextmanager
    def fault(world, trade):
        with world.failpoints.armed(f"{point}=kill") as pid:
            yield
            world.wait_for(pid)

    return fault


def frozen_at(point, *, until):
    """The next process that reaches the point stands still, until others have done its work."""

    @contextmanager
    def fault(world, trade):
        with world.failpoints.armed(f"{point}=stop") as hit:
            yield
            pid = world.wait_for(hit)
        try:
            world.wait_for(lambda: until(world, trade), seconds=60)
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(2)  # what it had begun, it ends now

    return fault


def everything_is_settled(world, trade):
    return Order.objects.filter(coin=trade.coin).count() >= len(trade.begun) and is_quiet(trade)


def its_heart_is_silent(world, trade):
    """The process counts as dead; the other worker has had a moment to take over."""
    return world.count_workers() < 2 and world.ask("SELECT pg_sleep(3)")


def everything_is_acknowledged(world, trade):
    return len(trade.placed) >= len(trade.begun)


@each(*POINTS_OF_API)
def test_an_api_server_is_killed_and_the_customer_asks_the_other_one(suffer, name, kind, mode):
    suffer(killed_at(name), kind, mode)


@each(*POINTS_OF_WORKER)
def test_a_worker_is_killed(suffer, name, kind, mode):
    suffer(killed_at(name), kind, mode)


@each("attempt.sent", "attempt.answered")
def test_a_worker_is_frozen_until_another_one_has_settled_everything(suffer, name, kind, mode):
    until = everything_is_settled if mode == ONCE else its_heart_is_silent
    suffer(frozen_at(name, until=until), kind, mode)
