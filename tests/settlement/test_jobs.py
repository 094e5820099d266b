"""Jobs, retries and the sweep, with real workers."""

import asyncio
import itertools
import os
import signal
import sys
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from croniter import croniter
from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.exceptions import JobRetry
from procrastinate.jobs import Job

from exchange_site.configuration import VARIABLES
from settlement import tasks
from settlement.clock import database_now
from settlement.jobs import SETTLE_TASK, settle_batch_later
from settlement.models import Attempt
from settlement.retries import BackOff
from settlement.services.sweeping import sweep
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.processes import at_once, wait_for
from tests.settlement.conftest import attempts, states
from trading import jobs
from trading.models import Order
from trading.pools import read_counters
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.models import Transaction, Wallet
from wallets.runtime import clock
from wallets.runtime.redis_store import with_redis

pytestmark = pytest.mark.django_db(transaction=True)


def enqueued(task=jobs.CLAIM_TASK):
    return ProcrastinateJob.objects.filter(task_name=task)


def all_completed():
    return set(states()) == {"completed"}


def run_jobs():
    """Run the enqueued jobs as a worker does, in this process."""
    with app.replace_connector(app.connector.get_worker_connector()) as worker:
        asyncio.run(_run(worker))


async def _run(worker):
    async with worker.open_async():
        await worker.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)


class TestDeferring:
    def test_a_transaction_that_rolls_back_leaves_no_job(self, coin):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            jobs.request_claim(coin_id=coin.pk)
            assert enqueued().count() == 1
            raise ZeroDivisionError
        assert enqueued().count() == 0

    def test_a_task_that_rolls_back_leaves_no_job(self, coin, monkeypatch):
        ran = []

        def defer_and_fail(*, coin_id, now):
            ran.append(coin_id)
            with transaction.atomic():
                jobs.defer_job(task="settlement.settle_batch", queue="elsewhere", batch_id=1)
                raise ZeroDivisionError

        monkeypatch.setattr(tasks.claiming, "claim_waiting_orders", defer_and_fail)
        jobs.request_claim(coin_id=coin.pk)
        run_jobs()
        assert ran == [coin.pk]
        assert enqueued("settlement.settle_batch").count() == 0

    def test_a_job_deferred_by_a_task_is_run(self, coin, place, monkeypatch):
        place("60.00")
        run_jobs()
        assert Attempt.objects.count() == 1


class TestBackOff:
    def test_grows_to_a_maximum_with_a_random_part_and_ends(self, settings):
        configure(settings, "JOBS", max_attempts=6, retry_max_wait_seconds=8)
        from procrastinate.utils import utcnow

        waits = []
        for attempt in range(5):
            job = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempt)
            retry = BackOff().get_retry_exception(ValueError(), job)
            assert isinstance(retry, JobRetry)
            waits.append((retry.retry_decision.retry_at - utcnow()).total_seconds())
        for wait, least in zip(waits, (1, 2, 4, 8, 8), strict=True):
            assert least - 1 <= wait <= least * 1.5 + 1
        last = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="t", attempts=5)
        assert BackOff().get_retry_exception(ValueError(), last) is None

    def test_and_every_other_delay_begins_now_by_the_clock_of_postgres(self, transactional_db, monkeypatch):
        moment = clock.now() + timedelta(hours=1)
        monkeypatch.setattr(clock, "now", lambda: moment)
        jobs.request_claim(coin_id=1, delay_seconds=30)
        assert ProcrastinateJob.objects.get().scheduled_at == moment + timedelta(seconds=30)
        job = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="t", attempts=0)
        retry = BackOff().get_retry_exception(ValueError(), job)
        assert timedelta(0) < retry.retry_decision.retry_at - moment <= timedelta(seconds=2)


