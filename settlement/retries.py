"""The waits before a failed job runs again."""

import random
from datetime import timedelta

from django.conf import settings
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from wallets.runtime import clock


class BackOff(BaseRetryStrategy):
    """Wait 1, 2, 4 … seconds up to a cap, and add a random part of up to half the wait.

    The random part keeps jobs that failed together from running again together. After JOB_MAX_ATTEMPTS runs a job
    fails for good, and the sweep starts its work again.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts + 1 >= settings.JOBS.max_attempts:
            return None
        wait = min(2**job.attempts, settings.JOBS.retry_max_wait_seconds)
        jitter = random.uniform(0, wait / 2)  # noqa: S311  no secret
        # By Postgres' clock, which says when the job is due.
        return RetryDecision(retry_at=clock.now() + timedelta(seconds=round(wait + jitter)))
