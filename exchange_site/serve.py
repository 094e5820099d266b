"""Serve the API: `python -m exchange_site.serve`.

Granian runs several worker processes. All write their metrics to files in one folder, so that each can answer /metrics
for all of them: https://prometheus.github.io/client_python/multiprocess/
"""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from exchange_site.configuration import Configuration
from exchange_site.database.price_check import refuse_unfit_rules
from exchange_site.database.role_check import refuse_unfit_role
from exchange_site.front.listening import serve_process
from exchange_site.front.workers import Server
from exchange_site.held_folders import held_folder, take_left_folders
from exchange_site.seeding.published import refuse_published_password
from wallets.runtime.postgres.connections import KeptConnection

if TYPE_CHECKING:
    from exchange_site.front.reception import Reception

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_FOLDERS: Final = "crypto-exchange-metrics-"
_GRACE_SECONDS: Final = 10
_CONNECTION_SECONDS: Final = 3600
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then finish the requests under way."""
    atexit.register(gc.freeze)  # Python would look through all objects again when it ends, for up to a second
    serving = Configuration.read_or_exit(os.environ).serving
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    refuse_unfit_role()
    refuse_published_password()
    refuse_unfit_rules()
    _let_workers_end_while_they_load()
    with _folder_of_metrics():
        server = Server(
            "exchange_site.serve:load_reception",
            factory=True,
            address=serving.bind_address,
            port=serving.port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(serving.request_timeout.total_seconds() * 1000), max_buffer_size=64 * 1024
            ),
            websockets=False,
            workers=serving.web_workers,
            respawn_failed_workers=True,
            workers_kill_timeout=_GRACE_SECONDS,
            log_level=LogLevels.warning,
        )
        server.serve(spawn_target=serve_process)


def _let_workers_end_while_they_load() -> None:
    """Let SIGTERM end a worker at once until it serves (`exchange_site.front.listening`).

    A worker is a fork of this process, whose handlers only set this process's own flags. A worker that was told to stop
    while it loaded would go on, and be killed after _GRACE_SECONDS. Signals are held back while the worker is made, so
    that none is lost before they are its own. A terminal sends SIGINT to the workers too; this process tells them.
    """

    def begin_as_worker() -> None:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        finally:
            release()

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING),
        after_in_parent=release,
        after_in_child=begin_as_worker,
    )


def load_reception() -> "Reception":
    """Load the application in a worker, and the reception that hands requests to its threads."""
    application = load()
    from exchange_site.front.reception import Reception

    return Reception(application)


def load() -> Callable[..., Any]:
    """Load the application in a worker that dies with its parent."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)  # the parent ended before prctl(2) was called
    from exchange_site import telemetry
    from exchange_site.wsgi import application
    from wallets.runtime import clock

    telemetry.begin()
    _keep_connections()
    clock.keep_measured()
    return application


def _keep_connections() -> None:
    """Let each thread keep its connection to Postgres: threads are few, and a pool costs a third of a small query."""
    database: dict[str, Any] = settings.DATABASES["default"]
    database["OPTIONS"].pop("pool", None)
    database["CONN_MAX_AGE"] = _CONNECTION_SECONDS
    KeptConnection.answer_within_seconds = settings.POSTGRES.silence_seconds
    connection_created.connect(_close_with_thread)


class _Closing:
    """Close a connection when the last reference to this object is gone."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __del__(self) -> None:
        self._connection.close()


_held = threading.local()


def _close_with_thread(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Close a connection when its thread ends: Django would leave it open."""
    setattr(_held, connection.alias, _Closing(connection.connection))


@contextmanager
def _folder_of_metrics() -> Iterator[None]:
    """Set the metrics folder before a worker starts. If the folder was created here, remove it at the end.

    Those that killed servers have left are removed first.
    """
    if _FOLDER in os.environ:
        yield
        return
    for _ in take_left_folders(prefix=_FOLDERS):
        pass
    with held_folder(prefix=_FOLDERS) as folder:
        os.environ[_FOLDER] = str(folder)
        yield


if __name__ == "__main__":
    main()
