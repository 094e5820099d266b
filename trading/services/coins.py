"""Puts coins on sale, and stops or resumes their sale."""

from typing import Any

from django.db import transaction

from trading.models import Coin, Shop
from trading.offers import publish_offer_after_commit
from trading.services.price_rules import ensure_market_price_allowed
from wallets.services.house import open_house_wallets


@transaction.atomic
def put_on_sale(*, name: str, **fields: Any) -> Coin:
    """Put a coin on sale, and open its house wallets. An existing coin keeps its fields.

    Raises NoRuleForMarketPrice.
    """
    coin, is_new = Coin.objects.get_or_create(name=name, defaults=fields)
    if is_new and coin.fixed_price is None:
        ensure_market_price_allowed(coin=coin)
    open_house_wallets(asset=name)
    return coin


@transaction.atomic
def save_coin(*, coin: Coin) -> None:
    """Save a coin that staff have changed, and publish its offer after the commit.

    Raises OwnRuleTooSmall and NoRuleForMarketPrice if its price is not fixed and the price rules do not allow that.
    """
    coin.save()
    if coin.fixed_price is None:  # after the save, which locks the coin as a new rule does
        ensure_market_price_allowed(coin=coin)
    open_house_wallets(asset=coin.name)
    publish_offer_after_commit(coin_id=coin.pk)


def stop_selling(*, coin: Coin) -> None:
    """Refuse new orders of a coin. Waiting orders are bought as usual."""
    _set_sold(coin, is_sold=False)


def sell_again(*, coin: Coin) -> None:
    """Accept orders of a coin again."""
    _set_sold(coin, is_sold=True)


@transaction.atomic
def _set_sold(coin: Coin, *, is_sold: bool) -> None:
    Coin.objects.filter(pk=coin.pk).update(is_sold=is_sold)
    publish_offer_after_commit(coin_id=coin.pk)


@transaction.atomic
def open_or_close_shop(*, is_open: bool, reason: str = "") -> None:
    """Stop or resume the sale of all coins. Waiting orders are bought as usual."""
    Shop.objects.update_or_create(pk=1, defaults={"is_open": is_open, "reason": reason})
    for coin_id in Coin.objects.filter(is_sold=True).values_list("pk", flat=True):
        publish_offer_after_commit(coin_id=coin_id)
