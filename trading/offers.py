"""Offers: the price and the limits at which a coin is sold right now.

What decides about an order is read from Postgres, in a statement of the order's own database transaction
(trading.selectors.orders). Redis holds only a list for customers to look at (trading.offer_list).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import Final

from django.conf import settings
from django.db import transaction

from trading.exceptions import PriceUnavailable, SalesStopped, UnknownCoin
from trading.headroom_rules import LastCount, sales_stopped
from trading.last_counts import read_count
from trading.loss_rules import end_of_day
from trading.models import Coin, CoinPrice, is_coin_name
from trading.price_rules import RuleFields, read_rule, terms_of_fields
from trading.price_terms import NO_RULE, PriceTerms, taker_rate_of
from trading.priced_coins import coins_with_prices
from trading.rounding import amount_for, largest_amount, smallest_amount, subtotal_for
from wallets.runtime.redis_store import RedisAway, with_redis

CoinFields = tuple[int, str, str, Decimal, Decimal | None, Decimal, Decimal | None, bool]
"""Id, name, title, minimum, maximum, step, fixed price, and whether the venue says that its market is closed."""

PriceFields = tuple[Decimal, str, datetime, datetime | None, Decimal]
"""Market price, source, time of the price, time of suspension, and ask."""

FIXED = "fixed"
_LONGEST_WAIT_SECONDS: Final = 3600
"""The longest wait that a refusal names: staff may let sales go on earlier than at the end of the day."""

# Increase the number when Offer's fields change: two versions of this code may share Redis for a while. The signature
# covers the key, so a list of one version does not pass for that of another.
LIST_KEY: Final = "offers:6"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A coin's limits (in coins, multiples of its step) and, if it has one, its price (US dollars a coin).

    `market_price` is what a purchase costs (the venue's ask, or the fixed price); customers pay `price`, which `terms`
    make of it. While the `ask` moves quickly, the market price is the highest one of a short time. `price_at` is the
    venue's own time of the ask, if it says one. `stopped_until` is the end of a stop of sales because of the house's
    loss. `closed`: the shop is, for all coins. `market_closed`: the venue says that it does not trade the coin.
    `largest_order` is the most (US dollars) of one order by the last count of what may still be sold; None for any.
    """

    coin_id: int
    name: str
    title: str
    minimum: Decimal
    own_maximum: Decimal | None
    step: Decimal
    market_price: Decimal | None
    ask: Decimal | None
    price_source: str
    price_at: datetime | None
    suspended: bool
    market_closed: bool = False
    closed: bool = False
    stopped_until: datetime | None = None
    largest_order: Decimal | None = None
    terms: PriceTerms = NO_RULE

    @cached_property
    def price(self) -> Decimal | None:
        """The customer's price. None without a market price, or if no rule covers the commission on it."""
        if self.market_price is None or self.market_price <= 0:
            return None
        is_fixed = self.price_source == FIXED
        taker_rate = taker_rate_of(is_fixed=is_fixed)
        if not is_fixed and not self.terms.covers_commission:
            return None
        return self.terms.price(market_price=self.market_price, taker_rate=taker_rate)

    @cached_property
    def maximum(self) -> Decimal | None:
        """The coin's own maximum, or as many coins as ORDER_MAXIMUM dollars buy; None without a price."""
        if self.own_maximum is not None or self.price is None:
            return self.own_maximum
        affordable = amount_for(total=settings.PRICES.order_maximum, price=self.price, step=self.step)
        return max(affordable, self.minimum)

    def ensure_sellable(self, *, now: datetime) -> Decimal:
        """Return the price. Raises SalesStopped, and PriceUnavailable like `ensure_price`."""
        self.ensure_not_stopped(now=now)
        price = self.ensure_price(now=now)
        if self._is_sold_out():
            raise sales_stopped()
        return price

    def ensure_not_stopped(self, *, now: datetime) -> None:
        """Raise SalesStopped if the house's loss has stopped sales."""
        if self.stopped_until is not None and now < self.stopped_until:
            left = ceil((self.stopped_until - now).total_seconds())
            raise SalesStopped(retry_after_seconds=min(left, _LONGEST_WAIT_SECONDS))

    def ensure_price(self, *, now: datetime) -> Decimal:
        """Return the price. Raises PriceUnavailable if it is missing, too old or suspended, or the market is closed."""
        if self.price is None or self.suspended or self.closed or self.market_closed or self._is_stale(now):
            raise PriceUnavailable
        return self.price

    def ensure_market_price(self, *, now: datetime) -> Decimal:
        """Return the market price. Raises PriceUnavailable like `ensure_price`."""
        self.ensure_price(now=now)
        assert self.market_price is not None, "there is no price without one"
        return self.market_price

    def ensure_current_ask(self, *, now: datetime) -> Decimal:
        """Return the ask. Raises PriceUnavailable like `ensure_price`, or if it is older than PRICE_VALID_SECONDS."""
        self.ensure_price(now=now)
        if self.ask is None or self._is_stale(now, longest=settings.PRICES.valid_for):
            raise PriceUnavailable
        return self.ask

    def why_unavailable(self, *, now: datetime) -> str | None:
        """Return the API's word for the reason why the coin is not sold now; None if it is."""
        if self.closed:
            return "closed"
        if self.stopped_until is not None and now < self.stopped_until:
            return "sales_stopped"
        if self.market_closed:
            return "not_trading"
        if self.suspended:
            return "suspended"
        if self.price is None or self._is_stale(now):
            return "price_unavailable"
        return "sales_stopped" if self._is_sold_out() else None

    def is_available(self, *, now: datetime) -> bool:
        return self.why_unavailable(now=now) is None

    def _is_sold_out(self) -> bool:
        """Say whether not even the smallest order may be sold by the last count."""
        if self.largest_order is None or self.price is None:
            return False
        return subtotal_for(amount=self.minimum, price=self.price) > self.largest_order

    def _is_stale(self, now: datetime, *, longest: timedelta | None = None) -> bool:
        """Say whether the price is too old, or as far in the future: then its time, and so its age, is wrong."""
        if self.price_source == FIXED:
            return False
        return self.price_at is None or abs(now - self.price_at) > (longest or settings.PRICES.max_age)


