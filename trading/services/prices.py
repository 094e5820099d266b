"""Records readings of prices. A reading that jumps suspends its coin, until it is believed (`trading.jumps`)."""

import logging
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from trading.jumps import AGREEING_READINGS, LATE, Band, count_agreeing, has_returned, readings_agree, worst_ask
from trading.models import Coin, CoinPrice, PriceChange, SuspensionEnd
from trading.offers import publish_offer_after_commit
from trading.readings import MOST_AHEAD, Reading, Times, as_stored, find_fault, is_late, with_first_receipt
from trading.selectors.price_rules import find_spread
from trading.selectors.prices import list_asks_since, read_band
from trading.services import suspending
from wallets.models import User

logger = logging.getLogger(__name__)

_BELIEVED: Final = frozenset({SuspensionEnd.CONFIRMED, SuspensionEnd.ACCEPTED})


def record_price(*, coin: Coin, value: Decimal, source: str, now: datetime) -> bool:
    """Record a price that comes from no market (US dollars a coin). Return False if it is dropped."""
    return record_reading(coin=coin, reading=Reading.of_price(value), source=source, now=now) is None


@transaction.atomic
def record_reading(*, coin: Coin, reading: Reading, source: str, now: datetime) -> str | None:
    """Record a reading of a coin's prices. Return the reason why it is dropped, or None.

    A reading that cannot be used, or that is older than the one before, is dropped: the last good one stays, and
    becomes older. A reading that is too far from the last good ones suspends the coin. The suspension ends with three
    readings near the old price that agree, by `confirm_price`, or when staff accept the suspect price.
    """
    price = CoinPrice.objects.select_for_update().filter(coin=coin).first()
    if fault := find_fault(reading=reading, now=now, max_age=settings.PRICES.max_age):
        return _drop(coin, fault=fault)
    if price is not None:
        newest = suspending.newest_times(price)
        reading = with_first_receipt(reading, newest=newest, now=now)
        if fault := _find_fault_after(newest, reading=reading, now=now):
            return _drop(coin, fault=fault)
    reading = as_stored(reading)
    if price is None:
        _accept(CoinPrice(coin=coin), reading=reading, source=source, now=now)
    elif price.suspended_at is not None:
        _add_to_suspension(price, reading=reading, source=source, now=now)
    elif reading.ask == price.value or (band := read_band(price=price, now=now)).holds(reading.ask):
        _accept(price, reading=reading, source=source, now=now)
    else:
        _suspend(price, reading=reading, band=band, now=now)
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
def accept_price(*, coin: Coin, expected: Decimal, now: datetime, accepted_by: User | None = None) -> Decimal | None:
    """Sell a suspended coin at its newest suspect price, because staff know that `expected` is about right.

    Return the price that is accepted, US dollars a coin: that of the newest reading, since readings go on while staff
    think. Return None if it differs from `expected` by more than 1 %, or if fewer than three readings agree.
    """
    price = CoinPrice.objects.select_for_update().get(coin=coin)
    candidate: Decimal | None = price.candidate
    if candidate is None or price.candidate_readings < AGREEING_READINGS or not readings_agree(candidate, expected):
        return None
    _believe(price, end=SuspensionEnd.ACCEPTED, now=now, accepted_by=accepted_by)
    return candidate


def _drop(coin: Coin, *, fault: str) -> str:
    logger.warning("%s: %s", coin.name, fault)
    return fault


def _find_fault_after(newest: Times, *, reading: Reading, now: datetime) -> str | None:
    if is_late(reading, read_at=now, newest=newest, max_age=settings.PRICES.max_age):
        return "the venue's price is older than the one before"
    return find_fault(reading=reading, now=now, max_age=settings.PRICES.max_age)


