"""The waits before a failed job runs again."""

import random

from django.conf import settings
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job


class BackOff(BaseRetryStrategy):
    """Waits of 1, 2, 4 … seconds up to a cap, each with up to half of itself added by chance.

    Chance keeps jobs that failed together from coming back together. After JOB_MAX_ATTEMPTS runs the
    job fails for good; the sweep finds the work it would have done.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts + 1 >= settings.JOBS.max_attempts:
            return None
        wait = min(2**job.attempts, settings.JOBS.retry_max_wait_seconds)
        jitter = random.uniform(0, wait / 2)  # noqa: S311  no secret
        return RetryDecision(retry_in={"seconds": round(wait + jitter)})
