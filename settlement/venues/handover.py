"""The mark that a request has been handed to the network. Without the mark, nobody has heard of the request.

A request is marked when it is given to the HTTP session. Our own transport knows better: it takes the mark back, opens
the connection, and sets the mark again with the first byte that it writes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Mark:
    """Whether the watched request has been handed to the network."""

    def __init__(self) -> None:
        self.is_set = False


_watched: Final[ContextVar[Mark | None]] = ContextVar("mark_of_the_request", default=None)


@contextmanager
def watch_handover() -> Iterator[Mark]:
    """Watch the one request that is sent inside the block."""
    mark = Mark()
    token = _watched.set(mark)
    try:
        yield mark
    finally:
        _watched.reset(token)


def hand_over() -> None:
    """Mark the watched request: from now on the venue may hear of it."""
    _set(value=True)


def hold_back() -> None:
    """Take the mark back: the transport still holds the whole request."""
    _set(value=False)


def _set(*, value: bool) -> None:
    if (mark := _watched.get()) is not None:
        mark.is_set = value
