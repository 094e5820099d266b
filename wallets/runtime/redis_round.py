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

# A hash of what was counted in each second. A second counts until all of it is old enough. What is no number counts as
# nothing: anything may stand in Redis.
_ADD_WITHIN: Final = """
local add, most, seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(redis.call('TIME')[1])
local length = redis.pcall('HLEN', KEYS[1])
if type(length) ~= 'number' or length > 10 * seconds then redis.call('DEL', KEYS[1]) end
local found, counted, total = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #found, 2 do
    local at, value = tonumber(found[i]), tonumber(found[i + 1])
    if at and value and value > 0 and at >= now - seconds and at <= now then
        counted[#counted + 1] = {at, value}
        total = total + value
    else
        redis.call('HDEL', KEYS[1], found[i])
    end
end
if total + add <= most then
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', now), ARGV[1])
    redis.call('EXPIRE', KEYS[1], seconds + 1)
    return 0
end
table.sort(counted, function(a, b) return a[1] < b[1] end)
for i = 1, #counted do
    total = total - counted[i][2]
    if total + add <= most then return counted[i][1] + seconds + 1 - now end
end
return seconds + 1
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


def add_within(key: str, *, add: int, most: int, seconds: int) -> int:
    """Count `add`, unless that makes more than `most` within any `seconds` on end, whenever they begin.

    Return 0 if it was counted, or the seconds after which it can be. One round trip. Raises RedisAway.
    """
    return int(with_redis(lambda client: client.eval(_ADD_WITHIN, 1, key, add, most, seconds)))
