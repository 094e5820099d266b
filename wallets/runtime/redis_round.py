"""Increments a request's counters and reads its keys in one round trip to Redis."""

from collections.abc import Mapping
from typing import Final

from wallets.runtime.redis_store import with_redis

# The first #ARGV keys are counters, and ARGV holds their lifetimes in seconds. The other keys are only read.
_COUNT_AND_READ: Final = """
local answers = {}
for i, seconds in ipairs(ARGV) do
    answers[i] = redis.call('INCR', KEYS[i])
    if answers[i] == 1 then redis.call('EXPIRE', KEYS[i], seconds) end
end
for i = #ARGV + 1, #KEYS do answers[i] = redis.call('GET', KEYS[i]) end
return answers
"""


class RedisRound:
    """Collects the keys that a request will read. `count` reads them when it increments the request's counters."""

    def __init__(self) -> None:
        self._to_read: list[str] = []
        self._read: dict[str, str | None] = {}

    def prefetch(self, *keys: str) -> None:
        """Add `keys` to the keys that the next `count` reads."""
        self._to_read += keys

    def count(self, counters: Mapping[str, int]) -> list[int]:
        """Add one to each counter and return the new values. `counters` maps each key to its lifetime in seconds.

        Raises RedisAway.
        """
        keys = [*counters, *self._to_read]
        answers = with_redis(lambda client: client.eval(_COUNT_AND_READ, len(keys), *keys, *counters.values()))
        self._read.update(zip(self._to_read, answers[len(counters) :], strict=True))
        self._to_read.clear()
        return [int(value) for value in answers[: len(counters)]]

    def find(self, key: str) -> str | None:
        """Return the value that `count` read for `key`; None if Redis had no value or did not answer."""
        return self._read.get(key)