class TestSweep:
    def test_claims_for_orders_that_lost_their_job(self, place, now, settings):
        place("60.00")
        ProcrastinateJob.objects.all()._raw_delete("default")
        sweep(now=now)
        assert enqueued().count() == 0, "the order's own job may not have run yet"
        sweep(now=now + settings.SETTLEMENT.sweep_after)
        assert enqueued().count() == 1

    def test_claims_for_pools_that_are_full_or_overdue(self, place, now, settings):
        place("6.00")
        ProcrastinateJob.objects.all()._raw_delete("default")
        sweep(now=now + settings.SETTLEMENT.sweep_after)
        assert enqueued().count() == 0
        sweep(now=now + settings.POOLS.max_age)
        assert enqueued().count() == 1

    def test_nudges_stalled_attempts(self, place, claim, now):
        place("60.00")
        claim()
        ProcrastinateJob.objects.all()._raw_delete("default")
        sweep(now=now)
        assert enqueued("settlement.settle_batch").count() == 0
        for _ in range(2):
            sweep(now=now + timedelta(seconds=20))
        assert enqueued("settlement.settle_batch").count() == 1, "the second sweep does not nudge the attempt again"

    def test_leaves_attempts_alone_whose_job_waits_behind_others(self, place, claim, now):
        place("60.00")
        claim()
        for seconds in (20, 40):
            sweep(now=now + timedelta(seconds=seconds))
        assert enqueued("settlement.settle_batch").count() == 1

    def test_rewrites_the_counters(self, place, now):
        place("6.00")
        for nonsense in ("12345", "x"):
            with_redis(lambda client, value=nonsense: client.set("pool:ABAN", value))
            sweep(now=now)
            assert read_counters(coin_names=["ABAN"]) == {"ABAN": Decimal("6.00")}

    def test_has_one_effect_when_run_many_times_at_once(self, place, now, settings, claim, venue):
        place("60.00")

        def run(_):
            sweep(now=now + settings.SETTLEMENT.sweep_after)
            connection.close()

        at_once(8, run)
        assert claim().orders_count == 1
        assert claim() is None


class TestWaits:
    """The waits of a purchase whose outcome is unknown. Each wait is a minute or more, so a test sees one of them."""

    @pytest.fixture
    def waiting(self, place, make_worker, simulator, venue_environment):
        """An attempt that was looked up once, in vain."""
        simulator.fail({"on": "place", "action": "drop"}, {"on": "query", "action": "not_found"})
        place("60.00")
        waits = {"LOOKUP_FIRST_WAIT_SECONDS": "60", "LOOKUP_MAX_WAIT_SECONDS": "600", "SWEEP_CRON": "0 0 1 1 *"}
        make_worker(**venue_environment, **waits)
        wait_for(lambda: attempts() and attempts()[0].reason, seconds=60)
        self.let_pass()
        settle_batch_later(batch_id=attempts()[0].batch_id)
        wait_for(lambda: self.lookups() == 1, seconds=60)
        self.wait_until_idle()
        return attempts()[0]

    def let_pass(self):
        """Let the present wait end, without its job."""
        enqueued(SETTLE_TASK)._raw_delete("default")
        Attempt.objects.update(next_step_at=database_now())

    def lookups(self):
        return attempts()[0].lookups

    def wait_until_idle(self):
        running = enqueued(SETTLE_TASK).filter(status__in=["todo", "doing"])
        wait_for(lambda: not running.exclude(scheduled_at__gt=database_now()).exists(), seconds=60)

    def assert_one_job_waits(self):
        [attempt], [job] = attempts(), enqueued(SETTLE_TASK).filter(status="todo")
        assert abs(job.scheduled_at - attempt.next_step_at) <= timedelta(seconds=2)

    def test_are_not_shortened_by_jobs_that_come_early(self, waiting):
        for _ in range(3):
            settle_batch_later(batch_id=waiting.batch_id)
        self.wait_until_idle()
        assert (self.lookups(), attempts()[0].next_step_at) == (1, waiting.next_step_at)
        self.assert_one_job_waits()

    def test_end_with_one_step_although_their_job_was_doubled(self, waiting):
        self.let_pass()
        for _ in range(3):
            settle_batch_later(batch_id=waiting.batch_id)
        wait_for(lambda: self.lookups() > 1, seconds=60)
        self.wait_until_idle()
        assert self.lookups() == 2
        self.assert_one_job_waits()

    def test_are_kept_by_a_job_that_comes_early_when_their_own_job_is_lost(self, waiting):
        enqueued(SETTLE_TASK)._raw_delete("default")
        settle_batch_later(batch_id=waiting.batch_id)
        self.wait_until_idle()
        assert self.lookups() == 1
        self.assert_one_job_waits()

    def test_end_by_the_sweep_when_their_job_is_lost(self, waiting, settings):
        self.let_pass()
        sweep(now=database_now() + settings.SETTLEMENT.sweep_after - timedelta(seconds=1))
        assert not enqueued(SETTLE_TASK).exists()
        Attempt.objects.update(next_step_at=database_now() - settings.SETTLEMENT.sweep_after)
        sweep(now=database_now())
        wait_for(lambda: self.lookups() == 2, seconds=60)
        self.wait_until_idle()
        self.assert_one_job_waits()

    def test_are_longer_each_time(self, waiting):
        before = waiting.next_step_at - database_now()
        self.let_pass()
        settle_batch_later(batch_id=waiting.batch_id)
        wait_for(lambda: self.lookups() == 2, seconds=60)
        self.wait_until_idle()
        assert attempts()[0].next_step_at - database_now() > before


