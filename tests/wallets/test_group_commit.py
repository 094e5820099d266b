"""Groups of requests, with real threads. `carry_out` stands for the database transaction."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.processes import wait_for
from wallets.runtime.group_commit import GroupCommit, GroupCommitByKey, GroupFailed, TurnTooLate

LONG = timedelta(seconds=30)


class Work:
    """Keeps the groups that it was given, and works on each until it is let go."""

    def __init__(self, *, most=32):
        self.groups = []
        self.failing = None
        self._goes_on = threading.Semaphore(0)
        self.commit = GroupCommit(self._carry_out, most=most)

    def _carry_out(self, group):
        self.groups.append(list(group))
        assert self._goes_on.acquire(timeout=30)
        if self.failing:
            raise self.failing
        return [(request, threading.get_ident()) for request in group]

    def let_go(self, groups=1):
        self._goes_on.release(groups)

    def waits(self):
        return len(self.commit._waiting)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(64) as threads:
        yield threads


def submitted(pool, work, requests):
    """Submit requests one after the other, each as soon as the one before is at work or waits."""
    futures = []
    for request in requests:
        arrived = sum(map(len, work.groups)) + work.waits()
        futures.append(pool.submit(work.commit.submit, request))
        wait_for(lambda arrived=arrived: sum(map(len, work.groups)) + work.waits() > arrived)
    return futures


class TestGroupCommit:
    def test_carries_out_a_request_alone_at_once(self, pool):
        work = Work()
        work.let_go()
        assert pool.submit(work.commit.submit, "a").result(30)[0] == "a"
        assert work.groups == [["a"]]

    def test_groups_what_comes_while_it_works_in_the_order_of_arrival(self, pool):
        work = Work()
        futures = submitted(pool, work, "abcd")
        assert work.groups == [["a"]]
        work.let_go(2)
        assert [future.result(30)[0] for future in futures] == list("abcd")
        assert work.groups == [["a"], ["b", "c", "d"]]

    def test_lets_the_first_of_a_group_lead_it(self, pool):
        work = Work()
        futures = submitted(pool, work, "abc")
        work.let_go(2)
        threads = [future.result(30)[1] for future in futures]
        assert threads[1] == threads[2] != threads[0]

    def test_keeps_to_the_largest_group(self, pool):
        work = Work(most=2)
        futures = submitted(pool, work, "abcdef")
        work.let_go(4)
        assert [future.result(30)[0] for future in futures] == list("abcdef")
        assert work.groups == [["a"], ["b", "c"], ["d", "e"], ["f"]]

    def test_fails_each_request_of_a_group_that_fails_and_no_other(self, pool):
        work = Work()
        futures = submitted(pool, work, "abc")
        work.let_go()
        assert futures[0].result(30)
        wait_for(lambda: len(work.groups) == 2)
        work.failing = ValueError("lost")
        late = submitted(pool, work, "d")[0]
        work.let_go()
        for future in futures[1:]:
            with pytest.raises(GroupFailed) as failed:
                future.result(30)
            assert failed.value.__cause__ is work.failing
        work.failing = None
        work.let_go()
        assert late.result(30)[0] == "d"

    def test_goes_on_after_the_end_of_a_leaders_thread(self, pool):
        work = Work()
        futures = submitted(pool, work, "ab")
        work.failing = SystemExit()
        work.let_go()
        with pytest.raises(SystemExit):
            futures[0].result(30)
        wait_for(lambda: len(work.groups) == 2)
        work.failing = None
        work.let_go()
        assert futures[1].result(30)[0] == "b"

    def test_answers_each_of_thousands_once(self, pool):
        done = []

        def carry_out(group):
            done.extend(group)
            return [request * 2 for request in group]

        commit = GroupCommit(carry_out, most=8)
        assert list(pool.map(commit.submit, range(1, 5001))) == [number * 2 for number in range(1, 5001)]
        assert sorted(done) == list(range(1, 5001))
        assert (commit._is_at_work, len(commit._waiting)) == (False, 0)

    def test_lets_a_request_leave_whose_turn_does_not_come_in_time(self, pool):
        work = Work()
        futures = submitted(pool, work, "ab")
        with pytest.raises(TurnTooLate):
            work.commit.submit("c", patience=timedelta(milliseconds=20))
        work.let_go(2)
        assert [future.result(30)[0] for future in futures] == list("ab")
        assert work.groups == [["a"], ["b"]]

    def test_refuses_at_once_a_request_that_cannot_wait_as_long_as_the_group_at_work_has_taken(self, pool):
        work, patience = Work(), timedelta(seconds=1)
        futures = submitted(pool, work, "ab")
        time.sleep(1.1)
        begun = time.monotonic()
        with pytest.raises(TurnTooLate):
            work.commit.submit("c", patience=patience)
        assert time.monotonic() - begun < 0.9
        work.let_go()
        wait_for(lambda: len(work.groups) == 2)
        futures.append(pool.submit(work.commit.submit, "d", patience=patience))  # the next group has just begun
        wait_for(lambda: work.waits() == 1)
        work.let_go(2)
        assert [future.result(30)[0] for future in futures] == list("abd")

    def test_answers_a_request_whose_group_has_begun_however_long_it_takes(self, pool):
        work = Work()
        futures = submitted(pool, work, "ab")
        futures.append(pool.submit(work.commit.submit, "c", patience=timedelta(seconds=1)))
        wait_for(lambda: work.waits() == 2)
        work.let_go()
        wait_for(lambda: len(work.groups) == 2)
        with pytest.raises(TimeoutError):
            futures[2].result(1.2)
        work.let_go()
        assert futures[2].result(30)[0] == "c"

    def test_answers_each_of_thousands_once_or_not_at_all(self, pool):
        """Each leaves as soon as it can, or is answered: never both."""
        done = []

        def submit(number):
            try:
                return commit.submit(number, patience=timedelta(microseconds=number % 200))
            except TurnTooLate:
                return None

        def carry_out(group):
            done.extend(group)
            return group

        commit = GroupCommit(carry_out, most=8)
        answers = list(pool.map(submit, range(1, 5001)))
        assert sorted(done) == [answer for answer in answers if answer is not None]
        assert (commit._is_at_work, len(commit._waiting)) == (False, 0)


class TestGroupCommitByKey:
    @pytest.fixture
    def by_key(self):
        """Groups of words by their first letter; those of `a` wait until `a_goes_on`."""
        self.groups, self.a_goes_on = [], threading.Event()

        def carry_out(group):
            self.groups.append("".join(word[1:] for word in group))
            assert group[0][0] != "a" or self.a_goes_on.wait(30)
            return group

        commit = GroupCommitByKey(carry_out, most=32, crowd=3, patience=timedelta(milliseconds=20))
        yield commit
        self.a_goes_on.set()

    def submitted(self, pool, by_key, words):
        futures = []
        for word in words:
            futures.append(pool.submit(by_key.submit, word[0], word, patience=LONG))
            wait_for(lambda: by_key._under_way["a"] == len(futures) and self.groups)
        return futures

    def test_groups_the_requests_of_a_key(self, pool, by_key):
        futures = self.submitted(pool, by_key, ["a1", "a2", "a3"])
        self.a_goes_on.set()
        assert [future.result(30) for future in futures] == ["a1", "a2", "a3"]
        assert self.groups == ["1", "23"]

    def test_lets_no_key_wait_for_another(self, pool, by_key):
        [future] = self.submitted(pool, by_key, ["a1"])
        assert by_key.submit("b", "b1", patience=LONG) == "b1"
        assert not future.done()

    def test_remembers_a_key_while_its_requests_are_under_way(self, pool, by_key):
        futures = self.submitted(pool, by_key, ["a1", "a2"])
        assert by_key.has("a")
        assert not by_key.has("b")
        self.a_goes_on.set()
        assert [future.result(30) for future in futures] == ["a1", "a2"]
        assert not by_key.has("a")

    def test_lets_the_latest_of_a_crowd_leave(self, pool, by_key):
        futures = self.submitted(pool, by_key, ["a1", "a2", "a3"])
        with pytest.raises(TurnTooLate):
            by_key.submit("a", "a4", patience=LONG)
        self.a_goes_on.set()
        assert [future.result(30) for future in futures] == ["a1", "a2", "a3"]
        assert by_key.submit("a", "a5", patience=LONG) == "a5"

    def test_lets_a_request_leave_whose_time_is_over(self, pool, by_key):
        futures = self.submitted(pool, by_key, ["a1"])
        with pytest.raises(TurnTooLate):
            by_key.submit("a", "a2", patience=timedelta(0))
        self.a_goes_on.set()
        assert [future.result(30) for future in futures] == ["a1"]
        assert self.groups == ["1"]
