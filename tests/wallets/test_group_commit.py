"""Groups of requests, with real threads. `carry_out` stands for the database transaction."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import wait_for
from wallets.runtime.group_commit import GroupCommit, GroupFailed


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
