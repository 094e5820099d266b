"""The part of Granian that is used: its RSGI worker, which hands over requests, but without an event loop.

Granian runs RSGI applications in asyncio. Handing each request through an event loop to a thread, and its end back,
costs twice as much as this: docs/decisions.md has the figures. So a request is handed over where Granian would
schedule its coroutine. These classes of Granian are not documented; tests/site/test_front.py notices if they change.
"""

import logging
import signal
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from granian._granian import CallbackScheduler, RSGIWorker, WorkerSignal
from granian.server.common import WORKERS_METHODS
from granian.server.mp import WorkerProcess

if TYPE_CHECKING:  # imported for real it would start Django before its environment is ready
    from exchange_site.front.reception import Reception

logger = logging.getLogger(__name__)

_worker: Final[Any] = RSGIWorker  # its stub lacks arguments
_OPTIONS: Final = (
    "runtime_mode", "runtime_threads", "runtime_blocking_threads", "blocking_threads", "blocking_threads_idle_timeout",
    "backpressure", "task_impl", "http_mode", "http1_settings", "http2_settings", "websockets", "static_path",
    "log_access_format", "tls", "scope_options", "metrics",
)  # fmt: skip
_NOT_THE_WORKERS: Final = {"runtime_mode", "task_impl", "log_access_format", "tls", "scope_options", "metrics"}


@WorkerProcess.wrap_target  # type: ignore[untyped-decorator]
def serve_process(
    number: int, reception: "Reception", sock: Any, ipc: Any, loop: AbstractEventLoop, *options: Any
) -> None:
    """Serve in this process until SIGTERM, then finish the requests under way. Granian's `spawn_target`."""
    loop.close()  # made by Granian, and not needed
    given = dict(zip(_OPTIONS, options, strict=True))
    ended, stopping = threading.Event(), WorkerSignal()
    stopping.add_cb(ended.set)
    _on_sigterm(reception.hurry, stopping.set)
    of_worker = [value for name, value in given.items() if name not in _NOT_THE_WORKERS]
    worker = _worker(number, sock, ipc, *of_worker, *given["tls"], given["metrics"])
    serve = getattr(worker, WORKERS_METHODS[given["runtime_mode"]][(sock[0] or sock[1]).is_uds()])
    serve(_Scheduler(_NoLoop(), reception.receive, None, None, None), _NoLoop(), stopping)
    ended.wait()
    reception.stop()


def _on_sigterm(*acts: Callable[[], None]) -> None:
    def act(*_: Any) -> None:
        for each in acts:
            each()

    signal.signal(signal.SIGTERM, act)


class _Scheduler(CallbackScheduler):
    """Takes the place of the scheduler of coroutines: called once for each request, it must not wait."""

    def __init__(self, _loop: Any, receive: Callable[[Any, Any], None], *_: Any) -> None:
        super().__init__()
        self._receive = receive
        self._schedule_fn = self._hand_over

    def _hand_over(self, watcher: Any) -> None:
        try:
            self._receive(watcher.scope, watcher.proto)
        except Exception:
            logger.exception("a request was lost")  # Granian answers 500


class _NoLoop:
    """Takes the place of the event loop: Granian calls back through it when a body or a piece of it has arrived."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *arguments: Any, context: Any = None) -> None:
        """Call back at once, in the calling thread."""
        try:
            callback(*arguments)
        except Exception:
            logger.exception("a request was lost")

    call_soon = call_soon_threadsafe
