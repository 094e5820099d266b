"""Offers: the price and the limits at which a coin is sold right now.

What decides about an order is read from Postgres, in a statement of the order's own database transaction
(trading.selectors.orders). Redis holds only a list for customers to look at, for a few seconds. The list is signed and
dated, so that whoever can write to Redis can neither change it nor show an old one.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from math import ceil
from typing import Any, Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from trading.exceptions import PriceUnavailable, SalesStopped, UnknownCoin
from trading.loss_rules import day_of, end_of_day
from trading.models import Coin, CoinPrice, SalesStop, Shop, is_coin_name
from trading.price_rules import RuleFields, find_next_beginning, read_rule, rule_of_coin, terms_of_fields
from trading.price_terms import NO_RULE, PriceTerms, taker_rate_of
from trading.rounding import largest_amount, smallest_amount
from wallets.runtime import clock
from wallets.runtime.redis_store import RedisAway, read_text, with_redis

CoinFields = tuple[int, str, str, Decimal, Decimal, Decimal, Decimal | None]
"""Id, name, title, minimum, maximum, step and fixed price."""

PriceFields = tuple[Decimal, str, datetime, datetime | None]
"""Market price, source, time of the price and time of suspension."""

FIXED = "fixed"
_LONGEST_WAIT_SECONDS: Final = 3600
"""The longest wait that a refusal names: staff may let sales go on earlier than at the end of the day."""

# Increase the number when Offer's fields change: two versions of this code may share Redis for a while. The signature
# covers the key, so a list of one version does not pass for that of another.
LIST_KEY: Final = "offers:5"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A coin's limits (in coins, multiples of its step) and, if it has one, its price (US dollars a coin).

    `market_price` is what a purchase costs (the venue's ask, or the fixed price); customers pay `price`, which `terms`
    make of it. `price_at` is the venue's own time of the ask, if it says one. `stopped_until` is the end of a stop of
    sales because of the house's loss. `closed`: the shop is, for all coins.
    """

    coin_id: int
    name: str
    title: str
    minimum: Decimal
    maximum: Decimal
    step: Decimal
    market_price: Decimal | None
    price_source: str
    price_at: datetime | None
    suspended: bool
    closed: bool = False
    stopped_until: datetime | None = None
    terms: PriceTerms = NO_RULE

    @cached_property
    def price(self) -> Decimal | None:
        """The customer's price. None without a market price, or if no rule covers the commission on it."""
        if self.market_price is None or self.market_price <= 0:
            return None
        is_fixed = self.price_source == FIXED
        taker_rate = taker_rate_of(is_fixed=is_fixed)
        if not is_fixed and not self.terms.covers(taker_rate=taker_rate):
            return None
        return self.terms.price(market_price=self.market_price, taker_rate=taker_rate)

    def ensure_sellable(self, *, now: datetime) -> Decimal:
        """Return the price. Raises SalesStopped, and PriceUnavailable like `ensure_price`."""
        if self.stopped_until is not None and now < self.stopped_until:
            left = ceil((self.stopped_until - now).total_seconds())
            raise SalesStopped(retry_after_seconds=min(left, _LONGEST_WAIT_SECONDS))
        return self.ensure_price(now=now)

    def ensure_price(self, *, now: datetime) -> Decimal:
        """Return the price. Raises PriceUnavailable if the price is missing, too old or suspended."""
        if self.price is None or self.suspended or self.closed or self._is_stale(now):
            raise PriceUnavailable
        return self.price

    def ensure_market_price(self, *, now: datetime) -> Decimal:
        """Return the market price. Raises PriceUnavailable like `ensure_price`."""
        self.ensure_price(now=now)
        assert self.market_price is not None, "there is no price without one"
        return self.market_price

    def why_unavailable(self, *, now: datetime) -> str | None:
        """Return the API's word for the reason why the coin is not sold now; None if it is."""
        if self.closed:
            return "closed"
        if self.stopped_until is not None and now < self.stopped_until:
            return "sales_stopped"
        if self.suspended:
            return "suspended"
        return "price_unavailable" if self.price is None or self._is_stale(now) else None

    def is_available(self, *, now: datetime) -> bool:
        return self.why_unavailable(now=now) is None

    def _is_stale(self, now: datetime) -> bool:
        """Say whether the price is too old, or as far in the future: then its time, and so its age, is wrong."""
        if self.price_source == FIXED:
            return False
        return self.price_at is None or abs(now - self.price_at) > settings.PRICES.max_age


def list_offers(*, cached: str | None = None) -> Sequence[Offer]:
    """Return the offers of all coins on sale, ordered by name.

    `cached` is the value of LIST_KEY, if the caller has read it already; otherwise this costs a round trip to
    Redis. If the list is missing, out of date or not ours, a query and another round trip follow.
    """
    try:
        found = cached if cached is not None else with_redis(lambda client: read_text(client, LIST_KEY))
    except RedisAway:
        return _load_all()
    if found is not None and (offers := _read_list(found)) is not None:
        return offers
    until = _list_until()
    offers = _load_all()
    _keep(_write_list(offers, until=until))
    return offers


def load_offer(*, coin_name: str) -> Offer:
    """Load the offer of one coin from Postgres. Raises UnknownCoin unless `coin_name` (any text) is on sale."""
    coin = is_coin_name(coin_name) and coins_with_prices().filter(name=coin_name, is_sold=True).first()
    if not coin:
        raise UnknownCoin
    return offer_of(coin=coin)