def load_offer(*, coin_name: str) -> Offer:
    """Load the offer of one coin from Postgres. Raises UnknownCoin unless `coin_name` (any text) is on sale."""
    coin = is_coin_name(coin_name) and coins_with_prices().filter(name=coin_name, is_sold=True).first()
    if not coin:
        raise UnknownCoin
    return offer_of(coin=coin)


def offer_of(*, coin: Coin) -> Offer:
    """Return the offer for a coin. All but the coin and its price counts only if `coins_with_prices` has read it."""
    current: CoinPrice | None = getattr(coin, "current_price", None)
    return make_offer(
        coin=(
            *(coin.pk, coin.name, coin.title, coin.minimum, coin.maximum, coin.step, coin.fixed_price),
            bool(getattr(coin, "market_is_closed", False)),
        ),
        current=_price_fields(current) if current else None,
        shop_is_closed=bool(getattr(coin, "shop_is_closed", False)),
        stopped_on=getattr(coin, "stopped_on", None),
        last_count=read_count(getattr(coin, "last_count", None)),
        rule=read_rule(getattr(coin, "rule", None)),
    )


def _price_fields(current: CoinPrice) -> PriceFields:
    """Return the highest ask of a short time while the ask moves quickly, and the earlier of the price's two times."""
    if not current.has_details:
        return current.value, current.source, current.read_at, current.suspended_at, current.value
    return (
        current.value if current.worst_ask is None else max(current.value, current.worst_ask),
        current.source,
        current.read_at if current.quoted_at is None else min(current.read_at, current.quoted_at),
        current.suspended_at,
        current.value,
    )


def make_offer(
    *,
    coin: CoinFields,
    current: PriceFields | None,
    rule: RuleFields | None,
    shop_is_closed: bool,
    stopped_on: date | None,
    last_count: LastCount | None,
) -> Offer:
    """Make the offer of a coin and, if any, its current price. A fixed price goes first and is never suspended.

    `rule` is the price rule that holds, if any. `stopped_on` is the UTC day on which sales of the coin have stopped.
    `last_count` says what may still be sold.
    """
    coin_id, name, title, minimum, maximum, step, fixed_price, market_is_closed = coin
    value, source, read_at, suspended_at, ask = current or (None, "", None, None, None)
    has_fixed_price = fixed_price is not None
    return Offer(
        coin_id=coin_id,
        name=name,
        title=title,
        minimum=smallest_amount(minimum=minimum, step=step),
        own_maximum=None if maximum is None else largest_amount(maximum=maximum, step=step),
        step=step,
        market_price=fixed_price if has_fixed_price else value,
        ask=fixed_price if has_fixed_price else ask,
        price_source=FIXED if has_fixed_price else source,
        price_at=read_at,
        suspended=not has_fixed_price and suspended_at is not None,
        market_closed=not has_fixed_price and market_is_closed,
        closed=shop_is_closed,
        stopped_until=end_of_day(stopped_on) if stopped_on else None,
        largest_order=last_count.largest_order() if last_count else None,
        terms=terms_of_fields(rule, has_fixed_price=has_fixed_price),
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