class TestOps:
    @pytest.mark.parametrize(
        ("setting", "seconds"), [("PRICE_REFRESH_CRON", 10), ("SWEEP_CRON", 15), ("RESCUE_CRON", 30)]
    )
    def test_run_at_even_intervals(self, setting, seconds):
        """In a cron expression of six fields the seconds come last; written first, a job would run for one minute in ten."""
        times = croniter(VARIABLES[setting].default, 1_800_000_000)
        moments = [times.get_next() for _ in range(10_000)]
        assert {after - before for before, after in itertools.pairwise(moments)} == {seconds}

    def test_prices_are_read_from_the_venue(self, coin, simulator, venue, monkeypatch):
        from settlement.services.price_feed import refresh_prices
        from trading.services.coins import put_on_sale

        coin.fixed_price = None
        coin.save()
        put_on_sale(name="NOLIST")
        simulator.set_prices(ABAN="4.20")
        from django.utils import timezone

        refresh_prices(venues=[venue], now=timezone.now())
        coin.current_price.refresh_from_db()
        assert (coin.current_price.value, coin.current_price.source) == (Decimal("4.20"), "binance")

    def test_records_are_pruned_by_the_clock_of_postgres(self, coin, shopper, settings):
        a_century_ahead = 4_000_000_000  # what a worker with a wrong clock says
        tasks.prune_records(timestamp=a_century_ahead)
        assert coin.price_changes.exists()
        assert shopper.user.token_families.exists()
        now = database_now()
        with by_owner():
            coin.price_changes.update(read_at=now - timedelta(days=settings.PRICES.keep_days, minutes=1))
        shopper.user.token_families.update(expires_at=now - timedelta(minutes=1))
        tasks.prune_records(timestamp=0)
        assert not coin.price_changes.exists()
        assert not shopper.user.token_families.exists()

    def test_jobs_of_a_dead_worker_are_run_again_and_old_ones_deleted(self, place, settings):
        place("60.00")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
            )
            worker_id = cursor.fetchone()[0]
            cursor.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", [worker_id])
        jobs.defer_job(task="settlement.rescue_stalled_jobs", queue="ops", timestamp=0)
        jobs.defer_job(task="settlement.prune", queue="ops", timestamp=0)
        run_jobs()
        run_jobs()
        assert Attempt.objects.count() == 1


