"""SIGTERM at any moment of a start: a process that still loads ends at once, and one that serves finishes its requests.

Granian kills a worker that has not ended ten seconds after it was told to, and says so. So a process that was killed is
known by its words, on a machine of any speed.
"""

import re
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from psycopg import connect

from exchange_site.stack.processes import API, WORKER, free_port, local_url, start, wait_for_answer
from tests.conftest import process_environment
from tests.owner import owner_parameters
from tests.patience import stretched
from tests.processes import somebody_waits_for_a_lock, stopped, wait_for

# A busy machine lets a thread wait between what the system tells it and what it does with that.
LEARNS_LATE = """
import os, threading, time
from exchange_site.serve import main

def wait(*given, ask=os.waitpid):
    told = ask(*given)
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.3)
    return told

os.waitpid = wait
main()
"""

# Granian reads the clock when a worker has fallen, before it looks for the next event.
IS_STOPPED_AS_A_WORKER_FALLS = """
import os, signal, sys, time
from exchange_site.serve import main

def read(*, clock=time.monotonic):
    if sys._getframe(1).f_code.co_name in {"_serve_loop", "_falls_again"}:
        os.kill(os.getpid(), signal.SIGTERM)
    return clock()

time.monotonic = read
main()
"""

pytestmark = pytest.mark.django_db(transaction=True)


class Begun:
    """An API with several workers that has just been started."""

    def __init__(self, folder, *, program=API, **environment):
        self.port = free_port()
        self._output = folder / "output"
        self.wallet = f"{local_url(self.port)}/api/v1/accounts/wallet/"
        given = {"PORT": str(self.port), "WEB_WORKERS": "2", **environment}
        self.process = start(program, environment=process_environment(**given), output=self._output)

    def has_workers(self):
        """Whether both workers are there. A single child may be a program that a library asks about the system."""
        return len(psutil.Process(self.process.pid).children()) == 2

    def wait_for_first_answer(self):
        wait_for_answer(f"{local_url(self.port)}/health/", seconds=stretched(20), by=self.process)

    def end(self, *, by=signal.SIGTERM):
        """Tell the API to end. Return its exit code, and whether it had to kill a worker."""
        self.process.send_signal(by)
        return self.wait()

    def wait(self):
        return self.process.wait(stretched(60)), "Killing" in self._output.read_text()


class TestAnApi:
    def test_ends_while_no_worker_serves_yet(self, tmp_path):
        begun = Begun(tmp_path)
        with stopped(begun.process):
            wait_for(begun.has_workers, seconds=20)
            assert begun.end() == (0, False)

    def test_ends_when_one_worker_serves_and_others_load(self, tmp_path):
        begun = Begun(tmp_path)
        with stopped(begun.process):
            begun.wait_for_first_answer()
            assert begun.end() == (0, False)

    def test_answers_what_is_under_way_while_others_load(self, tmp_path, shopper):
        begun = Begun(tmp_path)
        with stopped(begun.process), ThreadPoolExecutor(1) as caller:
            begun.wait_for_first_answer()
            with connect(**owner_parameters()) as owner:
                owner.execute("LOCK TABLE wallets_wallet")
                read = caller.submit(httpx.get, begun.wallet, headers=shopper.headers, timeout=60)
                wait_for(somebody_waits_for_a_lock)
                begun.process.send_signal(signal.SIGTERM)
            assert read.result().json()["balance"] == "100.00"
            assert begun.wait() == (0, False)

    def test_ends_when_its_terminal_is_closed(self, tmp_path):
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup may have started the tests
        begun = Begun(tmp_path)
        signal.signal(signal.SIGHUP, before)
        with stopped(begun.process):
            begun.wait_for_first_answer()
            assert begun.end(by=signal.SIGHUP) == (0, False)

    @pytest.mark.skipif(shutil.which("nohup") is None, reason="nohup is not installed")
    def test_of_nohup_goes_on_when_its_terminal_is_closed(self, tmp_path):
        begun = Begun(tmp_path, program=["nohup", *API])
        with stopped(begun.process):
            begun.wait_for_first_answer()
            wait_for(begun.has_workers)
            workers = psutil.Process(begun.process.pid).children()
            begun.process.send_signal(signal.SIGHUP)
            assert psutil.wait_procs([psutil.Process(begun.process.pid), *workers], timeout=3)[0] == []
            begun.wait_for_first_answer()
            assert begun.end() == (0, False)

    def test_kills_no_worker_of_whose_end_it_learns_late(self, tmp_path):
        begun = Begun(tmp_path, program=[sys.executable, "-c", LEARNS_LATE])
        with stopped(begun.process):
            begun.wait_for_first_answer()
            assert begun.end() == (0, False)

    def test_ends_when_a_worker_falls_at_the_same_moment(self, tmp_path):
        begun = Begun(tmp_path, program=[sys.executable, "-c", IS_STOPPED_AS_A_WORKER_FALLS])
        with stopped(begun.process):
            begun.wait_for_first_answer()
            wait_for(begun.has_workers)
            psutil.Process(begun.process.pid).children()[0].kill()
            begun.wait()


def catches(process, number):
    """Whether a process has a handler for a signal."""
    found = re.search(r"^SigCgt:\t(\w+)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return int(found[1], 16) >> (number - 1) & 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see handlers")
class TestAWorkerAtATerminal:
    @pytest.fixture
    def worker(self, tmp_path, simulator):
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup may have started the tests
        begun = start(WORKER, environment=process_environment(), output=tmp_path / "output")
        signal.signal(signal.SIGHUP, before)
        with stopped(begun):
            yield begun

    def test_ends_its_jobs_when_that_is_closed(self, worker):
        wait_for(lambda: catches(worker, signal.SIGTERM), seconds=30)
        for _ in range(2):  # of the system and of the shell
            worker.send_signal(signal.SIGHUP)
        assert worker.wait(stretched(60)) == 0


class TestAWorker:
    def test_ends_as_soon_as_it_answers(self, tmp_path, simulator):
        port, output = free_port(), tmp_path / "output"
        environment = process_environment(WORKER_METRICS_PORT=str(port))
        with stopped(start(WORKER, environment=environment, output=output)) as worker:
            wait_for_answer(f"{local_url(port)}/metrics", seconds=stretched(30), by=worker)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(stretched(60)) in {0, -signal.SIGTERM}
