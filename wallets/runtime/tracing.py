"""Spans of traces, if this process exports them: a request, its job and the job's call to a venue are one trace.

Unless `trace_with` is called, nothing here does anything, and OpenTelemetry is not imported.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol

Kind = Literal["request", "job", "call"]
Fact = object
"""A number or a plain text. The tracer has a list of the facts that may leave, and drops all others."""

_MARK: Final = "trace:"


class Span(Protocol):
    """A part of a trace. `trace_id` is in hexadecimal, and empty if nothing is traced."""

    @property
    def trace_id(self) -> str: ...

    def note(self, **facts: Fact) -> None:
        """Add facts."""
        ...


class Tracer(Protocol):
    """Makes spans, and hands a trace on to a job."""

    def begin(self, kind: Kind, *, parent: str, **facts: Fact) -> AbstractContextManager[Span]: ...

    def hand_on(self, **facts: Fact) -> str: ...


class _NoSpan:
    trace_id = ""

    def note(self, **facts: Fact) -> None:
        """Note nothing."""


class _Held:
    tracer: Tracer | None = None


_NOTHING: Final[AbstractContextManager[Span]] = nullcontext(_NoSpan())


def trace_with(tracer: Tracer | None) -> None:
    """Let `tracer` make this process's spans from now on; None makes none."""
    _Held.tracer = tracer


def span(kind: Kind, /, *, parent: str = "", **facts: Fact) -> AbstractContextManager[Span]:
    """Make a span around a block. A call is a part of the current span; a request or job, of `parent` or of nothing."""
    return _Held.tracer.begin(kind, parent=parent, **facts) if _Held.tracer else _NOTHING


def mark_job(*, task: str, queue: str) -> str | None:
    """Return the lock of a job that is enqueued now and continues the current trace; None if there is none.

    Each mark is different, so it locks nothing. The arguments of a job could not carry it: a worker of the release
    before would call the task with an argument that the task does not take.
    """
    if _Held.tracer is None:
        return None
    carried = _Held.tracer.hand_on(task=task, queue=queue)
    return f"{_MARK}{carried}" if carried else None


def read_mark(lock: str | None) -> str:
    """Return the parent that `mark_job` wrote into a job's lock; empty if the job continues no trace."""
    return lock.removeprefix(_MARK) if lock and lock.startswith(_MARK) else ""
