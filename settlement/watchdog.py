"""End a worker that stands still, so that its supervisor starts another.

A thread watches the event loop and the progress of each lane. It ends the process with EXIT_CODE, after a log line and
the stack of every thread. A second process, `lifeline.py`, watches the worker from outside: it kills a worker that is
frozen with all its threads and could not end itself.
"""

import faulthandler
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h."""
_LIFELINE: Final = Path(__file__).with_name("lifeline.py")
_LOGGING_SECONDS: Final = 2.0
_LIFELINE_LATER: Final = 5.0


class Watchdog:
    """Watches a worker from a thread and from a process. `measure_oldest` returns the age of each queue's oldest job.

    Time is counted in the thread's own ticks, so a pause of the whole machine is no standstill.
    """

    def __init__(self, *, seconds: float, measure_oldest: Callable[[], Mapping[str, float]]) -> None:
        self._seconds, self._measure_oldest = seconds, measure_oldest
        self._tick = min(seconds / 10, 1.0)
        self._has_beaten = True
        self._moved: set[str] = set()
        self._ended = threading.Event()
        self._lifeline: subprocess.Popen[bytes] | None = None

    def watch(self, *, lanes: Mapping[str, list[str]]) -> None:
        """Begin to watch. `lanes` are the queues of each lane, by its name."""
        self._start_lifeline()
        threading.Thread(target=self._watch, args=(lanes,), name="watchdog", daemon=True).start()

    def beat(self) -> None:
        """Say that the event loop goes on."""
        self._has_beaten = True

    def note_progress(self, lane: str) -> None:
        """Say that the lane has taken or ended a job."""
        self._moved.add(lane)

    def end(self) -> None:
        """Stop watching: the worker ends by itself."""
        self._ended.set()
        if self._lifeline and self._lifeline.stdin:
            self._lifeline.stdin.close()
            self._lifeline.wait()

    def _watch(self, lanes: Mapping[str, list[str]]) -> None:
        silent, idle = 0.0, dict.fromkeys(lanes, 0.0)
        while not self._ended.wait(self._tick):
            silent = 0.0 if self._has_beaten else silent + self._tick
            self._has_beaten = False
            if silent == 0.0:
                self._tell_lifeline()
            elif silent >= self._seconds:
                self._give_up(f"the worker's event loop has stood still for {silent:.0f} s")
            for lane in lanes:
                idle[lane] = 0.0 if lane in self._moved else idle[lane] + self._tick
                self._moved.discard(lane)
                if idle[lane] >= self._seconds:
                    if self._are_due(lanes[lane]):
                        self._give_up(f"the worker has taken and ended no job for {lane} for {idle[lane]:.0f} s")
                    idle[lane] = self._seconds / 2  # ask again later

    def _are_due(self, queues: list[str]) -> bool:
        """Say whether jobs of these queues have been due for so long. While Postgres is away, none is."""
        try:
            ages = self._measure_oldest()
        except Exception:
            logger.exception("the watchdog cannot ask for the jobs that are due")
            return False
        return any(ages.get(queue, 0.0) >= self._seconds for queue in queues)

    def _tell_lifeline(self) -> None:
        try:
            os.write(self._pipe(), b".")
        except BlockingIOError:  # the lifeline is slow, and has enough to read
            pass
        except OSError:
            logger.exception("the worker's lifeline has ended; another one begins")
            self._start_lifeline()

    def _start_lifeline(self) -> None:
        command = [sys.executable, "-I", "-S", str(_LIFELINE), str(os.getpid()), str(self._seconds + _LIFELINE_LATER)]
        self._lifeline = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603  a script of ours
        os.set_blocking(self._pipe(), False)

    def _pipe(self) -> int:
        assert self._lifeline is not None
        assert self._lifeline.stdin is not None
        return self._lifeline.stdin.fileno()

    def _give_up(self, reason: str) -> None:
        """End this process. Logging may need a lock that a stalled thread holds, so it gets two seconds."""
        telling = threading.Thread(
            target=logger.critical, args=("%s: it ends with exit code %s", reason, EXIT_CODE), daemon=True
        )
        telling.start()
        telling.join(_LOGGING_SECONDS)
        faulthandler.dump_traceback(file=sys.__stderr__ or 2)
        os._exit(EXIT_CODE)
