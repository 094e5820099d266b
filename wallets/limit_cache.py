"""The cache that django-ratelimit is given: its counters are taken down, then counted together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache

from wallets.redis_store import RedisAway, with_redis

# The first keys are counters, each with its seconds to live among the arguments; the others are only read.
_COUNT: Final = """
local answers = {}
for i, seconds in ipairs(ARGV) do
    answers[i] = redis.call('INCR', KEYS[i])
    if answers[i] == 1 then redis.call('EXPIRE', KEYS[i], seconds) end
end
for i = #ARGV + 1, #KEYS do answers[i] = redis.call('GET', KEYS[i]) end
return answers
"""

Counters = dict[str, float | None]
"""Keys of counters, and how many seconds each lives."""


class LimitCache(BaseCache):
    """Counts in Redis, whatever one call is counted against in one round trip; in this process while Redis is away.

    django-ratelimit asks for one limit at a time, and up to three times for each. So what it adds is only taken
    down, as if it were the first of its window; wallets.limits has it counted. Instances belong to one thread
    (django.core.cache.caches).
    """

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._taken_down: Counters | None = None
        # Its entries are shared by the process. When it is full it drops some: an attacker's keys among them.
        self._local = LocMemCache(name, {"OPTIONS": {"MAX_ENTRIES": 100_000}})

    @contextmanager
    def taking_down(self) -> Iterator[Counters]:
        """Give the counters that django-ratelimit adds within the block, in their order."""
        taken_down: Counters = {}
        self._taken_down = taken_down
        try:
            yield taken_down
        finally:
            self._taken_down = None

    def add(self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        assert self._taken_down is not None, "what nobody takes down would not be counted"
        self._taken_down[str(key)] = timeout
        return True

    def count(self, counters: Counters, *, along: Sequence[str] = ()) -> tuple[list[int], list[Any]]:
        """Add one to each counter. Return what they are then, and what Redis holds under the keys `along`."""
        seconds = [int(timeout or 1) for timeout in counters.values()]
        keys = [*counters, *along]
        try:
            answers = with_redis(lambda client: client.eval(_COUNT, len(keys), *keys, *seconds))
        except RedisAway:
            return [self._count_here(key, timeout) for key, timeout in counters.items()], [None] * len(along)
        return [int(count) for count in answers[: len(counters)]], answers[len(counters) :]

    def _count_here(self, key: str, timeout: float | None) -> int:
        if self._local.add(key, 1, timeout):
            return 1
        try:
            return self._local.incr(key)
        except ValueError:  # it expired, or was dropped, in between
            self._local.set(key, 1, timeout)
            return 1
