"""Run jobs again that nobody runs any more, each by itself: those of dead workers, and those that a live one forgot."""

import logging
import time
from collections.abc import Callable, Container

from django.conf import settings
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from settlement.metrics import count_failed_item
from wallets.runtime import clock

logger = logging.getLogger(__name__)


async def rescue(job: Job, *, jobs: JobManager) -> None:
    """Run a stalled job again. A job that cannot be run again fails for good, and the to-do page lists it.

    A job cannot wait a second time while its twin waits under the same queueing lock; the twin does its work. A job
    that has lost many workers is likely to be the cause, and must not take more of them with it.
    """
    try:
        if job.attempts >= 2 * settings.JOBS.max_attempts:
            await _give_up(job, jobs=jobs, why=f"{job.attempts} runs ended in the death of their worker")
        else:
            await jobs.retry_job(job, retry_at=clock.now())  # else the time of this host decides when it is due
    except UniqueViolation:
        await _give_up(job, jobs=jobs, why="its twin waits under the same queueing lock")
    except ConnectorException:
        # For example, the worker was alive after all and has just ended the job. The next rescue looks again.
        count_failed_item(what="rescue")
        logger.exception("job %s, %s, cannot be rescued", job.id, job.task_name)


async def _give_up(job: Job, *, jobs: JobManager, why: str) -> None:
    count_failed_item(what="rescue")
    logger.error("job %s, %s, is given up: %s", job.id, job.task_name, why)
    try:
        await jobs.finish_job(job, status=Status.FAILED, delete_job=False)
    except ConnectorException:
        logger.exception("job %s, %s, cannot be given up", job.id, job.task_name)


class ForgottenJobs:
    """Jobs that the database holds for a worker which does not run them.

    A restore brings back jobs that were running at its moment, and the end of a job can be lost with a connection. The
    worker lives, so these jobs do not count as stalled; others would wait behind their locks until it is restarted.
    """

    def __init__(self, *, jobs: JobManager) -> None:
        self._jobs = jobs
        self._since: dict[tuple[int | None, int], float] = {}

    async def rescue(self, *, worker_id: int, list_running: Callable[[], Container[int | None]]) -> None:
        """Run the jobs again that have been forgotten for as long as a worker may be silent before it counts as dead.

        `list_running` returns the ids of the jobs that the worker runs now.
        """
        try:
            held = await self._jobs.list_jobs_async(status="doing", worker_id=worker_id)
        except ConnectorException:
            logger.info("the database does not say which jobs worker %s holds", worker_id)
            return
        running = list_running()
        forgotten = {(job.id, job.attempts): job for job in held if job.id not in running}
        now = time.monotonic()
        self._since = {key: self._since.get(key, now) for key in forgotten}
        for key, job in forgotten.items():
            if now - self._since[key] >= settings.JOBS.stalled_worker_seconds:
                logger.warning("job %s, %s, is run again: its worker has forgotten it", job.id, job.task_name)
                await rescue(job, jobs=self._jobs)
