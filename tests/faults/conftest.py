"""One world for all faults: between two faults, only the processes that died are started again."""

import time

import pytest

from tests.faults.matrix import begin
from tests.faults.trade import Trade
from tests.faults.truths import assert_all_truths, assert_nothing_has_changed_since
from tests.faults.world import World

_begun = time.monotonic()
_outcomes = []


@pytest.fixture(scope="package")
def _world(django_db_blocker, chosen_dialect):
    with django_db_blocker.unblock():
        world = World(chosen_dialect)
        yield world
        try:
            with world.connected():
                assert_nothing_has_changed_since(world)
        finally:
            world.end()


@pytest.fixture
def world(_world, django_db_blocker):
    """The world with all of its processes running; this process is connected to its database and Redis."""
    with django_db_blocker.unblock(), _world.connected():
        _world.unchecked.clear()
        _world.settle_in()
        yield _world
        _world.venue.fail()


@pytest.fixture
def make_trade(world):
    return lambda kind="large", **fields: Trade(world, kind, **fields)


@pytest.fixture
def suffer(world, make_trade):
    """Let customers buy a coin while a fault strikes, once or repeatedly under load; then check all truths."""

    def run(fault, kind, mode, *, seconds=40, **fields):
        trade = make_trade(kind, **fields)
        begin(fault, world, trade, mode)
        assert_all_truths(world, seconds=seconds)
        return trade

    return run


def pytest_runtest_logreport(report):
    if report.when == "call" and "tests/faults/" in report.nodeid:
        _outcomes.append(report.outcome)


def pytest_terminal_summary(terminalreporter):
    if _outcomes:
        seconds = time.monotonic() - _begun
        terminalreporter.write_line(f"{len(_outcomes)} faults, {_outcomes.count('passed')} survived, {seconds:.0f} s")
