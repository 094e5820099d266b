"""The pools' counters: cents per coin in Redis, a cheap signal that a pool may be full.

A counter decides nothing. If it is lost, late, wrong or forged, a claim starts too early or too late, and the claim
reads the pool from Postgres. A value that cannot be a counter counts as missing; the sweep rewrites it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import redis

from trading.pool_rules import from_cents, in_cents
from wallets.runtime.redis_round import RedisRound
from wallets.runtime.redis_store import RedisAway, with_redis

_LONGEST: Final = 16  # characters that are read of a counter; a longer value is not one
_MOST_CENTS: Final = 10**14


def counter_key(coin_name: str) -> str:
    return f"pool:{coin_name}"


def add(*, coin_name: str, amount: Decimal) -> Decimal | None:
    """Add `amount` US dollars, perhaps negative, to the coin's counter.

    Return the new total; None without Redis or a valid counter.
    """
    try:
        cents = with_redis(lambda client: _increment(client, counter_key(coin_name), in_cents(amount)))
    except RedisAway:
        return None
    return _plausible(cents)


def rewrite(*, totals: Mapping[str, Decimal]) -> None:
    """Set the counters to `totals` (by coin name, from Postgres); do nothing without Redis."""
    if not totals:
        return
    values = {counter_key(name): in_cents(total) for name, total in totals.items()}
    try:
        with_redis(lambda client: client.mset(values))
    except RedisAway:
        return


def read_counter(*, coin_name: str, redis_round: RedisRound | None = None) -> Decimal | None:
    """Return the total that Redis holds for a coin; None without Redis or a valid counter.

    One round trip, unless the request's own has read the counter.
    """
    key = counter_key(coin_name)
    if redis_round is not None and redis_round.has_read(key):
        return parse_counter(redis_round.find(key))
    try:
        return parse_counter(with_redis(lambda client: _read_one(client, key)))
    except RedisAway:
        return None


def read_counters(*, coin_names: list[str]) -> dict[str, Decimal]:
    """Return the totals that Redis holds, by coin name; leave out coins without a valid counter. One round trip."""
    if not coin_names:
        return {}
    try:
        values = with_redis(lambda client: _read(client, [counter_key(name) for name in coin_names]))
    except RedisAway:
        return {}
    return {
        name: total
        for name, value in zip(coin_names, values, strict=True)
        if (total := parse_counter(value)) is not None
    }


def parse_counter(value: object) -> Decimal | None:
    """Return a counter's total in US dollars; None if the value is missing, or no plausible number of cents."""
    if not isinstance(value, str) or not value.isdecimal() or len(value) > _LONGEST:
        return None
    return _plausible(int(value))


def _plausible(cents: int | None) -> Decimal | None:
    return from_cents(cents) if cents is not None and 0 <= cents <= _MOST_CENTS else None


def _increment(client: "redis.Redis", key: str, cents: int) -> int | None:
    """Increment a counter and return it. Delete a key that holds something else, so that it counts as missing."""
    try:
        return int(client.incrby(key, cents))
    except redis.ResponseError:
        client.delete(key)
        return None


def _read_one(client: "redis.Redis", key: str) -> Any:
    """Read the beginning of a value: as much as a counter needs, whatever the key holds. Delete it if it is no text."""
    try:
        return client.getrange(key, 0, _LONGEST)
    except redis.ResponseError:
        client.delete(key)
        return None


def _read(client: "redis.Redis", keys: list[str]) -> list[Any]:
    """Read the beginnings of many values. Keys that hold no text yield an error, which is no counter."""
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.getrange(key, 0, _LONGEST)
    return pipeline.execute(raise_on_error=False)
