"""Allowances: numbers in one Redis hash, such as dollars that may still be sold, from which many processes take.

Postgres decides what is allowed. A periodic job counts that and writes it here, and between two counts each call takes
its units in the round trip that it makes anyway. The hash may be lost, wrong or forged: then a taking is unknown or not
true until the job has written the hash anew.

The fields are `left:NAME` (units; none: no bound), `factor:NAME` (units per unit of an amount), and `taken:NAME` (units
taken since the present count began). A count has a random name, its *generation*: what was taken before it began is not
given back after it, because it is in the count or has gone.

Units that are taken early, before it is known whether the taker can pay, are missing to all others until they are
given back. So who has taken in vain is remembered, and takes only when that is known; so does who wants more than half
of what is left. The hash expires: a job that no longer reaches Redis must not leave numbers that only ever fall.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from wallets.runtime.redis_store import with_redis

_IN_VAIN_SECONDS: Final = 60
"""How long it is remembered that somebody has taken units and not used them."""

# Follows the local variables of the script that it is part of: `hash` is the key, `in_vain` exists if the taker has
# taken in vain, `early` says that the taker may be unable to pay. `text` is the amount, the name of its factor (`-`:
# none), and the names to take from: one argument, because each costs the caller processor time. Returns 0 if too
# little is left, and 1 if the taker has to show first that they can pay. Anything may stand in Redis: a hash that is
# none, or has no numbers where it should, makes the taking unknown. Before the first count is written the taking is
# unknown too, and is remembered for that count.
TAKE: Final = """
local function take(hash, in_vain, early, text)
    if early and redis.call('EXISTS', in_vain) == 1 then return 1 end
    local words = {}
    for word in string.gmatch(text, '%S+') do words[#words + 1] = word end
    local names = #words - 2
    local fields = {'counted', 'generation', 'factor:' .. words[2]}
    for i = 1, names do
        fields[3 + i] = 'left:' .. words[2 + i]
        fields[3 + names + i] = 'taken:' .. words[2 + i]
    end
    local found = redis.pcall('HMGET', hash, unpack(fields))
    if found.err or not found[2] then return false end
    local counted, units = found[1], tonumber(words[1])
    if words[2] ~= '-' then
        local factor = tonumber(found[3] or '')
        if not factor then return false end
        units = units * factor
    end
    units = math.ceil(units - 0.000001)  -- doubles: 3 * 4.35 * 100 is a little more than 1305
    if early and units > 1e12 then return 1 end  -- a double adds and subtracts so much without a loss
    local changes, later = {}, false
    for i = 1, names do
        local left = counted and found[3 + i] and tonumber(found[3 + i])
        if left == nil then return false end
        if left then
            if left < units then return 0 end
            later = later or early and units > left / 2
            changes[#changes + 1] = fields[3 + i]
            changes[#changes + 1] = string.format('%.0f', left - units)
        end
        changes[#changes + 1] = fields[3 + names + i]
        changes[#changes + 1] = string.format('%.0f', (tonumber(found[3 + names + i] or '') or 0) + units)
    end
    if later then return 1 end
    redis.call('HSET', hash, unpack(changes))
    return (counted and '' or '?') .. string.sub(found[2], 1, 64) .. ' ' .. string.format('%.0f', units)
end
"""

_GIVE_BACK: Final = f"""
if KEYS[2] then redis.call('SET', KEYS[2], 1, 'EX', {_IN_VAIN_SECONDS}) end
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
for i = 3, #ARGV, 2 do redis.call('HSETNX', KEYS[1], 'factor:' .. ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'generation', ARGV[1])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end  -- else the last count's end holds
"""

# ARGV: the generation, the seconds that the hash lasts, then a name, the units allowed (or nothing) and the factor (or
# nothing), and so on.
_REWRITE: Final = """
if redis.pcall('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
local fields = {'generation', ARGV[1], 'counted', '1'}
local function put(name, value) fields[#fields + 1] = name; fields[#fields + 1] = value end
for i = 3, #ARGV, 3 do
    local text = redis.call('HGET', KEYS[1], 'taken:' .. ARGV[i])
    local taken = tonumber(text or '') or 0
    if text then put('taken:' .. ARGV[i], string.format('%.0f', taken)) end
    if ARGV[i + 1] ~= '' then put('left:' .. ARGV[i], string.format('%.0f', ARGV[i + 1] - taken)) end
    if ARGV[i + 2] ~= '' then put('factor:' .. ARGV[i], ARGV[i + 2]) end
end
redis.call('DEL', KEYS[1])
for i = 1, #fields, 2 do redis.call('HSET', KEYS[1], fields[i], fields[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Units that a call wants to take from each of `names` of a hash: from all or from none, rounded up.

    They are `amount` units; or, if `factor_of` is a name, `amount` times the factor of that name. `taker` is who is
    remembered if they are taken in vain; if empty, it is known that whoever takes can pay.
    """

    key: str
    names: tuple[str, ...]
    amount: Decimal
    factor_of: str = ""
    taker: str = ""

    def keys(self) -> list[str]:
        """Return the keys of the script TAKE: the hash, and what says that the taker has taken in vain."""
        return [self.key, f"{self.key}:in-vain:{self.taker}"]

    def text(self) -> str:
        """Return what is wanted as the script TAKE reads it. Names contain no spaces."""
        return " ".join((f"{self.amount:f}", self.factor_of or "-", *self.names))


class Outcome(Enum):
    """What became of a taking.

    `UNKNOWN`: Redis has no count, or did not answer. `LATER`: nothing is taken until the taker is known to have funds.
    """

    TAKEN = "taken"
    SHORT = "short"
    UNKNOWN = "unknown"
    LATER = "later"


@dataclass(frozen=True, kw_only=True)
class Taking:
    """Units that a call wanted, and what became of that; for giving them back, in which generation and how many."""

    wanted: Wanted
    outcome: Outcome
    generation: str = ""
    units: str = ""


def read_taking(*, wanted: Wanted, answer: Any) -> Taking:
    """Return the taking that an answer of the script TAKE stands for."""
    if not isinstance(answer, str):
        outcome = {0: Outcome.SHORT, 1: Outcome.LATER}.get(answer, Outcome.UNKNOWN)
        return Taking(wanted=wanted, outcome=outcome)
    generation, _, units = answer.removeprefix("?").rpartition(" ")
    outcome = Outcome.UNKNOWN if answer.startswith("?") else Outcome.TAKEN
    return Taking(wanted=wanted, outcome=outcome, generation=generation, units=units)


def give_back(taking: Taking, *, in_vain: bool) -> None:
    """Give units back, unless a newer count has begun since. One round trip. Raises RedisAway.

    `in_vain`: their taker, if it has a name, takes nothing early for a minute.
    """
    wanted = taking.wanted
    keys = wanted.keys() if in_vain and wanted.taker else [wanted.key]
    arguments = [taking.generation, taking.units, *wanted.names]
    with_redis(lambda client: client.eval(_GIVE_BACK, len(keys), *keys, *arguments))


def begin_count(key: str, *, seconds: int, factors: Mapping[str, Decimal]) -> str:
    """Begin a count, and return its generation. One round trip. Raises RedisAway.

    `factors` are for what is taken before the first count is written. A hash that is new lasts so many `seconds`.
    """
    generation = uuid.uuid4().hex
    pairs = [text for name, factor in factors.items() for text in (name, _text(factor))]
    with_redis(lambda client: client.eval(_BEGIN_COUNT, 1, key, generation, seconds, *pairs))
    return generation


def rewrite(
    key: str, *, generation: str, seconds: int, allowed: Mapping[str, tuple[int | None, Decimal | None]]
) -> bool:
    """Write what is counted: for each name the units (None: no bound) and its factor (None: none is known).

    The units taken since the count began are subtracted. The hash expires after so many `seconds`. Return False, and
    write nothing, if another count has begun since, or if Redis has lost this one. One round trip. Raises RedisAway.
    """
    triples = [text for name, (units, factor) in allowed.items() for text in (name, _text(units), _text(factor))]
    return bool(with_redis(lambda client: client.eval(_REWRITE, 1, key, generation, seconds, *triples)))


def _text(value: int | Decimal | None) -> str:
    return "" if value is None else f"{Decimal(value):f}"
