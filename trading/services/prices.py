"""Records price readings, and suspends a coin after an implausible reading."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from trading.models import Coin, CoinPrice, PriceChange
from trading.offers import publish_offer_after_commit

logger = logging.getLogger(__name__)

AGREEING_READINGS = 3
_PLACES: Final = Decimal("0.00000001")
_TOO_HIGH: Final = Decimal(10) ** 12
_MOST_ROUNDING: Final = Decimal("0.001")


@transaction.atomic
def record_price(*, coin: Coin, value: Decimal, source: str, now: datetime) -> bool:
    """Record one reading (US dollars a coin). Return False for a reading that is dropped.

    A reading is dropped if it is no number above zero, or if a price column cannot hold it. A reading further than
    PRICE_DEVIATION_LIMIT from the current price suspends the coin. The suspension ends with a reading near the current
    price, with three suspect readings in a row that agree with each other, or when staff accept the suspect price.
    """
    if not _is_storable(value):
        logger.warning("%s: a price of %s is dropped", coin.name, value)
        return False
    value = value.quantize(_PLACES)
    price = CoinPrice.objects.select_for_update().filter(coin=coin).first()
    if price is None:
        _accept(CoinPrice(coin=coin), value=value, source=source, now=now)
    elif _agrees(value, price.value):
        _accept(price, value=value, source=source, now=now)
    else:
        _suspect(price, value=value, source=source, now=now)
    publish_offer_after_commit(coin_id=coin.pk)
    return True


@transaction.atomic
def accept_price(*, coin: Coin, expected: Decimal, now: datetime) -> bool:
    """Sell a suspended coin at its suspect price `expected`; return False if another reading has replaced it."""
    price = CoinPrice.objects.select_for_update().get(coin=coin)
    if price.candidate != expected:
        return False
    _accept(price, value=expected, source=price.source, now=now)
    publish_offer_after_commit(coin_id=coin.pk)
    return True


def _is_storable(value: Decimal) -> bool:
    """Say whether a price fits its column, and is not changed noticeably by the rounding to eight places."""
    if not value.is_finite() or not 0 < value < _TOO_HIGH:
        return False
    return abs(value.quantize(_PLACES) - value) <= value * _MOST_ROUNDING


def _agrees(value: Decimal, other: Decimal) -> bool:
    return bool(abs(value - other) <= other * settings.PRICES.deviation_limit)


def _accept(price: CoinPrice, *, value: Decimal, source: str, now: datetime) -> None:
    if price.value != value:
        PriceChange.objects.create(coin=price.coin, value=value, source=source, read_at=now)
    price.value, price.source, price.read_at = value, source, now
    price.suspended_at, price.candidate, price.candidate_readings = None, None, 0
    price.save()


def _suspect(price: CoinPrice, *, value: Decimal, source: str, now: datetime) -> None:
    if price.candidate is not None and _agrees(value, price.candidate):
        price.candidate_readings += 1
    else:
        price.candidate_readings = 1
    if price.candidate_readings >= AGREEING_READINGS:
        _accept(price, value=value, source=source, now=now)
        return
    price.candidate = value
    price.suspended_at = price.suspended_at or now
    price.save()
    logger.warning(
        "%s is suspended: %s is too far from %s", price.coin.name, value.normalize(), price.value.normalize()
    )


def prune_prices(*, before: datetime) -> int:
    """Delete the price changes that were read before `before`, and return their number."""
    return PriceChange.objects.filter(read_at__lt=before).delete()[0]
