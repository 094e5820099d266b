"""Hashes passwords with argon2id, and only a few at a time.

A hash is slow on purpose: it keeps a processor busy and its thread waiting for 50 to 100 ms. So each process has few
slots for hashes. A caller who finds no free slot is refused at once with HashingBusy, and threads stay free for other
requests. A slot that had to refuse somebody rests before the next hash, so that a flood takes a quarter of a processor
at most. Every hash takes a slot, because the hashers themselves take it: sign-in, sign-up, the admin and the commands
cannot forget it. A command has the slots of its own process, so it never waits.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher

from wallets.exceptions import HashingBusy

_RESTS_TIMES: Final = 3  # as long as it was held
_LONGEST_REST_SECONDS: Final = 0.5  # less than Retry-After
_TURN_SECONDS: Final = 3.0  # in which whoever was refused tries again; longer than Retry-After


class _Slots:
    """The slots of this process: `settings.SIGN_IN.hashing_slots` for anybody, and one more for known callers.

    Known callers do not wait for a rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget all use so far."""
        self.taken = 0
        self._has_refused = False
        self._rests_until = 0.0
        self._served: dict[str, float] = {}
        self._refused: dict[str, float] = {}

    def take_reserved(self, account: str) -> bool:
        """Take the slot that is reserved for known callers.

        An account that had it lately leaves it to those that were refused and have not had it. Else one account, known
        at many addresses, would keep everybody out.
        """
        until = time.monotonic() + _TURN_SECONDS
        with self._lock:
            for times in (self._served, self._refused):
                for other in [each for each, ends in times.items() if ends <= until - _TURN_SECONDS]:
                    del times[other]
            has_to_wait = account in self._served and bool(self._refused.keys() - self._served.keys())
        is_taken = not has_to_wait and self.take(is_known=True)
        with self._lock:
            (self._served if is_taken else self._refused)[account] = until
        return is_taken

    def take(self, *, is_known: bool) -> bool:
        """Take a slot without waiting; say whether one was free."""
        with self._lock:
            is_free = self.taken < settings.SIGN_IN.hashing_slots + is_known
            if not is_free or (not is_known and time.monotonic() < self._rests_until):
                self._has_refused = True
                return False
            self.taken += 1
            return True

    def give_back(self, *, held_seconds: float) -> None:
        with self._lock:
            self.taken -= 1
            if self._has_refused:
                self._has_refused = False
                self._rests_until = time.monotonic() + min(_RESTS_TIMES * held_seconds, _LONGEST_REST_SECONDS)


_slots = _Slots()
_of_thread = threading.local()


@contextmanager
def hashing_slot(*, is_known: Callable[[], bool] | None = None, account: str = "") -> Iterator[None]:
    """Hold a slot for the hashes that this thread makes in the `with` block. Raises HashingBusy if none is free.

    `is_known` is asked only if every slot for anybody is taken: for a caller whom it knows, one more slot is reserved,
    so that a flood of strangers does not refuse them; the accounts, named by `account`, take turns with it. A thread
    that holds a slot already goes on with it.
    """
    if getattr(_of_thread, "holds_slot", False):
        yield
        return
    if not _slots.take(is_known=False) and not (is_known and is_known() and _slots.take_reserved(account)):
        raise HashingBusy
    _of_thread.holds_slot = True
    begun = time.monotonic()
    try:
        yield
    finally:
        _of_thread.holds_slot = False
        _slots.give_back(held_seconds=time.monotonic() - begun)


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with 31 MiB, three passes and one lane: 70 ms of processor time on a common server of 2026.

    That is more than the minimum of OWASP's Password Storage Cheat Sheet (19 MiB, two passes, one lane). One lane,
    because a hash must not take more than the one processor of its slot. Less than 32 MiB, because glibc returns larger
    blocks to the system after each hash: the 8,000 page faults of the next one slow the whole process.
    """

    memory_cost = 31 * 1024  # KiB
    time_cost = 3
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with hashing_slot():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_slot():
            return super().verify(password, encoded)


class Pbkdf2Hasher(PBKDF2PasswordHasher):
    """Checks the hashes of earlier versions. Django then replaces such a hash by one of the first hasher."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with hashing_slot():
            return super().encode(password, salt, iterations)

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_slot():
            return super().verify(password, encoded)