class TestWorker:
    def test_completes_orders_placed_while_no_worker_ran(
        self, place, make_worker, make_shopper, simulator, venue_environment
    ):
        for _ in range(20):
            place("12.00", of=make_shopper())
        make_worker(**venue_environment)
        wait_for(all_completed, seconds=30)
        assert len(simulator.book()) <= 2
        assert verify_everything() == []

    def test_that_dies_leaves_its_purchase_to_the_next_worker(
        self, place, make_worker, make_shopper, simulator, venue_environment
    ):
        simulator.fail({"on": "place", "action": "accept_then_hang", "times": 1, "wait": 30})
        place("12.00", of=make_shopper())
        doomed = make_worker(**venue_environment)
        wait_for(lambda: len(simulator.book()) == 1, seconds=30)
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
        Attempt.objects.update(next_step_at="2000-01-01T00:00Z")
        make_worker(**venue_environment)
        wait_for(all_completed, seconds=30)
        assert len(simulator.book()) == 1
        assert Transaction.objects.filter(kind="fill").count() == 1

    def test_buys_a_full_pool_although_its_counter_was_flushed(
        self, place, make_worker, make_shopper, simulator, venue_environment
    ):
        make_worker(**venue_environment)
        for total in ("4.00", "4.00", "4.00"):
            place(total, of=make_shopper())
            with_redis(lambda client: client.flushall())
        wait_for(all_completed, seconds=30)
        assert len(simulator.book()) == 1

    def test_completes_orders_whose_jobs_were_all_lost(
        self, place, make_worker, make_shopper, simulator, venue_environment
    ):
        for _ in range(5):
            place("12.00", of=make_shopper())
        ProcrastinateJob.objects.all()._raw_delete("default")
        with by_owner():
            Order.objects.update(created_at="2026-01-01T00:00Z")
        make_worker(**venue_environment)
        wait_for(all_completed, seconds=30)
        assert len(attempts()) == 1


class TestAForgottenJob:
    """The database holds it for a worker that lives and does not run it, as after a restore to a moment of its run."""

    RARELY = {"STALLED_WORKER_SECONDS": "2", "RESCUE_CRON": "0 0 1 1 *", "SWEEP_CRON": "0 0 1 1 *"}

    def test_is_run_again_by_that_worker(self, place, make_worker, venue_environment):
        place("60.00")
        [claim] = enqueued()
        self._let_run(claim, by=None)
        make_worker(**venue_environment, **self.RARELY)
        wait_for(ProcrastinateWorker.objects.exists, seconds=30)
        self._let_run(claim, by=ProcrastinateWorker.objects.get().pk)
        wait_for(all_completed, seconds=30)
        assert not enqueued().exists()
        assert len(attempts()) == 1

    def test_is_left_to_its_worker_while_it_runs(self, place, make_worker, simulator, venue_environment):
        hang = {"on": "place", "action": "delay", "wait": 3.5}
        simulator.fail(hang)
        slow = {"EXCHANGE_READ_TIMEOUT_SECONDS": "20", "EXCHANGE_CALL_TIMEOUT_SECONDS": "20"}
        make_worker(**venue_environment, **self.RARELY, **slow)
        place("60.00")
        wait_for(all_completed, seconds=30)
        assert len(simulator.book("ABAN")) == 1
        assert [attempt.lookups for attempt in attempts()] == [0]

    def _let_run(self, job, *, by):
        with connection.cursor() as cursor:
            running = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s"
            cursor.execute(running, [by, job.pk])


class TestCrowd:
    """Many workers at once buy as many coins as the orders need, and complete all orders."""

    SOON = {"STALLED_WORKER_SECONDS": "2", "RESCUE_CRON": "* * * * * *", "LOOKUP_MAX_WAIT_SECONDS": "1"}

    @pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.matrix)])
    def test_of_four_workers_buys_what_orders_need(
        self, coin, place, make_worker, make_shopper, simulator, venue_environment, count
    ):
        for _ in range(4):
            make_worker(**venue_environment)
        for number in range(count):
            place(f"{1 + number % 9}.00", of=make_shopper())
        self._assert_bought_what_was_needed(simulator, coin, count)

    @pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.matrix)])
    def test_of_two_workers_killed_every_two_seconds_buys_what_orders_need(
        self, coin, place, make_worker, make_shopper, simulator, venue_environment, count
    ):
        simulator.fail({"on": "place", "action": "delay", "wait": 0.3})
        workers = [make_worker(**venue_environment, **self.SOON) for _ in range(2)]
        killed = time.monotonic() + 3
        for number in range(count):
            place(f"{1 + number % 9}.00", of=make_shopper())
            if time.monotonic() > killed + 2:
                killed = time.monotonic()
                for worker in workers:
                    os.kill(worker.pid, signal.SIGKILL)
                    worker.wait()
                workers = [make_worker(**venue_environment, **self.SOON) for _ in range(2)]
            time.sleep(0.2)
        simulator.fail()
        self._assert_bought_what_was_needed(simulator, coin, count)

    def _assert_bought_what_was_needed(self, simulator, coin, count):
        wait_for(lambda: Order.objects.filter(state="completed").count() >= count - 9, seconds=60)
        pooled = Order.objects.filter(state="aggregated")
        under_way = Order.objects.filter(state__in=["pending", "settling"])
        # A pool may fill between two batches: then its own claim is still to come.
        wait_for(lambda: sum(pooled.values_list("charge", flat=True)) < 10 and not under_way.exists(), seconds=60)
        bought = sum(Decimal(order["executedQty"]) for order in simulator.book("ABAN"))
        delivered = sum(Order.objects.filter(state="completed").values_list("amount", flat=True))
        inventory = Wallet.objects.get(owner=None, role="inventory", asset="ABAN").balance
        assert bought * (1 - Decimal("0.001")) == delivered + inventory
        assert len(simulator.book("ABAN")) == Attempt.objects.filter(state="filled").count()
        assert inventory < Decimal("0.02") * len(simulator.book("ABAN")), (
            "the surplus comes from rounding up to steps, not from an extra purchase"
        )
        assert verify_everything() == []


