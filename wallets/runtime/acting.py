"""Says who acts, and from where, to code that records it: a request to the API or the admin, or a command on a server.

Services record what they do to an account. They learn the origin here, so that no caller can forget to hand it on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an act comes from.

    `realm` is `api`, `admin` or `command`. `network` is the part of `address` that limits count as one caller.
    `device` is what the caller's device says that it is. `actor_id` is the user who is signed in to the admin, if any.
    """

    realm: str
    address: str = ""
    network: str = ""
    device: str = ""
    actor_id: int | None = None


_find: ContextVar[Callable[[], Origin] | None] = ContextVar("find_origin", default=None)


@contextmanager
def acting(find_origin: Callable[[], Origin]) -> Iterator[None]:
    """Let `current_origin` return what `find_origin` finds, in this thread and block; it is called only when needed."""
    token = _find.set(find_origin)
    try:
        yield
    finally:
        _find.reset(token)


def current_origin() -> Origin:
    """Return where the present act comes from: a command, unless an `acting` block says otherwise."""
    find = _find.get()
    return find() if find else Origin(realm="command")
