"""Simultaneous work on the same orders, deleted jobs, and a worker with a wrong clock."""

import time
from collections import Counter
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.utils import timezone

from settlement.jobs import settle_batch_later
from settlement.services.claiming import claim_waiting_orders
from settlement.services.sweeping import sweep
from tests.faults.matrix import ONCE, each, in_dialects
from tests.faults.truths import assert_all_truths, read_book
from tests.processes import at_once
from trading import jobs
from trading.models import Order

pytestmark = pytest.mark.timeout(300)

both_kinds = pytest.mark.parametrize("kind", [in_dialects("large"), pytest.param("pool", marks=pytest.mark.matrix)])


def purchases(world, trade):
    return [row for row in read_book(world) if row["coin"] == trade.coin.name]


@both_kinds
def test_one_job_run_many_times_at_once_buys_once(world, make_trade, kind):
    with world.frozen_workers():
        trade = make_trade(kind).place()
        batch = claim_waiting_orders(coin_id=trade.coin.pk, now=timezone.now())
        for _ in range(12):
            settle_batch_later(batch_id=batch.pk)
    assert_all_truths(world)
    assert len(purchases(world, trade)) == 1


@pytest.mark.parametrize("kind", [in_dialects("pool"), pytest.param("large", marks=pytest.mark.matrix)])
def test_orders_claimed_by_many_at_once_are_bought_once(world, make_trade, kind):
    with world.frozen_workers():
        trade = make_trade(kind).place()
        for _ in range(12):
            jobs.request_claim(coin_id=trade.coin.pk)
    at_once(6, lambda _: claim_waiting_orders(coin_id=trade.coin.pk, now=timezone.now()))
    assert_all_truths(world)
    assert len(purchases(world, trade)) == 1


@both_kinds
def test_each_order_has_one_outcome_when_customers_cancel_while_workers_claim(world, make_trade, kind):
    trade = make_trade(kind)
    with world.frozen_workers():
        orders = [trade.order(total) for total in ("4.00" if kind == "pool" else "12.00",) * 16]
    statuses = Counter(at_once(16, lambda number: trade.cancel(orders[number])))
    assert_all_truths(world)
    assert statuses[200] <= Order.objects.filter(coin=trade.coin, state="cancelled").count()


@pytest.mark.dialects
def test_twenty_sweeps_at_once_buy_each_order_once(world, make_trade):
    with world.frozen_workers():
        trades = [make_trade(kind).place() for kind in ("large", "pool") * 3]
        world.ask("DELETE FROM procrastinate_jobs WHERE queue_name = 'settlement'")
    at_once(20, lambda _: sweep(now=timezone.now() + settings.SETTLEMENT.sweep_after))
    assert_all_truths(world)
    assert all(len(purchases(world, trade)) == 1 for trade in trades)


@contextmanager
def all_jobs_deleted(world, trade):
    yield
    for _ in range(5):
        world.ask("DELETE FROM procrastinate_jobs")
        time.sleep(0.1)


@each(*(deletions := ["all jobs are deleted, and again"]), dialects=deletions)
def test_orders_survive_deleted_jobs(suffer, name, kind, mode):
    suffer(all_jobs_deleted, kind, mode)


@both_kinds
def test_waiting_orders_survive_deleted_jobs(world, make_trade, kind):
    with world.frozen_workers():
        make_trade(kind).place()
        world.ask("DELETE FROM procrastinate_jobs")
    assert_all_truths(world)


def with_a_clock(seconds):
    """Make a fault in which a worker with a wrong clock works alone, and then together with a correct one."""

    @contextmanager
    def fault(world, trade):
        world.supervisor.replace("worker 2", PYTHONPATH="tests/faults/clock", CLOCK_IS_AHEAD_SECONDS=str(seconds))
        try:
            with world.frozen("worker 1"):
                yield
                world.wait_for(lambda: purchases(world, trade))
            time.sleep(1)
        finally:
            world.supervisor.replace("worker 2", CLOCK_IS_AHEAD_SECONDS="0")

    return fault


CLOCKS = {"an hour ahead": 3600, "an hour behind": -3600}


@each(*CLOCKS, dialects=CLOCKS)
def test_orders_survive_a_worker_with_a_wrong_clock(suffer, name, kind, mode):
    suffer(with_a_clock(CLOCKS[name]), kind, mode)


@pytest.mark.matrix
@pytest.mark.dialects
def test_orders_survive_a_lost_answer_to_a_worker_with_a_wrong_clock(world, suffer):
    def rules(trade):
        return {"symbol": trade.symbol, "on": "place", "action": "accept_then_drop", "times": 1}

    @contextmanager
    def fault(world, trade):
        world.venue.fail(rules(trade))
        with with_a_clock(3600)(world, trade):
            yield

    suffer(fault, "large", ONCE)
