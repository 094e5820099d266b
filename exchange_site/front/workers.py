"""Granian's main process, which starts workers, replaces those that fall, and ends them when it is told to.

Two faults of Granian's are mended here. It lost a signal, or the fall of a worker, that came while it looked at the
fall of another one. And it said that it had killed a worker that had ended by itself. What is overridden here is not
documented; tests/site/test_stopping.py notices if it changes.
"""

import logging
import signal
import time
from math import inf
from threading import Thread
from typing import Any, Final

from granian.server.mp import MPServer, WorkerProcess

logger = logging.getLogger("_granian")

_CRASH_LOOP_SECONDS: Final = 5.5


class Server(MPServer):
    """Granian's server, with several processes. It ends on SIGTERM, SIGINT and SIGHUP."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._outlives_terminal = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # started by nohup

    def _init_shared_socket(self) -> None:
        """Refuse an address that cannot be listened on with one sentence, and without the traces of two languages."""
        try:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]  # of Granian
        except RuntimeError as error:
            raise SystemExit(f"The API cannot listen on {self._bind_addr_fmt}: {str(error).splitlines()[0]}") from None

    def signal_handler_reload(self, *_: Any) -> None:
        """End when the terminal is closed (SIGHUP), as on SIGTERM; go on if nohup has started this.

        Granian would replace its workers, each a few seconds after it has begun the next. That is too early for ours to
        have loaded, so callers were refused, and SIGTERM had to wait.
        """
        if not self._outlives_terminal:
            self.signal_handler_interrupt()  # type: ignore[no-untyped-call]  # of Granian

    def _spawn_worker(self, *arguments: Any, **named: Any) -> WorkerProcess:
        worker: WorkerProcess = super()._spawn_worker(*arguments, **named)
        worker.__class__ = _Worker
        return worker

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        """Replace fallen workers until this process is told to end, or a replacement falls too soon."""
        while True:
            self.main_loop_interrupt.wait()
            self.main_loop_interrupt.clear()  # before looking: whatever comes later is seen the next time
            if self.interrupt_signal:
                self.interrupt_children.clear()  # they may have been told to end as well: no failure
                return
            while self.interrupt_children:
                if self._falls_again(self.interrupt_children[-1]):
                    logger.error("Worker crash loop detected, exiting")
                    return
                self._respawn_workers([self.interrupt_children.pop()], spawn_target, target_loader)

    def _falls_again(self, number: int) -> bool:
        replaced_at: float = self.respawned_wrks.get(number, -inf)
        return time.monotonic() - replaced_at <= _CRASH_LOOP_SECONDS


class _Worker(WorkerProcess):
    """A worker process whose end is learned by one thread alone, the one that watches it.

    The system tells the end of a process once. If two threads ask, it tells the second that there is no such process.
    multiprocessing takes that for a process that is alive, until the first thread has stored its answer.
    """

    def _watch(self) -> None:
        self._watching = Thread(target=self._watcher)
        self._watching.start()

    def is_alive(self) -> bool:
        """Say whether the process runs."""
        return self._watching.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the process has ended, for `timeout` seconds at most."""
        self._watching.join(timeout)
