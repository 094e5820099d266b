"""Remembers, for a minute and in this process only, whose tokens were refused."""

import threading
import time
from typing import Final

from wallets.selectors.accounts import Principal

_SECONDS: Final = 60
_MOST: Final = 10_000


class RecentRefusals:
    """A bounded set whose members leave after a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[Principal, float] = {}

    def __contains__(self, principal: Principal) -> bool:
        return time.monotonic() < self._until.get(principal, 0)

    def add(self, principal: Principal) -> None:
        with self._lock:
            self._until.pop(principal, None)
            if len(self._until) >= _MOST:
                self._until.pop(next(iter(self._until)))
            self._until[principal] = time.monotonic() + _SECONDS

    def discard(self, principal: Principal) -> None:
        if principal in self._until:
            with self._lock:
                self._until.pop(principal, None)