def offer_of(*, coin: Coin) -> Offer:
    """Return the offer for a coin. Shop, stops and price rules count only if `coins_with_prices` has read the coin."""
    current: CoinPrice | None = getattr(coin, "current_price", None)
    return make_offer(
        coin=(coin.pk, coin.name, coin.title, coin.minimum, coin.maximum, coin.step, coin.fixed_price),
        current=_price_fields(current) if current else None,
        shop_is_closed=bool(getattr(coin, "shop_is_closed", False)),
        stopped_on=getattr(coin, "stopped_on", None),
        rule=read_rule(getattr(coin, "rule", None)),
    )


def _price_fields(current: CoinPrice) -> PriceFields:
    """Return the highest ask of a short time while the ask moves quickly, and the earlier of the price's two times."""
    return (
        current.value if current.worst_ask is None else max(current.value, current.worst_ask),
        current.source,
        current.read_at if current.quoted_at is None else min(current.read_at, current.quoted_at),
        current.suspended_at,
    )


def make_offer(
    *,
    coin: CoinFields,
    current: PriceFields | None,
    rule: RuleFields | None,
    shop_is_closed: bool,
    stopped_on: date | None,
) -> Offer:
    """Make the offer of a coin and, if any, its current price. A fixed price goes first and is never suspended.

    `rule` is the price rule that holds, if any. `stopped_on` is the UTC day on which sales of the coin have stopped.
    """
    coin_id, name, title, minimum, maximum, step, fixed_price = coin
    value, source, read_at, suspended_at = current or (None, "", None, None)
    has_fixed_price = fixed_price is not None
    return Offer(
        coin_id=coin_id,
        name=name,
        title=title,
        minimum=smallest_amount(minimum=minimum, step=step),
        maximum=largest_amount(maximum=maximum, step=step),
        step=step,
        market_price=fixed_price if has_fixed_price else value,
        price_source=FIXED if has_fixed_price else source,
        price_at=read_at,
        suspended=not has_fixed_price and suspended_at is not None,
        closed=shop_is_closed,
        stopped_until=end_of_day(stopped_on) if stopped_on else None,
        terms=terms_of_fields(rule, has_fixed_price=has_fixed_price),
    )


def coins_with_prices() -> QuerySet[Coin]:
    """Return all coins with their current price, annotated with `shop_is_closed`, `stopped_on` and `rule`."""
    now = clock.now()
    closed = Exists(Shop.objects.filter(is_open=False))
    stops = SalesStop.objects.filter(day=day_of(now), stopped_at__isnull=False)
    of_coin = stops.filter(Q(coin=None) | Q(coin=OuterRef("pk")))
    return Coin.objects.select_related("current_price").annotate(
        shop_is_closed=closed,
        stopped_on=Subquery(of_coin.values("day")[:1]),
        rule=rule_of_coin(now=now),
    )


def publish_offer_after_commit(*, coin_id: int) -> None:
    """Drop the list of offers after the current database transaction commits, because a coin's offer has changed."""
    publish_offers_after_commit()


def publish_offers_after_commit() -> None:
    """Drop the list of offers after the current database transaction commits."""
    transaction.on_commit(_drop_list, robust=True)  # the change stands, and the cache expires


def _drop_list() -> None:
    try:
        with_redis(lambda client: client.delete(LIST_KEY))
    except RedisAway:
        return


def _load_all() -> Sequence[Offer]:
    return tuple(offer_of(coin=coin) for coin in coins_with_prices().filter(is_sold=True).order_by("name"))


def _keep(text: str) -> None:
    try:
        with_redis(lambda client: client.set(LIST_KEY, text, ex=settings.PRICES.cache_seconds))
    except RedisAway:
        return


def _list_until() -> datetime:
    """Return the moment until which a list that is read now is believed: the next price rule may begin before."""
    now = clock.now()
    until = now + timedelta(seconds=settings.PRICES.cache_seconds)
    return find_next_beginning(after=now, before=until) or until


def _write_list(offers: Sequence[Offer], *, until: datetime | None = None) -> str:
    """Return the offers and the time of their end as signed text."""
    dated = {"until": (until or _list_until()).isoformat(), "offers": [asdict(offer) for offer in offers]}
    return _signer().sign(json.dumps(dated, default=str))


def _read_list(text: str) -> Sequence[Offer] | None:
    """Return the offers of a signed list; None if it is not ours, or if its time is up."""
    until, offers = _verify_list(text)
    now = clock.now()
    if until is None or not now < until <= now + timedelta(seconds=settings.PRICES.cache_seconds):
        return None
    return offers


@lru_cache(maxsize=8)
def _verify_list(text: str) -> tuple[datetime | None, Sequence[Offer]]:
    """Return a list's end and offers; no end if the list is not ours. Cached, because many requests read one list."""
    try:
        data: dict[str, Any] = json.loads(_signer().unsign(text))
    except BadSignature:
        return None, ()
    return datetime.fromisoformat(data["until"]), tuple(map(_from_json, data["offers"]))


def _signer() -> Signer:
    """Return the signer of lists: HMAC-SHA-256, with a key that Django derives from SECRET_KEY and the salt."""
    return Signer(salt=f"trading.offers {LIST_KEY}")


def _from_json(data: dict[str, Any]) -> Offer:
    for name in ("minimum", "maximum", "step", "market_price"):
        data[name] = _decimal(data[name])
    for name in ("price_at", "stopped_until"):
        data[name] = datetime.fromisoformat(data[name]) if data[name] else None
    terms: dict[str, Any] = data["terms"]
    data["terms"] = PriceTerms(
        rule_id=terms.pop("rule_id"),
        **{name: _decimal(value) for name, value in terms.items()},  # type: ignore[arg-type]
    )
    return Offer(**data)


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
