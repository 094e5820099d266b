"""Adds the ids of the request, the order and the batch to log lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[dict[str, object]] = ContextVar("log_ids")


@contextmanager
def log_context(**ids: object) -> Iterator[None]:
    """Add `ids` to every log line that this thread writes in the block."""
    token = _ids.set({**_ids.get({}), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def add_to_log_context(**ids: object) -> None:
    """Add `ids` to all later log lines of the innermost `log_context` block."""
    _ids.get({}).update(ids)


def current_ids() -> dict[str, object]:
    """Return a copy of the ids that this thread's log lines have now."""
    return dict(_ids.get({}))


def logged(name: str) -> object:
    """Return the id of this name that log lines carry now; None if they carry none."""
    return _ids.get({}).get(name)


class AddContext(logging.Filter):
    """Copies the ids of the log context to every log record, for the formatter."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _ids.get({}).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True
