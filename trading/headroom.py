"""The counter of what may still be sold: cents in Redis, for each coin with a limit and for all coins together.

A job writes it from Postgres' count every few seconds. Orders take from it in the round trip that counts their call, so
that orders of many processes see each other between two counts. It can only refuse orders, never allow one that
Postgres' last count refuses: if it is lost or forged, no more is sold than without Redis.
"""

from collections.abc import Mapping
from decimal import Decimal
from math import ceil
from typing import Final

from django.conf import settings

from trading.pool_rules import in_cents
from wallets.runtime import allowances
from wallets.runtime.allowances import Wanted
from wallets.runtime.redis_store import RedisAway

KEY: Final = "headroom:1"
ALL: Final = "all"
"""The name of all coins together; names of coins are upper case."""

_CENTS: Final = 100


def dollars_wanted(*, coin_name: str, dollars: Decimal, taker: str = "") -> Wanted:
    """Return what an order of `dollars` takes. `taker`: see Wanted."""
    return Wanted(key=KEY, names=(ALL, coin_name), amount=dollars * _CENTS, taker=taker)


def coins_wanted(*, coin_name: str, coins: Decimal, taker: str = "") -> Wanted:
    """Return what an order of so many coins takes: their price is that of the last count."""
    return Wanted(key=KEY, names=(ALL, coin_name), amount=coins * _CENTS, factor_of=coin_name, taker=taker)


def begin_count(*, prices: Mapping[str, Decimal | None] | None = None) -> str | None:
    """Let the orders from now on be subtracted from the count that begins. Return its name; None without Redis.

    `prices` are the customers' prices, for orders before the first count is written.
    """
    factors = {name: price for name, price in (prices or {}).items() if price is not None}
    try:
        return allowances.begin_count(KEY, seconds=_lifetime(), factors=factors)
    except RedisAway:
        return None


def rewrite(*, count: str, rooms: Mapping[str, Decimal | None], prices: Mapping[str, Decimal | None]) -> None:
    """Write what Postgres has counted, by coin name and for ALL (None: no bound); do nothing without Redis.

    `prices` are the customers' prices. Another count that has begun meanwhile is not disturbed: it writes soon.
    """
    allowed = {name: (None if room is None else in_cents(room), prices.get(name)) for name, room in rooms.items()}
    try:
        allowances.rewrite(KEY, generation=count, seconds=_lifetime(), allowed=allowed)
    except RedisAway:
        return


def _lifetime() -> int:
    """Return the seconds after which a hash that is not written anew expires: Postgres' count alone decides then."""
    return max(1, ceil(settings.SETTLEMENT.float_max_age.total_seconds()))
