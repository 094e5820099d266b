"""Read the processor time that a process and all its descendants have used so far, as the kernel counts it.

The total is the sum of three numbers, even if processes begin and end meanwhile:

- the clock of the process itself, with all its threads, even those that have ended. clock_gettime(2) reads this clock
  for any process, in nanoseconds; utime and stime of /proc/PID/stat are the same time, cut to hundredths of a second;
- cutime and cstime of /proc/PID/stat: the children that have ended and been waited for, with their own children;
- the same sum for each living child.

So a Postgres backend counts by its own clock while it lives, and afterwards in the postmaster's cutime and cstime,
because the postmaster waits for its backends.
"""

import os
import time
from pathlib import Path
from typing import Final

from tests.benchmark.load import BenchmarkFailed

_TRIES: Final = 50
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_CUTIME: Final = 13  # index among the fields after the program's name, which may hold blanks and parentheses
_SCHEDULED: Final = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)

_Ended = dict[int, int]
"""For each process of a tree, the ticks of its children that have ended."""


def read_seconds(*, pid: int) -> float:
    """Return the processor time of a process and its descendants. Raises BenchmarkFailed."""
    for _ in range(_TRIES):
        try:
            before = _read_tree(pid)
            living = sum(map(_read_clock, before))
            after = _read_tree(pid)
        except OSError:  # a process ended while it was read; the next try finds its time with its parent
            continue
        if before == after:  # no process ended meanwhile, so none was counted twice or missed
            return living + sum(before.values()) / _TICKS_A_SECOND
    raise BenchmarkFailed(f"the processor time of process {pid} cannot be read")


def _read_tree(pid: int) -> _Ended:
    tree = {pid: _read_ended(pid)}
    for child in _list_children(pid):
        tree |= _read_tree(child)
    return tree


def _list_children(pid: int) -> list[int]:
    """Return the children of a process. The kernel lists them by the thread that started them."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _read_ended(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[_CUTIME : _CUTIME + 2]))


def _read_clock(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | _SCHEDULED)
