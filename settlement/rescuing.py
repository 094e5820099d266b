"""Run the jobs of dead workers again, each by itself."""

import logging

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
