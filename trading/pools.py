"""The pools' counters: cents per coin in Redis, the cheap signal that a pool may be full.

Nothing is decided by them. A counter that is lost, late or wrong makes a purchase earlier or later;
what is bought is what Postgres says.
"""

from collections.abc import Mapping
from decimal import Decimal

from trading.aggregation import from_cents, in_cents
from wallets.redis_store import RedisAway, with_redis


def counter_key(coin: str) -> str:
    return f"pool:{coin}"


def count(*, coin: str, change: Decimal) -> Decimal | None:
    """Add `change` US dollars to the counter and return the new total; None when Redis is away."""
    try:
        return from_cents(with_redis(lambda client: int(client.incrby(counter_key(coin), in_cents(change)))))
    except RedisAway:
        return None


def rewrite(*, totals: Mapping[str, Decimal]) -> None:
    """Set the counters to what Postgres says, as far as Redis is there to be told."""
    if not totals:
        return
    values = {counter_key(coin): in_cents(total) for coin, total in totals.items()}
    try:
        with_redis(lambda client: client.mset(values))
    except RedisAway:
        return


def read_counters(*, coins: list[str]) -> dict[str, Decimal]:
    """The counters of `coins`, as far as Redis is there and knows them."""
    if not coins:
        return {}
    try:
        values = with_redis(lambda client: client.mget([counter_key(coin) for coin in coins]))
    except RedisAway:
        return {}
    return {
        coin: total for coin, value in zip(coins, values, strict=True) if (total := parse_counter(value)) is not None
    }


def parse_counter(value: str | bytes | None) -> Decimal | None:
    """A counter's total in US dollars; None for one that is missing or makes no sense."""
    try:
        cents = int(value or "")
    except ValueError:
        return None
    return from_cents(cents) if cents >= 0 else None
