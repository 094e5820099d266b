"""One round trip to Redis for the counters and the keys of a request."""

from collections.abc import Mapping
from typing import Final

from wallets.runtime.redis_store import with_redis

# The first keys are counters, each with its seconds to live among the arguments; the others are only read.
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
    """Gathers the keys that a request will read, and sends them with the counters that it touches."""

    def __init__(self) -> None:
        self._to_read: list[str] = []
        self._read: dict[str, str | None] = {}

    def prefetch(self, *keys: str) -> None:
        """Read `keys` along with the next counters."""
        self._to_read += keys

    def count(self, counters: Mapping[str, int]) -> list[int]:
        """Add one to each counter, and return their new values. A new counter lives for so many seconds.

        Raises RedisAway.
        """
        keys = [*counters, *self._to_read]
        answers = with_redis(lambda client: client.eval(_COUNT_AND_READ, len(keys), *keys, *counters.values()))
        self._read.update(zip(self._to_read, answers[len(counters) :], strict=True))
        self._to_read.clear()
        return [int(value) for value in answers[: len(counters)]]

    def find(self, key: str) -> str | None:
        """Return the value that was read under `key`; None when there was none, or no Redis."""
        return self._read.get(key)
