"""The settings of the queue's tables: workers poll, and an insert sends no notification."""

import select

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from procrastinate import sql

from tests.owner import run_as_owner
from trading import jobs

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_job_sends_a_notification():
    """Fails if an update of Procrastinate adds a notifying trigger, or restores the one that we removed."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as listener:
        listener.autocommit = True
        listener.execute("LISTEN procrastinate_any_queue_v1")
        listener.execute("LISTEN heard")
        jobs.request_claim(coin_id=1)
        with connection.cursor() as cursor:
            cursor.execute("NOTIFY heard")
        select.select([listener], [], [], 5)
        assert [heard.channel for heard in listener.notifies(timeout=0.5)] == ["heard"]


def test_workers_poll_four_times_a_second():
    assert settings.PROCRASTINATE_WORKER_DEFAULTS["listen_notify"] is False
    assert settings.PROCRASTINATE_WORKER_DEFAULTS["fetch_job_polling_interval"] <= 0.25


def test_the_job_tables_are_vacuumed_after_a_fixed_number_of_rows():
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT relname FROM pg_class WHERE 'autovacuum_vacuum_scale_factor=0' = ANY(reloptions)
                AND relname LIKE 'procrastinate%' ORDER BY relname"""
        )
        assert [name for (name,) in cursor.fetchall()] == ["procrastinate_events", "procrastinate_jobs"]


def test_an_idle_worker_fetches_quickly_from_a_sudden_backlog():
    """The session of an idle worker keeps the plan that Postgres made while the table was empty."""
    fetch = sql.queries["fetch_job"].replace("%(queues)s", "NULL").replace("%(worker_id)s", "NULL")
    run_as_owner("VACUUM ANALYZE procrastinate_jobs")
    with connection.cursor() as cursor:
        for _ in range(10):
            cursor.execute(fetch)
        cursor.execute(
            """INSERT INTO procrastinate_jobs (queue_name, task_name, status)
               SELECT 'settlement', 'settlement.claim', 'todo' FROM generate_series(1, 20000)"""
        )
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {fetch}")
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Actual Rows"] == 1
    # It would be millions if each job were compared with all others.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 2000
