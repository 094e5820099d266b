"""Increments a request's counters, reads its keys and takes from an allowance, in one round trip to Redis."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

from wallets.runtime.allowances import TAKE, Outcome, Taking, Wanted, give_back, read_taking
from wallets.runtime.redis_store import LONGEST_TEXT, RedisAway, execute, with_redis

# ARGV holds, for each counter, its lifetime in seconds and its limit. A call that exceeds a limit is refused, so the
# counters after that one are only read, and nothing is taken. The keys after the counters are only read. A counter that
# is no positive number, and a text that is none or too long, count as missing: anything may stand in Redis.
_COUNT: Final = f"""
local answers, exceeded = {{}}, false
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
for i = counters + 1, keys do
    local text = redis.pcall('GETRANGE', KEYS[i], 0, {LONGEST_TEXT})
    answers[i] = type(text) == 'string' and text ~= '' and text
end
"""

_COUNT_AND_READ: Final = f"local counters, keys = #ARGV / 2, #KEYS{_COUNT}return answers"

# The last two keys are the hash to take from, and what says that the taker has taken in vain. The last of ARGV is what
# to take.
_COUNT_READ_AND_TAKE: Final = f"""{TAKE}
local counters, keys = (#ARGV - 1) / 2, #KEYS - 2
{_COUNT}
answers[keys + 1] = not exceeded and take(KEYS[keys + 1], KEYS[keys + 2], true, ARGV[#ARGV])
return answers
"""

_DIGESTS: Final = {
    script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (_COUNT_AND_READ, _COUNT_READ_AND_TAKE)
}
_TAKE_EARLY: Final = f"{TAKE}return take(KEYS[1], KEYS[2], true, ARGV[1])"
_TAKE_PROVEN: Final = f"{TAKE}return take(KEYS[1], KEYS[2], false, ARGV[1])"

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
    """Collects the keys that a request will read, and what it wants to take.

    `count` does both when it increments the request's counters. What is taken has to be kept or given back.
    """

    def __init__(self) -> None:
        self._to_read: list[str] = []
        self._read: dict[str, str | None] = {}
        self._wanted: Wanted | None = None
        self._taking: Taking | None = None

    def prefetch(self, *keys: str) -> None:
        """Add `keys` to the keys that the next `count` reads."""
        self._to_read += keys

    def count(self, counters: Mapping[str, tuple[int, int]]) -> list[int]:
        """Add one to each counter up to the first that exceeds its limit, and return the values of all.

        `counters` maps each key to its lifetime in seconds and its limit. Raises RedisAway.
        """
        keys = [*counters, *self._to_read]
        arguments: list[str | int] = [number for pair in counters.values() for number in pair]
        script, wanted = _COUNT_AND_READ, self._wanted
        if wanted is not None:
            script, self._wanted = _COUNT_READ_AND_TAKE, None
            keys, arguments = [*keys, *wanted.keys()], [*arguments, wanted.text()]
        answers = with_redis(lambda client: _run(client, script, keys, arguments))
        if wanted is not None:
            self._taking = read_taking(wanted=wanted, answer=answers.pop())
        self._read.update(zip(self._to_read, answers[len(counters) :], strict=True))
        self._to_read.clear()
        return [int(value) for value in answers[: len(counters)]]

    def want(self, wanted: Wanted) -> None:
        """Let the next `count` take from an allowance, unless it exceeds a limit."""
        self._wanted = wanted

    def take(self, wanted: Wanted) -> Outcome:
        """Return what became of `wanted`, which `count` has taken. If it has not, this costs a round trip.

        Anything else that it has taken is given back.
        """
        if self._taking is None or self._taking.wanted != wanted:
            self.give_back()
            self._taking = _take_now(wanted, script=_TAKE_EARLY if wanted.taker else _TAKE_PROVEN)
        return self._taking.outcome

    def take_proven(self, wanted: Wanted) -> Outcome:
        """Take now what had to wait until the taker was known to be able to pay. One round trip."""
        self._taking = _take_now(wanted, script=_TAKE_PROVEN)
        return self._taking.outcome

    def keep(self) -> None:
        """Keep what is taken: it is used."""
        self._taking = None

    def give_back(self, *, in_vain: bool = True) -> None:
        """Give back what is taken and not kept, in a round trip if there is any. Without Redis nothing happens.

        Unless `in_vain` is false, the taker takes nothing early for a minute.
        """
        taking, self._taking = self._taking, None
        if taking is not None and taking.generation:
            try:
                give_back(taking, in_vain=in_vain)
            except RedisAway:
                return

    def has_read(self, key: str) -> bool:
        """Say whether `count` has read `key`, and found a value or none."""
        return key in self._read

    def find(self, key: str) -> str | None:
        """Return the value that `count` read for `key`; None if Redis had no value or did not answer."""
        return self._read.get(key)


def _run(client: "redis.Redis", script: str, keys: list[str], arguments: list[str | int]) -> Any:
    """Run a script by its digest: its text is sent only to a Redis that does not know it yet."""
    try:
        return execute(client, "EVALSHA", _DIGESTS[script], len(keys), *keys, *arguments)
    except redis.exceptions.NoScriptError:
        return client.eval(script, len(keys), *keys, *arguments)


def _take_now(wanted: Wanted, *, script: str) -> Taking:
    keys = wanted.keys()
    try:
        answer = with_redis(lambda client: client.eval(script, len(keys), *keys, wanted.text()))
    except RedisAway:
        answer = None
    return read_taking(wanted=wanted, answer=answer)


def take_one_back(keys: Sequence[str]) -> None:
    """Subtract one from each counter that still exists. One round trip. Raises RedisAway."""
    with_redis(lambda client: client.eval(_TAKE_BACK, len(keys), *keys))


def add_within(key: str, *, add: int, most: int, seconds: int) -> int:
    """Count `add`, unless that makes more than `most` within any `seconds` on end, whenever they begin.

    Return 0 if it was counted, or the seconds after which it can be. One round trip. Raises RedisAway.
    """
    return int(with_redis(lambda client: client.eval(_ADD_WITHIN, 1, key, add, most, seconds)))
