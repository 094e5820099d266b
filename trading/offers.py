"""Offers: the price and the limits at which a coin is sold right now.

Offers are cached in Redis for a few seconds, and rewritten there when they change. Without Redis they are read
from Postgres.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, QuerySet

from trading.exceptions import PriceUnavailable, UnknownCoin
from trading.models import Coin, CoinPrice, Shop
from trading.pools import counter_key, parse_counter
from trading.rounding import largest_amount, smallest_amount
from wallets.runtime.redis_store import RedisAway, with_redis

FIXED = "fixed"
# Increase the number in both keys when Offer's fields change: two versions of this code may share Redis for a while.
LIST_KEY: Final = "offers:2"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A coin's limits (in coins, multiples of its step) and, if it has one, its price (US dollars a coin)."""

    coin_id: int
    name: str
    title: str
    minimum: Decimal
    maximum: Decimal
    step: Decimal
    price: Decimal | None
    price_source: str
    price_at: datetime | None
    suspended: bool

    def ensure_sellable(self, *, now: datetime) -> Decimal:
        """Return the price. Raises PriceUnavailable if the price is missing, too old or suspended."""
        if self.price is None or self.price <= 0 or self.suspended or self._is_stale(now):
            raise PriceUnavailable
        return self.price

    def is_available(self, *, now: datetime) -> bool:
        return self.price is not None and not self.suspended and not self._is_stale(now)

    def _is_stale(self, now: datetime) -> bool:
        if self.price_source == FIXED:
            return False
        return self.price_at is None or now - self.price_at > settings.PRICES.max_age


@dataclass(frozen=True, kw_only=True)
class OfferAndPool:
    """A coin's offer and its pool's total, read together. The total is None if Redis or the counter is missing."""

    offer: Offer
    pool_total: Decimal | None


def read_offer_and_pool(*, coin_name: str) -> OfferAndPool:
    """Read a coin's offer and its pool's counter. Raises UnknownCoin.

    Costs one round trip to Redis. If the cached offer has expired, a query and a second round trip follow.
    """
    try:
        cached, counter = with_redis(lambda client: client.mget([_offer_key(coin_name), counter_key(coin_name)]))
    except RedisAway:
        return OfferAndPool(offer=load_offer(coin_name=coin_name), pool_total=None)
    if cached is not None:
        return OfferAndPool(offer=_from_json(cached), pool_total=parse_counter(counter))
    offer = load_offer(coin_name=coin_name)
    _keep(_offer_key(coin_name), _to_json(offer))
    return OfferAndPool(offer=offer, pool_total=parse_counter(counter))


def list_offers(*, cached: str | None = None) -> Sequence[Offer]:
    """Return the offers of all coins on sale, ordered by name.

    `cached` is the value of LIST_KEY, if the caller has read it already; otherwise this costs a round trip to
    Redis. If the list has expired, a query and another round trip follow.
    """
    try:
        found: Any = cached or with_redis(lambda client: client.get(LIST_KEY))
    except RedisAway:
        return _load_all()
    if found is not None:
        return _list_from_json(found)
    offers = _load_all()
    _keep(LIST_KEY, json.dumps([_to_json(offer) for offer in offers]))
    return offers


def load_offer(*, coin_name: str) -> Offer:
    """Load the offer of one coin from Postgres. Raises UnknownCoin unless `coin_name` (any text) is on sale."""
    storable = coin_name.isalnum()  # Postgres refuses the NUL character
    coin = storable and _coins_with_prices().filter(name=coin_name, is_sold=True).first()
    if not coin:
        raise UnknownCoin
    return offer_of(coin=coin)


def offer_of(*, coin: Coin) -> Offer:
    """Return the offer for a coin. A closed shop suspends it only if `_coins_with_prices` has read the coin."""
    current: CoinPrice | None = getattr(coin, "current_price", None)
    fixed = coin.fixed_price is not None
    return Offer(
        coin_id=coin.pk,
        name=coin.name,
        title=coin.title,
        minimum=smallest_amount(minimum=coin.minimum, step=coin.step),
        maximum=largest_amount(maximum=coin.maximum, step=coin.step),
        step=coin.step,
        price=coin.fixed_price if fixed else (current.value if current else None),
        price_source=FIXED if fixed else (current.source if current else ""),
        price_at=current.read_at if current else None,
        suspended=bool(getattr(coin, "shop_is_closed", False))
        or (not fixed and current is not None and current.suspended_at is not None),
    )


def _coins_with_prices() -> QuerySet[Coin]:
    """Return all coins with their current price, annotated with `shop_is_closed`."""
    closed = Exists(Shop.objects.filter(is_open=False))
    return Coin.objects.select_related("current_price").annotate(shop_is_closed=closed)


def publish_offer_after_commit(*, coin_id: int) -> None:
    """Write a coin's offer to the cache after the current database transaction commits."""
    transaction.on_commit(lambda: _publish(coin_id), robust=True)  # the change stands, and the cache expires


def _publish(coin_id: int) -> None:
    coin = _coins_with_prices().get(pk=coin_id)
    try:
        with_redis(lambda client: client.delete(LIST_KEY, _offer_key(coin.name)))
    except RedisAway:
        return
    if coin.is_sold:
        _keep(_offer_key(coin.name), _to_json(offer_of(coin=coin)))


def _load_all() -> list[Offer]:
    return [offer_of(coin=coin) for coin in _coins_with_prices().filter(is_sold=True).order_by("name")]


def _keep(key: str, value: str) -> None:
    try:
        with_redis(lambda client: client.set(key, value, ex=settings.PRICES.cache_seconds))
    except RedisAway:
        return


def _offer_key(coin_name: str) -> str:
    return f"offer:2:{coin_name}"


def _to_json(offer: Offer) -> str:
    return json.dumps(asdict(offer), default=str)


@lru_cache(maxsize=1024)
def _from_json(text: str) -> Offer:
    """Parse an offer. Cached, because the same text is read thousands of times before the offer changes."""
    data: dict[str, Any] = json.loads(text)
    for name in ("minimum", "maximum", "step", "price"):
        data[name] = None if data[name] is None else Decimal(data[name])
    data["price_at"] = datetime.fromisoformat(data["price_at"]) if data["price_at"] else None
    return Offer(**data)


@lru_cache(maxsize=8)
def _list_from_json(text: str) -> Sequence[Offer]:
    return tuple(_from_json(offer) for offer in json.loads(text))
