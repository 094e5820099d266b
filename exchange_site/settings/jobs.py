"""Procrastinate, and the default options of `manage.py procrastinate worker`."""

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"
# Synchronous tasks run in threads; Python offers min(32, cpus + 4) of them. Successful jobs are deleted, because the
# orders hold the same history.
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 6,
    # Notifications for every job would limit the queue's rate, see docs/decisions.md. So workers poll: four times a
    # second without orders, more often while orders come one by one, less often while many come (settlement/pace.py).
    "listen_notify": False,
    "fetch_job_polling_interval": 0.25,
    "delete_jobs": "successful",
    # Two seconds after a stop signal asynchronous jobs (maintenance of the queue) are cancelled. Jobs in threads
    # cannot be cancelled: the worker ends after the last of them, or is killed, by Compose after 20 seconds.
    "shutdown_graceful_timeout": 2.0,
}
