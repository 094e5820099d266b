"""The database connections of the API's processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_site.serve import _folder_of_metrics
from exchange_site.stack.processes import PROJECT
from tests.conftest import process_environment

# A process of the API without the HTTP server: two threads query Postgres, one after the other, and end.
_TWO_THREADS = """
import gc, time
from threading import Thread
from exchange_site.serve import load

load()
gc.disable()
from django.db import close_old_connections, connection

def ask(question, *values):
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        return cursor.fetchone()[0]

def answer_twice():
    for _ in range(2):
        backends.append(ask("SELECT pg_backend_pid()"))
        close_old_connections()  # as Django does after each request

backends = []
for _ in range(2):
    thread = Thread(target=answer_twice)
    thread.start()
    thread.join()
first, again, second, again_second = backends
assert first == again and second == again_second and first != second, backends
left = 2
for _ in range(100):
    if not (left := ask("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", backends)):
        break
    time.sleep(0.05)
print(left, "left")
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pool", ["8", "0"])
def test_a_thread_keeps_one_connection_and_closes_it_when_it_ends(pool):
    done = subprocess.run(
        [sys.executable, "-c", _TWO_THREADS],
        cwd=PROJECT,
        env=process_environment(POSTGRES_POOL_SIZE=pool),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "0 left\n", done.stderr


def test_the_next_server_removes_the_folders_of_those_that_were_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    for name in ("killed", "other"):
        (tmp_path / f"crypto-exchange-metrics-{name}").mkdir()
    (tmp_path / "crypto-exchange-metrics-killed" / "held.lock").touch()
    (tmp_path / "crypto-exchange-metrics-other" / "counter_7.db").touch()  # nothing says that its process is gone
    with _folder_of_metrics():
        own = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
        with _folder_of_metrics():
            assert own.exists(), "its process runs"
    assert [folder.name for folder in tmp_path.iterdir()] == ["crypto-exchange-metrics-other"]
