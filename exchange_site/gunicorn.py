"""How gunicorn serves the API: `gunicorn --config python:exchange_site.gunicorn exchange_site.wsgi`.

Each worker process writes its metrics to files in one folder, from which any of them answers /metrics for
all: https://prometheus.github.io/client_python/multiprocess/
"""

import json
import os
import shutil
import tempfile
from http import HTTPStatus
from typing import Any

from gunicorn import util

from exchange_site.configuration import Configuration

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_configuration = Configuration()
_own_folder = _FOLDER not in os.environ

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


def on_starting(server: Any) -> None:
    """Name the folder of the metrics before a worker is started."""
    if _own_folder:
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="crypto-exchange-metrics-")


def post_worker_init(worker: Any) -> None:
    """What gunicorn refuses by itself, a request that is too long or no HTTP, is a problem like any other."""
    util.write_error = _write_problem


def _write_problem(sock: Any, status: int, reason: str, _message: str) -> None:
    from wallets.problems import PROBLEM_JSON, problem_body  # the application's: known after the worker has loaded it

    code = "uri_too_long" if status == HTTPStatus.REQUEST_URI_TOO_LONG else "malformed_request"
    body = json.dumps({**problem_body(code), "status": status, "title": reason}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        f"Content-Type: {PROBLEM_JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode("latin1") + body)


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that is gone; its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library's own


def on_exit(server: Any) -> None:
    """Remove the folder, if it was made here."""
    if _own_folder:
        shutil.rmtree(os.environ[_FOLDER], ignore_errors=True)
