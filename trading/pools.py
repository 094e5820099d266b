"""The pools' counters: cents per coin in Redis, the cheap signal that a pool may be full.

They decide nothing: a counter that is lost, late or wrong makes a purchase earlier or later, and the purchase itself
follows Postgres.
"""

from collections.abc import Mapping
from decimal import Decimal

from trading.pool_rules import from_cents, in_cents
from wallets.runtime.redis_store import RedisAway, with_redis


def counter_key(coin_name: str) -> str:
    return f"pool:{coin_name}"


def add(*, coin_name: str, amount: Decimal) -> Decimal | None:
    """Add `amount` US dollars, which may be negative, to the counter and return the new total; None without Redis."""
    try:
        return from_cents(with_redis(lambda client: int(client.incrby(counter_key(coin_name), in_cents(amount)))))
    except RedisAway:
        return None


def rewrite(*, totals: Mapping[str, Decimal]) -> None:
    """Set the counters, by name of the coin, to what Postgres says; nothing happens without Redis."""
    if not totals:
        return
    values = {counter_key(name): in_cents(total) for name, total in totals.items()}
    try:
        with_redis(lambda client: client.mset(values))
    except RedisAway:
        return


def read_counters(*, coin_names: list[str]) -> dict[str, Decimal]:
    """Return the counters that Redis holds, by name of the coin."""
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
    """Return a counter's total in US dollars; None for one that is missing or makes no sense."""
    try:
        cents = int(value or "")
    except ValueError:
        return None
    return from_cents(cents) if cents >= 0 else None
