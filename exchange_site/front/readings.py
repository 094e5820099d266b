"""How a body is read: as a whole if its size is declared, else piece by piece; after a refusal it is discarded.

Granian calls Python in one thread, in which all of this runs. But a large body is begun by the thread that knows its
sender, and a late body is given up by another.
"""

import time
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from exchange_site.front.arrivals import Arrival
from exchange_site.front.refusals import refuse
from wallets.web.problems import BODY_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT

_DRAIN_SECONDS: Final = 2.0
_DRAIN_BYTES: Final = 4 * 1024 * 1024


class Reading:
    """A body that is being read. `close` says whether its call is the one that ends the reading."""

    most_seconds = float("inf")

    def __init__(self, arrival: Arrival, *, limit: int, close: Callable[["Reading"], bool]) -> None:
        self.begun = time.monotonic()
        self.limit = limit
        self._arrival = arrival
        self._close = close
        self._future: Any = None
        self._is_given_up = False

    @property
    def staff(self) -> int | None:
        """The member of staff who sends this, if it may be large."""
        return self._arrival.staff

    def begin(self) -> None:
        """Ask Granian for the body."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Answer that the body is late, and end the connection."""
        if self._close(self):
            refuse(self._arrival, REQUEST_TIMEOUT, closes=True)
            self._cancel()

    def _ask(self, future: Any, arrived: Callable[[Any], None]) -> None:
        self._future = future
        future.add_done_callback(arrived)
        if self._is_given_up:
            future.cancel()

    def _cancel(self) -> None:
        """Stop Granian from reading. It closes the connection when nothing refers to the request any more."""
        self._is_given_up = True
        if future := self._future:
            future.cancel()

    def _let_go(self) -> None:
        """Drop the future, which refers to this reading: the request would stay until the garbage collector runs."""
        self._future = None


def _result(future: Any) -> bytes | None:
    """Return the bytes of a future; None if it was cancelled or the caller has gone."""
    try:
        body: bytes = future.result()
    except (Exception, CancelledError):  # noqa: BLE001  Granian has no type for it
        return None
    else:
        return body
    finally:
        del future  # its error refers to this frame: together they would stay until the garbage collector runs


class Whole(Reading):
    """A body of declared size: Granian collects it, and reads no more than was declared."""

    def __init__(self, arrival: Arrival, *, take: Callable[[Arrival], None], **named: Any) -> None:
        super().__init__(arrival, **named)
        self._take = take

    def begin(self) -> None:
        self._ask(self._arrival.proto(), self._arrived)

    def _arrived(self, future: Any) -> None:
        self._let_go()
        if not self._close(self):
            return
        if (body := _result(future)) is None:
            refuse(self._arrival, MALFORMED_REQUEST, closes=True)  # the caller has gone
        else:
            self._arrival.body = body
            self._take(self._arrival)


class Pieces(Reading):
    """A body that comes piece by piece."""

    def __init__(self, arrival: Arrival, *, stream: Any = None, **named: Any) -> None:
        super().__init__(arrival, **named)
        self._stream = stream
        self._size = 0
        self._waiting: deque[Any] = deque()
        self._is_adding = False

    def begin(self) -> None:
        self._stream = self._stream or self._arrival.proto.__aiter__()
        self._next()

    def _next(self) -> None:
        self._ask(self._stream.__anext__(), self._add)

    def _add(self, future: Any) -> None:
        """Take a piece. If the next one is here already, Granian calls back at once: a loop, lest the stack grow."""
        self._waiting.append(future)
        if self._is_adding:
            return
        self._is_adding = True
        while self._waiting:
            self._take_piece(self._waiting.popleft())
        self._is_adding = False

    def _take_piece(self, future: Any) -> None:
        self._let_go()
        if (piece := _result(future)) is None:  # cancelled
            return
        self._size += len(piece)
        if not piece:
            self._end()
        elif self._size > self.limit:
            self._overflow()
        else:
            self._keep(piece)
            self._next()

    def _keep(self, piece: bytes) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _overflow(self) -> None:
        raise NotImplementedError


class Chunked(Pieces):
    """A body of unknown size. `drain` discards the rest of one that is too large."""

    def __init__(
        self, arrival: Arrival, *, take: Callable[[Arrival], None], drain: Callable[..., None], **named: Any
    ) -> None:
        super().__init__(arrival, **named)
        self._take = take
        self._drain = drain
        self._kept: list[bytes] = []

    def _keep(self, piece: bytes) -> None:
        self._kept.append(piece)

    def _end(self) -> None:
        is_whole = self._is_at_end()
        if not self._close(self):
            return
        if is_whole:
            self._arrival.body = b"".join(self._kept)
            self._take(self._arrival)
        else:
            refuse(self._arrival, MALFORMED_REQUEST, closes=True)

    def _is_at_end(self) -> bool:
        """Say whether nothing follows an empty piece: Granian gives one at the end, and also when the stream breaks."""
        try:
            self._stream.__anext__().cancel()
        except StopAsyncIteration:
            return True
        return False

    def _overflow(self) -> None:
        if self._close(self):
            refuse_too_large(self._arrival, limit=self.limit)
            self._drain(self._arrival, stream=self._stream)


class Drain(Pieces):
    """The body of a request that has been answered, discarded for a while.

    A connection that is closed while data arrives is reset, and many callers then never see the answer.
    """

    most_seconds = _DRAIN_SECONDS

    def __init__(self, arrival: Arrival, **named: Any) -> None:
        super().__init__(arrival, limit=_DRAIN_BYTES, **named)

    def give_up(self) -> None:
        if self._close(self):
            self._cancel()

    def _keep(self, piece: bytes) -> None:
        pass

    def _end(self) -> None:
        self._close(self)

    def _overflow(self) -> None:
        self._close(self)


def refuse_too_large(arrival: Arrival, *, limit: int) -> None:
    """Answer that the body is too large, and end the connection."""
    refuse(arrival, BODY_TOO_LARGE, detail=f"Bodies may have up to {limit} bytes.", closes=True)
