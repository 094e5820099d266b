"""Records readings of prices. A reading that jumps suspends its coin, until it is believed (`trading.jumps`)."""

import logging
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from trading.jumps import count_agreeing, is_within, limit_after, worst_ask
from trading.models import Coin, CoinPrice, PriceChange, SuspensionEnd
from trading.offers import publish_offer_after_commit
from trading.readings import MOST_AHEAD, Reading, as_stored, find_fault
from trading.selectors.prices import list_asks_since
from trading.services import suspending
from wallets.models import User

logger = logging.getLogger(__name__)

_SPREAD_RATE: Final = Decimal("0.005")
"""The spread of coins with a market price, as a share of the ask."""


def record_price(*, coin: Coin, value: Decimal, source: str, now: datetime) -> bool:
    """Record a price that comes from no market (US dollars a coin). Return False if it is dropped."""
    return record_reading(coin=coin, reading=Reading.of_price(value), source=source, now=now) is None


@transaction.atomic
def record_reading(*, coin: Coin, reading: Reading, source: str, now: datetime) -> str | None:
    """Record a reading of a coin's prices. Return the reason why it is dropped, or None.

    A reading that cannot be used, or whose quote is older than the one before, is dropped: the last good one stays, and
    becomes older. A reading that is too far from the last good one suspends the coin. The suspension ends with a
    reading near the old price, by `confirm_price`, or when staff accept the suspect price.
    """
    if fault := find_fault(reading=reading, now=now, max_age=settings.PRICES.max_age):
        logger.warning("%s: %s", coin.name, fault)
        return fault
    reading = as_stored(reading)
    price = CoinPrice.objects.select_for_update().filter(coin=coin).first()
    if price is None:
        _accept(CoinPrice(coin=coin), reading=reading, source=source, now=now)
    elif _is_earlier(reading, than=price):
        return "the venue's price is older than the one before"
    elif is_within(value=reading.ask, of=price.value, limit=(limit := _limit_for(price, now=now))):
        _accept(price, reading=reading, source=source, now=now)
    else:
        _suspect(price, reading=reading, limit=limit, now=now)
    publish_offer_after_commit(coin_id=coin.pk)
    return None


@transaction.atomic
def confirm_price(*, coin: Coin, second: suspending.SecondReading, now: datetime) -> bool:
    """Sell a suspended coin at its suspect price, if three readings agree and so does a second source.

    Whatever the second source says is kept with the suspension. Return False if the price is not believed; beyond
    PRICE_DEVIATION_LIMIT only staff can accept it.
    """
    price = CoinPrice.objects.select_for_update().get(coin=coin)
    if price.suspended_at is None or price.candidate is None:
        return False
    suspending.record_second(coin=coin, second=second)
    if not suspending.is_confirmed(price, second=second, now=now):
        return False
    _believe(price, end=SuspensionEnd.CONFIRMED, now=now)
    return True


@transaction.atomic
def accept_price(*, coin: Coin, expected: Decimal, now: datetime, accepted_by: User | None = None) -> bool:
    """Sell a suspended coin at its suspect price `expected`; return False if another reading has replaced it."""
    price = CoinPrice.objects.select_for_update().get(coin=coin)
    if price.candidate is None or price.candidate != expected:
        return False
    _believe(price, end=SuspensionEnd.ACCEPTED, now=now, accepted_by=accepted_by)
    return True


def _is_earlier(reading: Reading, *, than: CoinPrice) -> bool:
    """Say whether a quote is older than the current one: an answer that came late, or from a copy that lags behind."""
    if reading.quoted_at is None or than.quoted_at is None:
        return False
    return reading.quoted_at < than.quoted_at - MOST_AHEAD


def _limit_for(price: CoinPrice, *, now: datetime) -> Decimal:
    """Return the share by which a reading may differ. It does not grow during a suspension: waiting proves nothing."""
    if price.suspended_at is not None and (fixed := suspending.limit_of(coin=price.coin)) is not None:
        return fixed
    grown = limit_after(gap=now - price.read_at, soon=settings.PRICES.jump_limit)
    return min(grown, settings.PRICES.deviation_limit)


def _accept(price: CoinPrice, *, reading: Reading, source: str, now: datetime) -> None:
    if price.suspended_at is not None:
        suspending.end_suspension(price, end=SuspensionEnd.RETURNED, ended_price=reading.ask, now=now)
    has_changed = price.value != reading.ask
    if has_changed:
        PriceChange.objects.create(coin=price.coin, value=reading.ask, source=source, read_at=now)
    if reading.asked_anew or price.book_at is None or reading.book != (price.bid, price.value):
        price.book_at = now
    price.bid, price.value = reading.book
    price.last = price.last if reading.asked_anew and reading.last is None else reading.last
    price.source, price.read_at, price.quoted_at = source, now, reading.quoted_at
    # Without a change the ask has not moved more than before.
    price.worst_ask = _worst_ask(price, now=now) if has_changed or price.worst_ask is not None else None
    price.save()


def _worst_ask(price: CoinPrice, *, now: datetime) -> Decimal | None:
    """Return the highest ask of the last PRICE_VALID_SECONDS, if the ask has moved by more than the spread in them."""
    asks = list_asks_since(coin_id=price.coin_id, since=now - settings.PRICES.valid_for)
    return worst_ask(asks=[price.value, *asks], spread_rate=_SPREAD_RATE)


def _suspect(price: CoinPrice, *, reading: Reading, limit: Decimal, now: datetime) -> None:
    price.suspended_at = price.suspended_at or now
    asks = suspending.add_suspect_reading(price, reading=reading, limit=limit, now=now)
    price.candidate, price.candidate_readings = asks[-1], count_agreeing(asks)
    price.save()
    logger.warning("%s is suspended: %s is too far from %s", price.coin.name, f"{reading.ask:f}", f"{price.value:f}")


def _believe(price: CoinPrice, *, end: SuspensionEnd, now: datetime, accepted_by: User | None = None) -> None:
    """Make the suspect price the current one. Nothing was sold meanwhile, so asks of before do not count."""
    reading, read_at = suspending.newest_reading(price, now=now)
    suspending.end_suspension(price, end=end, ended_price=reading.ask, now=now, seen_by=accepted_by)
    _accept(price, reading=replace(reading, asked_anew=True), source=price.source, now=read_at)
    price.worst_ask = None
    price.save(update_fields=["worst_ask"])
    publish_offer_after_commit(coin_id=price.coin_id)


def prune_prices(*, before: datetime) -> int:
    """Delete the price changes that were read before `before`, and return their number."""
    return PriceChange.objects.filter(read_at__lt=before).delete()[0]
