"""How gunicorn serves the API: `gunicorn --config python:exchange_site.gunicorn exchange_site.wsgi`.

Each worker process writes its metrics to files in one folder, from which any of them answers /metrics for
all: https://prometheus.github.io/client_python/multiprocess/
"""

import os
import shutil
import tempfile
from typing import Any

from exchange_site.configuration import Configuration

_configuration = Configuration()
_own_folder = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
_folder = os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="crypto-exchange-metrics-"))

bind = f"{_configuration.BIND_ADDRESS}:{_configuration.PORT}"
workers = _configuration.WEB_WORKERS
threads = _configuration.WEB_THREADS
worker_class = "gthread"
graceful_timeout = 10
keepalive = 65  # longer than a proxy keeps its connections
max_requests = 100_000
max_requests_jitter = 10_000
forwarded_allow_ips = ""  # proxies are judged by TRUSTED_PROXIES
control_socket_disable = True
loglevel = "warning"


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that is gone; its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library's own


def on_exit(server: Any) -> None:
    """Remove the folder, if it was made here."""
    if _own_folder:
        shutil.rmtree(_folder, ignore_errors=True)
