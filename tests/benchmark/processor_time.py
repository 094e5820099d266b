"""The processor time that a process and all its descendants have taken so far, as the kernel counts it.

It is the sum of three numbers, also while processes begin and end:

- the clock of the process, with all its threads, also those that have ended. clock_gettime(2) reads it for any process,
  in nanoseconds; utime and stime of /proc/PID/stat are the same time in hundredths of a second;
- cutime and cstime of /proc/PID/stat: the time of children that have ended and were waited for, with their children;
- both numbers for each living child, and for its children.

So a backend of Postgres counts by its own clock while it lives. When it has ended, it counts in cutime and cstime of
the postmaster, which waits for it.
"""

import os
import time
from pathlib import Path
from typing import Final

from tests.benchmark.load import BenchmarkFailed

_TRIES: Final = 50
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_CUTIME: Final = 13  # index among the fields after the program's name, which may contain blanks and parentheses
_SCHEDULED: Final = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)

_Ended = dict[int, int]
"""For each process of a tree, the clock ticks of its children that have ended."""


def read_seconds(*, pid: int) -> float:
    """Return the processor time of a process and all its descendants. Raises BenchmarkFailed."""
    for _ in range(_TRIES):
        try:
            before = _read_tree(pid)
            living = sum(map(_read_clock, before))
            after = _read_tree(pid)
        except OSError:  # a process ended during the reading; the next try finds its time in its parent's
            continue
        if before == after:  # no process was counted twice or left out
            return living + sum(before.values()) / _TICKS_A_SECOND
    raise BenchmarkFailed(f"the processor time of process {pid} cannot be read")


def _read_tree(pid: int) -> _Ended:
    tree = {pid: _read_ended(pid)}
    for child in _list_children(pid):
        tree |= _read_tree(child)
    return tree


def _list_children(pid: int) -> list[int]:
    """List the children of all threads: the kernel lists them for each thread separately."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _read_ended(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[_CUTIME : _CUTIME + 2]))


def _read_clock(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | _SCHEDULED)
