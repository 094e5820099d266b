"""The queue's tables as this project sets them: workers poll, and no insert notifies anybody."""

import select

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from procrastinate import sql

from trading import jobs

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_job_notifies():
    """Also after an update of Procrastinate: its migrations may bring another trigger, or the same again."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as listener:
        listener.autocommit = True
        listener.execute("LISTEN procrastinate_any_queue_v1")
        listener.execute("LISTEN heard")
        jobs.request_claim(coin_id=1)
        with connection.cursor() as cursor:
            cursor.execute("NOTIFY heard")
        select.select([listener], [], [], 5)
        assert [heard.channel for heard in listener.notifies(timeout=0.5)] == ["heard"]


def test_workers_look_often_instead():
    assert settings.PROCRASTINATE_WORKER_DEFAULTS["listen_notify"] is False
    assert settings.PROCRASTINATE_WORKER_DEFAULTS["fetch_job_polling_interval"] <= 0.25


def test_the_tables_of_jobs_are_cleaned_by_number():
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT relname FROM pg_class WHERE 'autovacuum_vacuum_scale_factor=0' = ANY(reloptions)
                AND relname LIKE 'procrastinate%' ORDER BY relname"""
        )
        assert [name for (name,) in cursor.fetchall()] == ["procrastinate_events", "procrastinate_jobs"]


def test_a_burst_of_jobs_is_fetched_from_by_a_worker_that_had_nothing_to_do():
    """Its session plans for the empty table it has met, and keeps to that."""
    fetch = sql.queries["fetch_job"].replace("%(queues)s", "NULL").replace("%(worker_id)s", "NULL")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE procrastinate_jobs")
        for _ in range(10):
            cursor.execute(fetch)
        cursor.execute(
            """INSERT INTO procrastinate_jobs (queue_name, task_name, status)
               SELECT 'settlement', 'settlement.claim', 'todo' FROM generate_series(1, 20000)"""
        )
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {fetch}")
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Actual Rows"] == 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 2000  # millions, when all are compared with all