def sessions_of_settlement():
    """Return the sessions of other processes that are in a database transaction, or last asked about settlement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT state, query FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND (state LIKE 'idle in transaction%%' OR query LIKE '%%settlement%%')""",
            [],
        )
        return cursor.fetchall()


class TestHangingVenue:
    def test_on_one_symbol_delays_no_other_coin_and_holds_no_database_session(
        self, coin, make_worker, make_shopper, simulator, venue, place
    ):
        simulator.set_prices(BETA="5.00")
        make_coin("BETA", "5.00")
        hang = {"symbol": "ABANUSDT", "wait": 60}
        simulator.fail(
            {"on": "place", "action": "accept_then_hang", **hang}, {"on": "query", "action": "delay", **hang}
        )
        place("60.00", of=make_shopper())
        make_worker(EXCHANGE_URL=simulator.url, EXCHANGE_READ_TIMEOUT_SECONDS="25", EXCHANGE_CALL_TIMEOUT_SECONDS="25")
        wait_for(lambda: simulator.book("ABAN"), seconds=30)
        placed = place("15.00", of=make_shopper(), crypto="BETA")
        wait_for(lambda: Order.objects.get(pk=placed.pk).state == "completed", seconds=12)
        # Other jobs, such as the sweep of each second, have sessions for a moment. One that waits for the venue with
        # its session would have it until the end.
        wait_for(lambda: not sessions_of_settlement(), seconds=8)
        assert attempts()[0].state == "sent", "the worker still waits for the venue's answer"


class TestBacklog:
    @pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.matrix)])
    def test_of_one_coin_needs_few_purchases_and_delays_no_other_coin(
        self, coin, make_worker, make_shopper, simulator, venue, settings, count
    ):
        configure(settings, "RISK", max_orders=10**6, max_value=Decimal(10**9))
        simulator.set_prices(BETA="5.00")
        simulator.set_account(balances={"USDT": "10000000"})
        make_coin("BETA", "5.00")
        shopper = make_shopper("1000000.00")
        for _ in range(count):
            order_request = OrderRequest(coin_name="ABAN", amount=Decimal(3), total=None)
            place_order(buyer=shopper.principal, order_request=order_request, now=timezone.now())
        begun = time.monotonic()
        make_worker(EXCHANGE_URL=simulator.url)
        wait_for(lambda: Order.objects.filter(state="settling").exists(), seconds=30)
        started = time.monotonic()
        order_request = OrderRequest(coin_name="BETA", amount=Decimal(3), total=None)
        placed = place_order(buyer=make_shopper().principal, order_request=order_request, now=timezone.now()).order
        wait_for(lambda: Order.objects.get(pk=placed.pk).state == "completed", seconds=5)
        others = time.monotonic() - started
        wait_for(all_completed, seconds=60)
        ended = time.monotonic()
        purchases = len(simulator.book("ABAN"))
        sys.stdout.write(
            f"{count} large orders: {ended - started:.1f} s ({ended - begun:.1f} s with the worker's start), {purchases} "
            f"purchases; an order of another coin behind them: {others:.1f} s\n"
        )
        assert purchases <= 10
        assert verify_everything() == []
