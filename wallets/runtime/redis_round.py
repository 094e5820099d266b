"""Increments a request's counters and reads its keys in one round trip to Redis."""

from collections.abc import Mapping, Sequence
from typing import Final

from wallets.runtime.redis_store import LONGEST_TEXT, with_redis

# ARGV holds, for each counter, its lifetime in seconds and its limit. A call that exceeds a limit is refused, so the
# counters after that one are only read. So are the keys after the counters. A counter that is no positive number, and a
# text that is none or too long, count as missing: anything may stand in Redis.
_COUNT_AND_READ: Final = f"""
local answers, counters, exceeded = {{}}, #ARGV / 2, false
for i = 1, counters do
    if exceeded then
        local text = redis.pcall('GETRANGE', KEYS[i], 0, 20)
        answers[i] = type(text) == 'string' and tonumber(text) or 0
    else
        local count = redis.pcall('INCR', KEYS[i])
        if type(count) ~= 'number' or count < 1 then
            redis.call('SET', KEYS[i], 1)
            count = 1
        end
        if count == 1 then redis.call('EXPIRE', KEYS[i], ARGV[2 * i - 1]) end
        answers[i] = count
        exceeded = count > tonumber(ARGV[2 * i])
    end
end
for i = counters + 1, #KEYS do
    local text = redis.pcall('GETRANGE', KEYS[i], 0, {LONGEST_TEXT})
    answers[i] = type(text) == 'string' and text ~= '' and text
end
return answers
"""

# What is no number counts as nothing: anything may stand in Redis.
_ADD_WITHIN: Final = """
local text = redis.pcall('GETRANGE', KEYS[1], 0, 20)
local before = type(text) == 'string' and tonumber(text) or 0
if before < 0 then before = 0 end
local total = before + tonumber(ARGV[1])
if total > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', total), 'EX', ARGV[3])
return 1
"""

# A counter may have expired since the call was counted; then there is nothing to take back.
_TAKE_BACK: Final = """
for i = 1, #KEYS do
    local text = redis.pcall('GETRANGE', KEYS[i], 0, 20)
    if type(text) == 'string' and (tonumber(text) or 0) > 0 then redis.pcall('DECR', KEYS[i]) end
end
"""


class RedisRound:
    """Collects the keys that a request will read. `count` reads them when it increments the request's counters."""

    def __init__(self) -> None:
        self._to_read: list[str] = []
        self._read: dict[str, str | None] = {}

    def prefetch(self, *keys: str) -> None:
        """Add `keys` to the keys that the next `count` reads."""
        self._to_read += keys

    def count(self, counters: Mapping[str, tuple[int, int]]) -> list[int]:
        """Add one to each counter up to the first that exceeds its limit, and return the values of all.

        `counters` maps each key to its lifetime in seconds and its limit. Raises RedisAway.
        """
        keys = [*counters, *self._to_read]
        arguments = [number for pair in counters.values() for number in pair]
        answers = with_redis(lambda client: client.eval(_COUNT_AND_READ, len(keys), *keys, *arguments))
        self._read.update(zip(self._to_read, answers[len(counters) :], strict=True))
        self._to_read.clear()
        return [int(value) for value in answers[: len(counters)]]

    def has_read(self, key: str) -> bool:
        """Say whether `count` has read `key`, and found a value or none."""
        return key in self._read

    def find(self, key: str) -> str | None:
        """Return the value that `count` read for `key`; None if Redis had no value or did not answer."""
        return self._read.get(key)


def take_one_back(keys: Sequence[str]) -> None:
    """Subtract one from each counter that still exists. One round trip. Raises RedisAway."""
    with_redis(lambda client: client.eval(_TAKE_BACK, len(keys), *keys))


def add_within(key: str, *, add: int, most: int, seconds: int) -> bool:
    """Add to a counter that lives for `seconds`, unless it would then be more than `most`. Say whether it was added.

    One round trip. Raises RedisAway.
    """
    return bool(with_redis(lambda client: client.eval(_ADD_WITHIN, 1, key, add, most, seconds)))
