"""Defers jobs by name, inside the database transaction that needs the job.

`_defer_app` only defers jobs. It always uses Django's own connection. The worker's app has a connection pool
of its own, so a rollback would not remove a job that was deferred through the worker's app.

A worker may have itself told of the jobs that it has enqueued, because it would find them at its next poll only.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import procrastinate
from django.db import transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import AlreadyEnqueued

from wallets.runtime import clock
from wallets.runtime.tracing import mark_job

_defer_app = procrastinate.App(connector=DjangoConnector())


class _Held:
    hear: Callable[[str, str], object] | None = None


def tell_of_jobs(hear: Callable[[str, str], object] | None) -> None:
    """Call `hear` with the task and the queue of each job that this process enqueues to run now, after its commit.

    None ends that. A call may be lost with the process, so nothing may depend on it.
    """
    _Held.hear = hear


def defer_job(*, task: str, queue: str, delay_seconds: float = 0, priority: int = 0, **arguments: Any) -> None:
    """Enqueue a job that commits or rolls back with the running database transaction. One statement.

    Of a queue's jobs, those of the highest priority run first.

    The delay is rounded to whole seconds, and a positive one is at least one second. It begins now by Postgres' clock,
    which says when the job is due; Procrastinate's own `schedule_in` would add it to the time of this host.
    """
    due_at = clock.now() + timedelta(seconds=max(1, round(delay_seconds))) if delay_seconds > 0 else None
    lock = mark_job(task=task, queue=queue)
    job = _defer_app.configure_task(task, queue=queue, schedule_at=due_at, lock=lock, priority=priority)
    job.defer(**arguments)
    if due_at is None:
        _tell_after_commit(task=task, queue=queue)


def defer_job_once(*, task: str, queue: str, queueing_lock: str, **arguments: Any) -> None:
    """Enqueue a job like `defer_job`, unless one with the same queueing lock waits already.

    Not for the path of orders: of two database transactions that enqueue the same job, one waits for the other.
    """
    try:
        with transaction.atomic():  # a savepoint: a lock that is taken must not abort the caller's transaction
            _defer_app.configure_task(task, queue=queue, queueing_lock=queueing_lock).defer(**arguments)
    except AlreadyEnqueued:
        return
    _tell_after_commit(task=task, queue=queue)


def _tell_after_commit(*, task: str, queue: str) -> None:
    if hear := _Held.hear:
        transaction.on_commit(lambda: hear(task, queue), robust=True)
