"""The pools' counters: cents per coin in Redis, a cheap signal that a pool may be full.

A counter decides nothing. If it is lost, late or wrong, a claim starts too early or too late, and the claim reads the
pool from Postgres.
"""

from collections.abc import Mapping
from decimal import Decimal

from trading.pool_rules import from_cents, in_cents
from wallets.runtime.redis_store import RedisAway, with_redis


def counter_key(coin_name: str) -> str:
    return f"pool:{coin_name}"


def add(*, coin_name: str, amount: Decimal) -> Decimal | None:
    """Add `amount` US dollars, perhaps negative, to the coin's counter. Return the new total; None without Redis."""
    try:
        return from_cents(with_redis(lambda client: int(client.incrby(counter_key(coin_name), in_cents(amount)))))
    except RedisAway:
        return None


def rewrite(*, totals: Mapping[str, Decimal]) -> None:
    """Set the counters to `totals` (by coin name, from Postgres); do nothing without Redis."""
    if not totals:
        return
    values = {counter_key(name): in_cents(total) for name, total in totals.items()}
    try:
        with_redis(lambda client: client.mset(values))
    except RedisAway:
        return


def read_counters(*, coin_names: list[str]) -> dict[str, Decimal]:
    """Return the totals that Redis holds, by coin name; leave out coins without a valid counter."""
    if not coin_names:
        return {}
    try:
        values = with_redis(lambda client: client.mget([counter_key(name) for name in coin_names]))
    except RedisAway:
        return {}
    return {
        name: total
        for name, value in zip(coin_names, values, strict=True)
        if (total := parse_counter(value)) is not None
    }


def parse_counter(value: str | bytes | None) -> Decimal | None:
    """Return a counter's total in US dollars; None if the value is missing, not a number or negative."""
    try:
        cents = int(value or "")
    except ValueError:
        return None
    return from_cents(cents) if cents >= 0 else None
