"""What the API's own processes do beside answering."""

import gc
from threading import Thread

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from exchange_site.serve import _close_with_thread
from tests.processes import wait_for


@pytest.fixture
def without_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def closing_with_threads():
    connection_created.connect(_close_with_thread)
    yield
    connection_created.disconnect(_close_with_thread)


@pytest.mark.django_db(transaction=True)
def test_a_connection_ends_with_its_thread(without_collector, closing_with_threads):
    backends = []

    def ask(question, *values):
        with connection.cursor() as cursor:
            cursor.execute(question, values)
            return cursor.fetchone()[0]

    for _ in range(2):
        thread = Thread(target=lambda: backends.append(ask("SELECT pg_backend_pid()")))
        thread.start()
        thread.join()
    assert len(set(backends)) == 2
    left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
    wait_for(lambda: ask(left, backends) == 0)
