"""The cache that django-ratelimit counts in."""

from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache

from wallets.redis_store import RedisAway, with_redis

_COUNT: Final = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class LimitCache(BaseCache):
    """Counts in Redis, each call in one round trip; in this process while Redis is away.

    django-ratelimit first adds a counter and, where there is one, then increments it. Here `add` does
    both at once, and `incr` says what came of it. Instances belong to one thread (django.core.cache.caches).
    """

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._counts: dict[str, int] = {}
        # Its entries are shared by the process. When it is full it drops some: an attacker's keys among them.
        self._local = LocMemCache(name, {"OPTIONS": {"MAX_ENTRIES": 100_000}})

    def add(self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Count one; False when it was not the first of its window."""
        count = self._count(str(key), timeout)
        self._counts = {str(key): count}
        return count == 1

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Return what the `add` before had counted."""
        return self._counts.pop(str(key))

    def _count(self, key: str, timeout: float | None) -> int:
        try:
            return with_redis(lambda client: int(client.eval(_COUNT, 1, key, int(timeout or 1))))
        except RedisAway:
            return self._count_here(key, timeout)

    def _count_here(self, key: str, timeout: float | None) -> int:
        if self._local.add(key, 1, timeout):
            return 1
        try:
            return self._local.incr(key)
        except ValueError:  # it expired, or was dropped, in between
            self._local.set(key, 1, timeout)
            return 1
