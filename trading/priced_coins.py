"""Reads coins with everything that their offers depend on."""

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from trading.last_counts import count_of_coin
from trading.loss_rules import day_of
from trading.models import ClosedMarket, Coin, SalesStop, Shop
from trading.price_rules import rule_of_coin
from wallets.runtime import clock


def coins_with_rules() -> QuerySet[Coin]:
    """Return all coins with their current price and price rule: all that the customers' price depends on."""
    return Coin.objects.select_related("current_price").annotate(rule=rule_of_coin(now=clock.now()))


def coins_with_prices() -> QuerySet[Coin]:
    """Return all coins with their current price, annotated with all that an offer depends on."""
    closed = Exists(Shop.objects.filter(is_open=False))
    stops = SalesStop.objects.filter(day=day_of(clock.now()), stopped_at__isnull=False)
    of_coin = stops.filter(Q(coin=None) | Q(coin=OuterRef("pk")))
    return coins_with_rules().annotate(
        shop_is_closed=closed,
        market_is_closed=Exists(ClosedMarket.objects.filter(coin=OuterRef("pk"))),
        stopped_on=Subquery(of_coin.values("day")[:1]),
        last_count=count_of_coin(),
    )
