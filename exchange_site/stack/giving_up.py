"""Ends a start whose first program is killed each time it runs, as by a system that is short of memory."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from supervisor.events import ProcessStateExitedEvent, subscribe
from supervisor.states import SupervisorStates

_MOST_STARTS: Final = 4


def give_up_if_killed(program: str, options: Any, *, on_end: Callable[[], None]) -> None:
    """Let supervisord stop, with a sentence, when `program` has ended unexpectedly as often as it may be started.

    `on_end` is called then. Without this, supervisord would start the program for ever, without a pause.
    """
    ends: list[Any] = []

    def note(event: Any) -> None:
        if event.process.config.name == program and not event.expected:
            ends.append(event)
            if len(ends) == _MOST_STARTS:
                options.mood = SupervisorStates.SHUTDOWN
                with suppress(OSError):
                    on_end()
                with suppress(OSError):  # nobody reads the output any more, or the disk is full
                    sys.stderr.write(f"The stack did not start: {program} was killed {_MOST_STARTS} times\n")
                    sys.stderr.flush()

    subscribe(ProcessStateExitedEvent, note)