def _accept(
    price: CoinPrice, *, reading: Reading, source: str, now: datetime, end: SuspensionEnd | None = None
) -> None:
    changed_at = _time_of_change(price, now=now)
    _note_beginnings(price, end=end, now=changed_at)
    has_changed = price.value != reading.ask
    if has_changed:
        PriceChange.objects.create(coin=price.coin, value=reading.ask, source=source, read_at=changed_at)
    if reading.asked_anew or price.book_at is None or reading.book != (price.bid, price.value):
        price.book_at = now
    price.bid, price.value = reading.book
    price.last = price.last if reading.asked_anew and reading.last is None else reading.last
    price.source, price.read_at, price.details_at = source, now, now
    price.quoted_at, price.venue_time = reading.quoted_at, reading.venue_time
    # Without a change the ask has not moved more than before.
    price.worst_ask = _worst_ask(price, now=now) if has_changed or price.worst_ask is not None else None
    price.save()


def _time_of_change(price: CoinPrice, *, now: datetime) -> datetime:
    """Return the time of a change that is recorded now: never before those of the changes that are recorded already.

    Of two readings at almost the same time, the later one may be recorded first.
    """
    times = (now, price.read_at or now, price.asks_from or now)
    return max(time for time in times if time - now <= MOST_AHEAD)


def _note_beginnings(price: CoinPrice, *, end: SuspensionEnd | None, now: datetime) -> None:
    """Note from when on asks may be the worst ask, and good prices measure a jump.

    Asks of before a suspension, or of before a time without a price, do not count: nothing was sold meanwhile. A price
    that was believed after a jump has nothing to do with those of before.
    """
    gap = now - price.read_at if price.read_at else None
    if end or gap is None or gap > settings.PRICES.max_age:
        price.asks_from = now
    if end in _BELIEVED or gap is None or gap > LATE:
        price.jumps_from = now


def _worst_ask(price: CoinPrice, *, now: datetime) -> Decimal | None:
    """Return the highest ask of the last PRICE_VALID_SECONDS, if the ask has moved by more than the spread in them."""
    since = now - settings.PRICES.valid_for
    asks = list_asks_since(coin_id=price.coin_id, since=max(since, price.asks_from) if price.asks_from else since)
    return worst_ask(asks=[price.value, *asks], spread_rate=find_spread(coin=price.coin, at=now))


def _suspend(price: CoinPrice, *, reading: Reading, band: Band, now: datetime) -> None:
    price.suspended_at = now
    suspending.begin_suspension(price, band=band)
    _add_to_suspension(price, reading=reading, source=price.source, now=now)
    logger.warning("%s is suspended: %s is too far from %s", price.coin.name, f"{reading.ask:f}", f"{price.value:f}")


def _add_to_suspension(price: CoinPrice, *, reading: Reading, source: str, now: datetime) -> None:
    """Add a reading to the coin's suspension. It ends it if it is the third near the old price."""
    asks, band = suspending.add_reading(price, reading=reading, now=now)
    if has_returned(asks, band=band):
        suspending.end_suspension(price, end=SuspensionEnd.RETURNED, ended_price=reading.ask, now=now)
        _accept(price, reading=reading, source=source, now=now, end=SuspensionEnd.RETURNED)
        return
    price.candidate, price.candidate_readings = asks[-1], count_agreeing(asks)
    price.save(update_fields=["suspended_at", "candidate", "candidate_readings"])


def _believe(price: CoinPrice, *, end: SuspensionEnd, now: datetime, accepted_by: User | None = None) -> None:
    """Make the suspect price the current one, as old as its reading."""
    reading, read_at = suspending.newest_suspect(price)
    suspending.end_suspension(price, end=end, ended_price=reading.ask, now=now, seen_by=accepted_by)
    _accept(price, reading=replace(reading, asked_anew=True), source=price.source, now=read_at, end=end)
    publish_offer_after_commit(coin_id=price.coin_id)


def prune_prices(*, before: datetime) -> int:
    """Delete the price changes that were read before `before`, and return their number."""
    return PriceChange.objects.filter(read_at__lt=before).delete()[0]
