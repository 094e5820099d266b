"""The cache that django-ratelimit counts in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache

from wallets.redis_store import RedisAway, with_redis

_COUNT: Final = """
local counts = {}
for i, key in ipairs(KEYS) do
    counts[i] = redis.call('INCR', key)
    if counts[i] == 1 then redis.call('EXPIRE', key, ARGV[i]) end
end
return counts
"""


class LimitCache(BaseCache):
    """Counts in Redis, each call in one round trip; in this process while Redis is away.

    django-ratelimit first adds a counter and, where there is one, then increments it. Here `add` does
    both at once, and `incr` says what came of it. Instances belong to one thread (django.core.cache.caches).
    """

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._gathered: dict[str, float | None] | None = None
        self._known: dict[str, int] = {}
        self._added: dict[str, int] = {}
        # Its entries are shared by the process. When it is full it drops some: an attacker's keys among them.
        self._local = LocMemCache(name, {"OPTIONS": {"MAX_ENTRIES": 100_000}})

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Only take down what the block adds, and count all of it at the end. The next `add` of each says how far."""
        gathered: dict[str, float | None] = {}
        self._gathered = gathered
        try:
            yield
        finally:
            self._gathered = None
        self._known = self._count(gathered)

    def add(self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Count one; False when it was not the first of its window."""
        if self._gathered is not None:
            self._gathered[str(key)] = timeout
            return True
        count = self._known.pop(str(key), None) or self._count({str(key): timeout})[str(key)]
        self._added = {str(key): count}
        return count == 1

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Return what the `add` before had counted."""
        return self._added.pop(str(key))

    def _count(self, timeouts: dict[str, float | None]) -> dict[str, int]:
        arguments: list[str | int] = [*timeouts, *(int(timeout or 1) for timeout in timeouts.values())]
        try:
            counts = with_redis(lambda client: client.eval(_COUNT, len(timeouts), *arguments))
        except RedisAway:
            return {key: self._count_here(key, timeout) for key, timeout in timeouts.items()}
        return dict(zip(timeouts, map(int, counts), strict=True))

    def _count_here(self, key: str, timeout: float | None) -> int:
        if self._local.add(key, 1, timeout):
            return 1
        try:
            return self._local.incr(key)
        except ValueError:  # it expired, or was dropped, in between
            self._local.set(key, 1, timeout)
            return 1
