"""Processor time: how much of it a program and everything it started have had so far, as the kernel counts it.

Three numbers make the whole, whatever begins and ends meanwhile:

- the clock of the process itself, with all its threads, also those that have ended. clock_gettime(2) reads it for any
  process, in nanoseconds; utime and stime of /proc/PID/stat are the same time, cut to hundredths of a second;
- cutime and cstime of /proc/PID/stat: its children that have ended and been waited for, with their children;
- the same of each child that lives, and of its children.

So a backend of Postgres counts while it serves, by its own clock, and afterwards in the postmaster's cutime and cstime,
for it is the postmaster that waits for it.
"""

import os
import time
from pathlib import Path
from typing import Final

from tests.benchmark.load import BenchmarkFailed

_TRIES: Final = 50
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_CUTIME: Final = 13  # of the fields behind the program's name, which may hold blanks and parentheses
_SCHEDULED: Final = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)

_Ended = dict[int, int]
"""Ticks of the children that have ended, for each process of a tree."""


def read_seconds(*, pid: int) -> float:
    """The processor time of a process and of everything it started. Raises BenchmarkFailed."""
    for _ in range(_TRIES):
        try:
            before = _read_tree(pid)
            living = sum(map(_read_clock, before))
            after = _read_tree(pid)
        except OSError:  # one ended while it was being read: its time is in its parent's, next time
            continue
        if before == after:  # nobody was counted twice, or not at all
            return living + sum(before.values()) / _TICKS_A_SECOND
    raise BenchmarkFailed(f"the processor time of process {pid} cannot be read")


def _read_tree(pid: int) -> _Ended:
    tree = {pid: _read_ended(pid)}
    for child in _list_children(pid):
        tree |= _read_tree(child)
    return tree


def _list_children(pid: int) -> list[int]:
    """Each thread has the children that it started itself."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _read_ended(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[_CUTIME : _CUTIME + 2]))


def _read_clock(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | _SCHEDULED)
