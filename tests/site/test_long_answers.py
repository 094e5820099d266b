"""Statements with many rows from a real API process: its memory, slow callers, and answers that break off."""

import csv
import io
import socket
import time
from pathlib import Path

import httpx
import pytest
from django.db import connection

from exchange_site.stack.processes import API, free_port, local_url, start, wait_for_answer
from tests.conftest import process_environment
from tests.owner import run_as_owner
from tests.patience import stretched
from tests.processes import stopped, wait_for
from tests.statements import add_movements

pytestmark = pytest.mark.django_db(transaction=True)

_MIB = 2**20


class Served:
    """An API process and its one worker, as the kernel sees them."""

    def __init__(self, process, api):
        self.api = api
        [self._worker] = [pid for pid in _children(process.pid) if _is_worker(pid)]

    def memory(self):
        """Return the worker's memory in bytes, and forget its peak."""
        return _status(self._worker, "VmRSS")

    def peak(self):
        return _status(self._worker, "VmHWM")

    def forget_peak(self):
        Path(f"/proc/{self._worker}/clear_refs").write_text("5")

    def pipes(self):
        """Return the number of the worker's open ends of pipes."""
        names = []
        for opened in Path(f"/proc/{self._worker}/fd").iterdir():
            try:
                names.append(str(opened.readlink()))
            except FileNotFoundError:
                continue
        return sum(name.startswith("pipe:") for name in names)


def _children(pid):
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(status.parent.name))
    return found


def _is_worker(pid):
    return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def _status(pid, name):
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith(f"{name}:"):
            return int(row.split()[1]) * 1024
    raise AssertionError(name)


@pytest.fixture
def served(transactional_db):
    port = free_port()
    environment = process_environment(PORT=str(port), WEB_WORKERS="1", WEB_THREADS="4")
    with stopped(start(API, environment=environment)) as process:
        wait_for_answer(f"{local_url(port)}/health/", seconds=stretched(90), by=process)
        yield Served(process, f"{local_url(port)}/api/v1/")


def headers(shopper):
    return {**shopper.headers, "Accept": "text/csv"}


def download(served, shopper):
    """Return the number of lines and bytes of the statement, without keeping it."""
    count = size = 0
    with httpx.stream("GET", f"{served.api}transactions/", headers=headers(shopper), timeout=60) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            count += piece.count(b"\n")
            size += len(piece)
    return count, size


def ask_and_go(served, shopper, *, after_seconds):
    """Ask for a statement, and go without reading any of it."""
    url = httpx.URL(served.api)
    with socket.create_connection((url.host, url.port)) as caller:
        sent = {"Host": "localhost", **headers(shopper)}
        lines = ["GET /api/v1/transactions/ HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        caller.sendall("\r\n".join([*lines, "", ""]).encode())
        time.sleep(after_seconds)


class SlowCaller:
    """A caller who asks for a statement and takes of it only what the test reads."""

    def __init__(self, served, shopper):
        url = httpx.URL(served.api)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(60)
        self.socket.connect((url.host, url.port))
        sent = {"Host": "localhost", "Connection": "close", **headers(shopper)}
        lines = ["GET /api/v1/transactions/ HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.file = self.socket.makefile("rb")
        assert self.file.readline().split()[1] == b"200"
        while self.file.readline().strip():
            pass

    def read_chunk(self):
        """Return the next chunk; an empty one at the proper end. Raises EOFError if the connection is cut."""
        size = self.file.readline()
        if not size:
            raise EOFError
        chunk = self.file.read(int(size, 16))
        if self.file.read(2) != b"\r\n":
            raise EOFError
        return chunk

    def read_all(self):
        whole = io.BytesIO()
        while chunk := self.read_chunk():
            whole.write(chunk)
        return whole.getvalue()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def slow(served):
    opened = []

    def begin(shopper):
        opened.append(SlowCaller(served, shopper))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


def sessions_of_statements():
    """Return the sessions of others that are in a database transaction, or run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT state, query FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                  AND state <> 'idle'"""
        )
        return cursor.fetchall()


def is_quiet():
    """Say whether no statement is read for two seconds: until then the callers' sockets take what is sent."""
    for _ in range(20):
        if sessions_of_statements():
            return False
        time.sleep(0.1)
    return True


class TestAStatementOfManyMovements:
    @pytest.mark.parametrize("count", [200_000, pytest.param(1_000_000, marks=pytest.mark.matrix)])
    def test_takes_no_more_memory_than_a_short_one(self, served, shopper, make_shopper, count):
        add_movements(shopper, count=count)
        assert download(served, make_shopper())[0] == 2
        served.forget_peak()
        before = served.memory()
        lines, size = download(served, shopper)
        assert lines == count + 2
        assert size > 60 * count
        assert served.peak() - before < 12 * _MIB

    def test_waits_for_a_slow_caller_without_memory_thread_or_database_transaction(self, served, shopper, slow):
        add_movements(shopper, count=100_000)
        callers = [slow(shopper) for _ in range(6)]  # more than there are threads
        assert all(caller.read_chunk() for caller in callers)
        wait_for(is_quiet, seconds=60)
        before = served.memory()
        for _ in range(20):
            assert httpx.get(f"{served.api}accounts/wallet/", headers=shopper.headers, timeout=30).status_code == 200
            time.sleep(0.05)
        assert sessions_of_statements() == []
        assert served.memory() - before < 12 * _MIB
        rest = callers[0].read_all()
        assert rest.count(b"\r\n") > 90_000
        rows = list(csv.reader(io.StringIO(rest.decode())))
        assert rows[-1][4] == "100.00"  # the oldest movement is the last

    def test_is_given_up_when_its_caller_goes(self, served, shopper, slow):
        add_movements(shopper, count=50_000)
        before = served.pipes()
        caller = slow(shopper)
        caller.read_chunk()
        assert served.pipes() > before
        caller.close()
        wait_for(lambda: served.pipes() == before, seconds=30)

    @pytest.mark.parametrize("count", [500, 50_000])  # 500 fit into a pipe
    def test_is_given_up_when_its_caller_goes_without_any_of_it(self, served, shopper, count):
        add_movements(shopper, count=count)
        before = served.pipes()
        for after_seconds in (0, 0, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.2, 0.3):
            ask_and_go(served, shopper, after_seconds=after_seconds)
        assert download(served, shopper)[0] == count + 2
        wait_for(lambda: served.pipes() == before, seconds=30)

    def test_leaves_nothing_open(self, served, shopper):
        add_movements(shopper, count=20_000)
        download(served, shopper)
        before = served.pipes()
        for _ in range(5):
            download(served, shopper)
        wait_for(lambda: served.pipes() <= before, seconds=30)

    def test_that_breaks_off_does_not_look_whole(self, served, shopper, slow):
        add_movements(shopper, count=50_000)
        caller = slow(shopper)
        caller.read_chunk()
        run_as_owner("ALTER TABLE wallets_transaction RENAME TO gone_for_a_while")
        try:
            with pytest.raises((EOFError, ConnectionError, ValueError)):
                caller.read_all()
        finally:
            run_as_owner("ALTER TABLE gone_for_a_while RENAME TO wallets_transaction")
        assert download(served, shopper)[0] == 50_002

    def test_is_refused_while_eight_others_go_to_the_same_address(self, served, shopper, slow):
        add_movements(shopper, count=50_000)
        callers = [slow(shopper) for _ in range(8)]
        assert all(caller.read_chunk() for caller in callers)
        answer = httpx.get(f"{served.api}transactions/", headers=headers(shopper), timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert httpx.get(f"{served.api}transactions/", headers=shopper.headers, timeout=30).status_code == 200
