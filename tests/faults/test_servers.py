"""Faults of Postgres and Redis: they die, freeze, lose data or become unreachable without an error."""

import signal
import time
from contextlib import contextmanager

import pytest

from tests.faults.matrix import ONCE, each
from wallets.runtime.redis_store import with_redis

pytestmark = pytest.mark.timeout(300)


@contextmanager
def postgres_stopped_at_once(world, trade):
    yield
    world.stop_postgres_at_once()
    time.sleep(1)
    world.start_postgres()


@contextmanager
def connections_terminated(world, trade):
    yield
    for _ in range(10):
        world.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        time.sleep(0.1)


@contextmanager
def answers_of_postgres_lost(world, trade):
    """Lose the answers of Postgres: commits succeed, but their callers do not learn it."""
    yield
    with world.to_postgres.muted():
        time.sleep(1)


@contextmanager
def postgres_silent(world, trade):
    yield
    with world.to_postgres.held():
        time.sleep(2)


@contextmanager
def requests_to_postgres_lost(world, trade):
    yield
    with world.to_postgres.held(then_cut=True):
        time.sleep(2)


@contextmanager
def postgres_read_only(world, trade):
    yield
    with world.read_only():
        time.sleep(2)


POSTGRES = {
    "read-only for a while": postgres_read_only,
    "stopped at once": postgres_stopped_at_once,
    "its connections are terminated": connections_terminated,
    "its answers are lost": answers_of_postgres_lost,
    "silent for a while": postgres_silent,
    "requests to it are lost": requests_to_postgres_lost,
}


@each(*POSTGRES)
def test_orders_survive_trouble_with_postgres(suffer, name, kind, mode):
    """A worker that lost all its connections may notice only after 30 s, when its pool gives up."""
    suffer(POSTGRES[name], kind, mode, seconds=90)


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["large", "pool"])
def test_orders_survive_a_postgres_that_was_down_for_40_seconds(world, suffer, kind):
    world.stop_postgres_at_once()
    time.sleep(40)
    world.start_postgres()
    world.settle_in()
    suffer(connections_terminated, kind, ONCE)


@contextmanager
def redis_killed(world, trade):
    world.kill_redis()
    yield
    time.sleep(1)
    world.start_redis()


@contextmanager
def redis_killed_meanwhile(world, trade):
    yield
    world.kill_redis()
    time.sleep(0.5)
    world.start_redis()


@contextmanager
def redis_frozen(world, trade):
    world.signal_redis(signal.SIGSTOP)
    yield
    time.sleep(1)
    world.signal_redis(signal.SIGCONT)


@contextmanager
def redis_flushed(world, trade):
    for _ in range(4):
        with_redis(lambda client: client.flushall())
        time.sleep(0.05)
    yield
    for _ in range(8):
        with_redis(lambda client: client.flushall())
        time.sleep(0.05)


@contextmanager
def redis_with_old_contents(world, trade):
    """Kill Redis, and start it with slightly older contents."""
    with_redis(lambda client: client.set(f"pool:{trade.coin.name}", 700))
    with_redis(lambda client: client.save())
    with_redis(lambda client: client.set(f"pool:{trade.coin.name}", 0))
    yield
    world.kill_redis()
    world.start_redis()


def counter_says(value):
    @contextmanager
    def fault(world, trade):
        key = f"pool:{trade.coin.name}"
        with_redis(lambda client: client.set(key, value))
        yield
        for _ in range(5):
            with_redis(lambda client: client.set(key, value))
            time.sleep(0.1)

    return fault


@contextmanager
def answers_of_redis_lost(world, trade):
    with world.to_redis.muted():
        yield
        time.sleep(1)


@contextmanager
def requests_to_redis_delivered_late(world, trade):
    with world.to_redis.held():
        yield
        time.sleep(1)


REDIS = {
    "killed": redis_killed,
    "killed meanwhile": redis_killed_meanwhile,
    "frozen": redis_frozen,
    "flushed": redis_flushed,
    "restored with old contents": redis_with_old_contents,
    "its answers are lost": answers_of_redis_lost,
    "requests to it arrive late": requests_to_redis_delivered_late,
    "a counter is no number": counter_says("x"),
    "a counter is negative": counter_says("-500"),
    "a counter is huge": counter_says("9223372036854775807"),
}


@each(*REDIS)
def test_orders_survive_trouble_with_redis(suffer, name, kind, mode):
    suffer(REDIS[name], kind, mode)
