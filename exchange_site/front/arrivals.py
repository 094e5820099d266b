"""A request that Granian has handed over."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from wallets.web.waiting_answers import WaitingAnswer

_ADMIN: Final = "/admin/"
_API: Final = "/api/"
_ORDERS: Final = "/api/v1/orders"


@dataclass(slots=True, eq=False)
class Arrival:
    """Granian's scope and protocol of a request, its body once it is here, and when it began (monotonic seconds).

    `address` is the caller's, as limits count it. `before` is what a thread does instead of answering while the body
    is not here: it decides whether the body may be read. `staff` is the sender of a large body that may.
    `waited` is the answer by which the request began to wait, if it has waited.
    """

    scope: Any
    proto: Any
    address: str = ""
    is_page: bool = False  # of the admin
    body: bytes = b""
    before: Callable[["Arrival"], None] | None = None
    staff: int | None = None
    waited: WaitingAnswer | None = None
    begun: float = field(default_factory=time.monotonic)
    queued: float = 0.0

    @property
    def method(self) -> str:
        """The method as Django reads it, which accepts any case: Fetch sends `patch` as its caller writes it."""
        method: str = self.scope.method
        return method.upper()


def is_page(path: str) -> bool:
    """Say whether a path belongs to the admin, whose pages are slow."""
    return path.startswith(_ADMIN) or path == _ADMIN[:-1]


def is_call(arrival: Arrival) -> bool:
    """Say whether a request is a call of the API."""
    return bool(arrival.scope.path.startswith(_API))


def is_order(arrival: Arrival) -> bool:
    """Say whether a request is to place an order."""
    return bool(arrival.scope.path.rstrip("/") == _ORDERS and arrival.method == "POST")
