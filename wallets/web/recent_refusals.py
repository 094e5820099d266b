"""Remembers, for a minute and in this process only, the sign-ins whose tokens were refused."""

import threading
import time
import uuid
from typing import Final

from wallets.selectors.accounts import Principal

_SECONDS: Final = 60
_MOST: Final = 10_000


_SignIn = tuple[int, int, uuid.UUID | None]


class RecentRefusals:
    """A bounded set whose members leave after a minute.

    One sign-in of a customer may have ended while another goes on, so the sign-in belongs to what is remembered.
    Principals would not do: those of one customer are equal.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[_SignIn, float] = {}

    def __contains__(self, principal: Principal) -> bool:
        return time.monotonic() < self._until.get(_sign_in_of(principal), 0)

    def add(self, principal: Principal) -> None:
        sign_in = _sign_in_of(principal)
        with self._lock:
            self._until.pop(sign_in, None)
            if len(self._until) >= _MOST:
                self._until.pop(next(iter(self._until)))
            self._until[sign_in] = time.monotonic() + _SECONDS

    def discard(self, principal: Principal) -> None:
        sign_in = _sign_in_of(principal)
        if sign_in in self._until:
            with self._lock:
                self._until.pop(sign_in, None)


def _sign_in_of(principal: Principal) -> _SignIn:
    return principal.user_id, principal.token_version, principal.family_id
