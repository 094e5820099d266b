"""Increments a request's counters and reads its keys in one round trip to Redis."""

from collections.abc import Mapping
from typing import Final

from wallets.runtime.redis_store import LONGEST_TEXT, with_redis

# The first #ARGV keys are counters, and ARGV holds their lifetimes in seconds. The other keys are only read. A counter
# that is no positive number, and a text that is none or too long, count as missing: anything may stand in Redis.
_COUNT_AND_READ: Final = f"""
local answers = {{}}
for i, seconds in ipairs(ARGV) do
    local count = redis.pcall('INCR', KEYS[i])
    if type(count) ~= 'number' or count < 1 then
        redis.call('SET', KEYS[i], 1)
        count = 1
    end
    if count == 1 then redis.call('EXPIRE', KEYS[i], seconds) end
    answers[i] = count
end
for i = #ARGV + 1, #KEYS do
    local text = redis.pcall('GETRANGE', KEYS[i], 0, {LONGEST_TEXT})
    answers[i] = type(text) == 'string' and text ~= '' and text
end
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
