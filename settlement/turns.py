"""Turns within one process: of the runs for one thing, such as a batch, only one works at a time.

A call to the venue may take its whole time. Without turns the sweep's next job for the same batch, and the one after
it, would each occupy a thread with the same call.
"""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_lock: Final = threading.Lock()
_taken: dict[tuple[str, Hashable], "Turn"] = {}


class Turn:
    """A run's turn. `is_mine` is false while an earlier run has it."""

    def __init__(self, *, is_mine: bool) -> None:
        self.is_mine = is_mine
        self.was_wanted = False
        """Whether another run asked for the turn meanwhile. Final after the `with` block."""


@contextmanager
def take_turn(kind: str, key: Hashable) -> Iterator[Turn]:
    """Take the turn for `key` inside the block, unless another run of this process has it."""
    own = Turn(is_mine=True)
    with _lock:
        first = _taken.setdefault((kind, key), own)
        first.was_wanted |= first is not own
    if first is not own:
        yield Turn(is_mine=False)
        return
    try:
        yield own
    finally:
        with _lock:
            del _taken[kind, key]


def run_periodic_alone(run: Any, context: Any, _worker: Any) -> Any:
    """Skip a run of a periodic task while an earlier run works: the next one comes by itself.

    A middleware of Procrastinate's for synchronous tasks. A periodic job has a `timestamp`.
    """
    if "timestamp" not in context.job.task_kwargs:
        return run()
    with take_turn("periodic", (context.job.task_name, context.job.task_kwargs.get("venue"))) as turn:
        return run() if turn.is_mine else None
