"""Allowances: numbers in one Redis hash, such as dollars that may still be sold, from which many processes take.

Postgres decides what is allowed. A periodic job counts that and writes it here, and between two counts each call takes
its units in the round trip that it makes anyway. The hash may be lost, wrong or forged: then a taking is unknown or not
true until the job has written the hash anew.

The fields are `left:NAME` (units; none: no bound), `factor:NAME` (units per unit of an amount), and `taken:NAME` (units
taken since the present count began). A count has a random name, its *generation*: what was taken before it began is not
given back after it, because it is in the count or has gone.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from wallets.runtime.redis_store import with_redis

# Follows the local variables of the script that it is part of: `hash` is the key, ARGV[at] and what follows are the
# amount, the name of its factor (or nothing), and the names to take from. Anything may stand in Redis: a hash that is
# none, or has no numbers where it should, makes the taking unknown.
TAKE: Final = """
local function take(hash, at)
    local names = #ARGV - at - 1
    local fields = {'counted', 'generation', 'factor:' .. ARGV[at + 1]}
    for i = 1, names do
        fields[3 + i] = 'left:' .. ARGV[at + 1 + i]
        fields[3 + names + i] = 'taken:' .. ARGV[at + 1 + i]
    end
    local found = redis.pcall('HMGET', hash, unpack(fields))
    if found.err or not found[1] or not found[2] then return false end
    local units = tonumber(ARGV[at])
    if ARGV[at + 1] ~= '' then
        local factor = tonumber(found[3] or '')
        if not factor then return false end
        units = units * factor
    end
    units = math.ceil(units - 0.000001)  -- doubles: 3 * 4.35 * 100 is a little more than 1305
    local changes = {}
    for i = 1, names do
        local left = found[3 + i] and tonumber(found[3 + i])
        if left == nil then return false end
        if left then
            if left < units then return 0 end
            changes[#changes + 1] = fields[3 + i]
            changes[#changes + 1] = string.format('%.0f', left - units)
        end
        changes[#changes + 1] = fields[3 + names + i]
        changes[#changes + 1] = string.format('%.0f', (tonumber(found[3 + names + i] or '') or 0) + units)
    end
    redis.call('HSET', hash, unpack(changes))
    return string.sub(found[2], 1, 64) .. ' ' .. string.format('%.0f', units)
end
"""

_GIVE_BACK: Final = """
if redis.pcall('HGET', KEYS[1], 'generation') ~= ARGV[1] then return end
for i = 3, #ARGV do
    local left = tonumber(redis.call('HGET', KEYS[1], 'left:' .. ARGV[i]) or '')
    if left then redis.call('HSET', KEYS[1], 'left:' .. ARGV[i], string.format('%.0f', left + ARGV[2])) end
    local taken = tonumber(redis.call('HGET', KEYS[1], 'taken:' .. ARGV[i]) or '') or 0
    redis.call('HSET', KEYS[1], 'taken:' .. ARGV[i], string.format('%.0f', taken - ARGV[2]))
end
"""

_BEGIN_COUNT: Final = """
local names = redis.pcall('HKEYS', KEYS[1])
if names.err then
    redis.call('DEL', KEYS[1])
    names = {}
end
for _, name in ipairs(names) do
    if string.sub(name, 1, 6) == 'taken:' then redis.call('HDEL', KEYS[1], name) end
end
redis.call('HSET', KEYS[1], 'generation', ARGV[1])
"""

# ARGV: the generation, then a name, the units allowed (or nothing) and the factor (or nothing), and so on.
_REWRITE: Final = """
if redis.pcall('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
local fields = {'generation', ARGV[1], 'counted', '1'}
local function put(name, value) fields[#fields + 1] = name; fields[#fields + 1] = value end
for i = 2, #ARGV, 3 do
    local text = redis.call('HGET', KEYS[1], 'taken:' .. ARGV[i])
    local taken = tonumber(text or '') or 0
    if text then put('taken:' .. ARGV[i], string.format('%.0f', taken)) end
    if ARGV[i + 1] ~= '' then put('left:' .. ARGV[i], string.format('%.0f', ARGV[i + 1] - taken)) end
    if ARGV[i + 2] ~= '' then put('factor:' .. ARGV[i], ARGV[i + 2]) end
end
redis.call('DEL', KEYS[1])
for i = 1, #fields, 2 do redis.call('HSET', KEYS[1], fields[i], fields[i + 1]) end
return 1
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Units that a call wants to take from each of `names` of a hash: from all or from none, rounded up.

    They are `amount` units; or, if `factor_of` is a name, `amount` times the factor of that name.
    """

    key: str
    names: tuple[str, ...]
    amount: Decimal
    factor_of: str = ""

    def arguments(self) -> list[str]:
        """Return the arguments of the script TAKE."""
        return [f"{self.amount:f}", self.factor_of, *self.names]


class Outcome(Enum):
    """What became of a taking. `UNKNOWN`: Redis has no count, or did not answer."""

    TAKEN = "taken"
    SHORT = "short"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Taking:
    """Units that a call wanted, and what became of that; if they are taken, in which generation and how many."""

    wanted: Wanted
    outcome: Outcome
    generation: str = ""
    units: str = ""


def read_taking(*, wanted: Wanted, answer: Any) -> Taking:
    """Return the taking that an answer of the script TAKE stands for."""
    if answer == 0:
        return Taking(wanted=wanted, outcome=Outcome.SHORT)
    generation, _, units = answer.rpartition(" ") if isinstance(answer, str) else ("", "", "")
    outcome = Outcome.TAKEN if generation else Outcome.UNKNOWN
    return Taking(wanted=wanted, outcome=outcome, generation=generation, units=units)


def give_back(taking: Taking) -> None:
    """Give units back, unless a newer count has begun since. One round trip. Raises RedisAway."""
    wanted = taking.wanted
    with_redis(lambda client: client.eval(_GIVE_BACK, 1, wanted.key, taking.generation, taking.units, *wanted.names))


def begin_count(key: str) -> str:
    """Begin a count, and return its generation. One round trip. Raises RedisAway."""
    generation = uuid.uuid4().hex
    with_redis(lambda client: client.eval(_BEGIN_COUNT, 1, key, generation))
    return generation


def rewrite(key: str, *, generation: str, allowed: Mapping[str, tuple[int | None, Decimal | None]]) -> bool:
    """Write what is counted: for each name the units (None: no bound) and its factor (None: none is known).

    The units taken since the count began are subtracted. Return False, and write nothing, if another count has begun
    since, or if Redis has lost this one. One round trip. Raises RedisAway.
    """
    triples = [text for name, (units, factor) in allowed.items() for text in (name, _text(units), _text(factor))]
    return bool(with_redis(lambda client: client.eval(_REWRITE, 1, key, generation, *triples)))


def _text(value: int | Decimal | None) -> str:
    return "" if value is None else f"{Decimal(value):f}"
