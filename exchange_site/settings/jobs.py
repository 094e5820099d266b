"""Procrastinate, and what `manage.py procrastinate worker` does without options."""

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"
# Synchronous tasks run in threads, of which Python offers min(32, cpus + 4); finished jobs are history that the
# orders tell as well.
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 6,
    # A notification with every job would be the queue's own limit, see docs/decisions.md; so workers look for
    # themselves, four times a second; what came in between is one purchase.
    "listen_notify": False,
    "fetch_job_polling_interval": 0.25,
    "delete_jobs": "successful",
    # After two seconds asynchronous jobs (maintenance of the queue) are cancelled. Threads cannot be: a worker ends
    # when the jobs in them do, or is killed, by Compose after 20 seconds.
    "shutdown_graceful_timeout": 2.0,
}
