"""Remembers, for a minute and in this process only, whose tokens were refused."""

import threading
import time
import uuid
from typing import Final

from wallets.selectors.accounts import Principal

_SECONDS: Final = 60
_MOST: Final = 10_000


_Key = tuple[Principal, uuid.UUID | None]


class RecentRefusals:
    """A bounded set whose members leave after a minute. One sign-in of a customer may be in it and another not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[_Key, float] = {}

    def __contains__(self, principal: Principal) -> bool:
        return bool(self._until) and time.monotonic() < self._until.get(_key(principal), 0)

    def add(self, principal: Principal) -> None:
        key = _key(principal)
        with self._lock:
            self._until.pop(key, None)
            if len(self._until) >= _MOST:
                self._until.pop(next(iter(self._until)))
            self._until[key] = time.monotonic() + _SECONDS

    def discard(self, principal: Principal) -> None:
        if self._until and (key := _key(principal)) in self._until:
            with self._lock:
                self._until.pop(key, None)


def _key(principal: Principal) -> _Key:
    return principal, principal.family_id
