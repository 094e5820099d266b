"""Requests that wait until a record changes, in no thread. Only the site's own server can do that: exchange_site.front.

The server asks the application twice. The first time an operation answers with a WaitingAnswer, and the server keeps
the request. When the record has changed or the time is over, the server asks again: the caller is checked again, the
operation reads the record again, and now it answers. The call is counted once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse

from wallets.web.limits import Usage

WAITED: Final = "front.waited"
"""In the environment of a request that may wait: the WaitingAnswer of its first time; None before that."""

UNKNOWN_ROUTE: Final = "unknown"
"""Stands for the path of a request that no pattern has been found for."""

ReadStates = Callable[[Collection[int]], Mapping[int, str]]
"""Reads the states of records by their ids, in one statement."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A record whose next change of state a caller waits for, `seconds` at most; `seen` is its state now."""

    read: ReadStates
    key: int
    seen: str
    seconds: int
    customer_id: int


class WaitingAnswer(HttpResponse):
    """Tells the server to let the request wait. `usages` is what the call was counted against.

    `route` is the pattern of its path, by which requests are logged and counted.
    """

    route = UNKNOWN_ROUTE

    def __init__(self, watched: Watched, *, usages: Sequence[Usage]) -> None:
        super().__init__(status=204)
        self.watched = watched
        self.usages = usages


def waited_before(request: HttpRequest) -> WaitingAnswer | None:
    """Return the answer by which the request began to wait; None the first time."""
    found: WaitingAnswer | None = request.META.get(WAITED)
    return found


def can_wait(request: HttpRequest) -> bool:
    """Say whether the server can let the request wait, and has not done so yet.

    HEAD, whose caller cannot see the record's state, waits for nothing; its method is HEAD here only.
    """
    return WAITED in request.META and waited_before(request) is None and request.META["REQUEST_METHOD"] != "HEAD"
