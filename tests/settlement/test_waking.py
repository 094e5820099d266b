"""When a worker looks for jobs: at intervals that follow the orders, and at once for jobs that it has enqueued itself."""

import random
import signal

import pytest
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.jobs import SETTLE_TASK, recheck_attempt_later, refresh_books_later, settle_batch_later
from settlement.models import Attempt, AttemptState
from settlement.pace import Pace
from settlement.verification import verify_everything
from tests.processes import wait_for
from tests.settlement.conftest import attempts, states
from trading import jobs
from trading.jobs import CLAIM_TASK
from wallets.runtime.jobs import tell_of_jobs

USUAL_SECONDS = 0.25
RARELY = ("--fetch-job-polling-interval", "600")
NEVER = "0 0 29 2 *"
NO_SWEEP = {"SWEEP_CRON": NEVER}


def all_completed():
    return set(states()) == {"completed"}


class TestThePaceOfALane:
    SECONDS = 60.0

    def test_is_the_usual_one_while_no_order_comes(self):
        assert self.count_looks(rate=0) == self.SECONDS / USUAL_SECONDS

    def test_is_ten_times_as_quick_while_orders_come_one_by_one(self):
        assert self.count_looks(rate=2) > 9 * self.SECONDS / USUAL_SECONDS

    def test_is_half_as_quick_while_many_orders_come(self):
        # Ten claims have to be found first.
        assert self.count_looks(rate=50) < self.SECONDS / USUAL_SECONDS / 2 + 20

    def test_is_the_usual_one_again_some_time_after_the_last_order(self):
        now = [0.0]
        pace = Pace(usual_seconds=USUAL_SECONDS, read_clock=lambda: now[0])
        for _ in range(100):
            pace.note_claim(coin_id=1)
        assert pace.wait_seconds() > USUAL_SECONDS
        now[0] = 5.0
        assert pace.wait_seconds() < USUAL_SECONDS
        now[0] = 11.0
        assert pace.wait_seconds() == USUAL_SECONDS

    def test_is_quick_while_orders_of_many_coins_come(self):
        """None of them would share a purchase."""
        now = [0.0]
        pace = Pace(usual_seconds=USUAL_SECONDS, read_clock=lambda: now[0])
        for coin_id in range(10):
            pace.note_claim(coin_id=coin_id)
        assert pace.wait_seconds() < USUAL_SECONDS

    @pytest.mark.parametrize("rate", [2, 50])
    def test_of_many_workers_asks_postgres_no_more_often_than_that_of_one(self, rate):
        alone = self.count_looks(rate=rate)
        together = 8 * self.count_looks(rate=rate / 8, workers=8)
        assert together < 1.1 * max(alone, 8 * self.SECONDS / USUAL_SECONDS)

    def count_looks(self, *, rate, workers=1):
        """Count the looks at the queue in SECONDS, while orders come by chance, `rate` a second."""
        chance, now, looks = random.Random(1), [0.0], 0
        pace = Pace(usual_seconds=USUAL_SECONDS, read_clock=lambda: now[0])
        pace.workers = workers
        following = chance.expovariate(rate) if rate else self.SECONDS
        while now[0] < self.SECONDS:
            looks += 1
            while following <= now[0]:
                pace.note_claim(coin_id=1)
                following += chance.expovariate(rate)
            now[0] += pace.wait_seconds()
        return looks


@pytest.mark.django_db(transaction=True)
class TestAWorkerIsTold:
    @pytest.fixture
    def told(self):
        told = []
        tell_of_jobs(lambda task, queue: told.append((task, queue)))
        yield told
        tell_of_jobs(None)

    def test_of_a_job_after_its_commit(self, told):
        with transaction.atomic():
            settle_batch_later(batch_id=1)
            assert not told
        assert told == [(SETTLE_TASK, "settlement")]

    def test_of_no_job_that_is_rolled_back(self, told):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            settle_batch_later(batch_id=1)
            refresh_books_later()
            raise ZeroDivisionError
        assert not told

    def test_of_no_job_that_waits_for_its_time(self, told):
        settle_batch_later(batch_id=1, delay_seconds=1)
        assert not told

    def test_once_of_a_job_that_waits_already(self, told):
        refresh_books_later()
        refresh_books_later()
        assert len(told) == 1

    def test_of_each_job_of_a_transaction(self, told):
        with transaction.atomic():
            recheck_attempt_later(attempt_id=1)
            jobs.request_claim(coin_id=1)
        assert [queue for _, queue in told] == ["rechecks", "settlement"]


@pytest.mark.django_db(transaction=True)
class TestABatchsJob:
    def test_is_run_before_claims_that_wait(self, coin):
        jobs.request_claim(coin_id=coin.pk)
        settle_batch_later(batch_id=1)
        in_turn = ProcrastinateJob.objects.order_by("-priority", "id")
        assert [job.task_name for job in in_turn] == [SETTLE_TASK, CLAIM_TASK]

    def test_follows_its_claim_without_a_poll(self, place, make_worker, make_shopper, simulator, venue_environment):
        for _ in range(3):
            place("12.00", of=make_shopper())
        make_worker(*RARELY, **NO_SWEEP, **venue_environment)
        wait_for(all_completed, seconds=30)
        assert len(simulator.book("ABAN")) == 1
        assert verify_everything() == []

    def test_remains_when_its_worker_dies_after_the_claim(
        self, place, make_worker, simulator, venue_environment, tmp_path
    ):
        place("60.00")
        shot = {"FAILPOINTS": "claim.committed=kill", "FAILPOINTS_DIR": str(tmp_path)}
        doomed = make_worker(*RARELY, **NO_SWEEP, **shot, **venue_environment)
        wait_for(lambda: doomed.poll() is not None, seconds=30)
        assert doomed.returncode == -signal.SIGKILL
        assert ProcrastinateJob.objects.filter(task_name=SETTLE_TASK).count() == 1
        rescue = {"STALLED_WORKER_SECONDS": "2", "RESCUE_CRON": "* * * * * *"}
        make_worker(**NO_SWEEP, **rescue, **venue_environment)
        wait_for(all_completed, seconds=40)
        assert len(simulator.book("ABAN")) == 1
        assert [attempt.state for attempt in attempts()] == [AttemptState.FILLED]
        assert verify_everything() == []

    def test_may_be_run_by_another_worker(self, place, claim, make_worker, simulator, venue_environment):
        place("60.00")
        claim()  # in this process, which runs no jobs
        assert Attempt.objects.get().state == AttemptState.NEW
        make_worker(*RARELY, **NO_SWEEP, **venue_environment)
        wait_for(all_completed, seconds=30)
        assert len(simulator.book("ABAN")) == 1


@pytest.mark.django_db(transaction=True)
class TestOrdersOneByOne:
    def test_are_found_long_before_the_usual_poll(self, place, make_worker, simulator, venue_environment):
        place("12.00")
        make_worker("--fetch-job-polling-interval", "40", **NO_SWEEP, **venue_environment)
        wait_for(all_completed, seconds=30)
        place("12.00")
        wait_for(all_completed, seconds=15)
        assert len(simulator.book("ABAN")) == 2
