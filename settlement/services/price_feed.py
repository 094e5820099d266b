"""Read prices from the venue, and let a second source confirm those that have jumped."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.models import PRICE_READING
from settlement.services.calling import call
from settlement.services.isolating import ItemFailed, run_each
from settlement.services.venue_clock import read_clock_offset
from settlement.told import digits
from settlement.venues.protocol import NoPrice, Quoted, SecondSource, Venue, VenueAway
from trading.models import Coin, CoinPrice
from trading.readings import Reading
from trading.selectors.prices import list_coins_to_confirm, list_frozen_books
from trading.services.markets import record_closed_markets
from trading.services.prices import confirm_price, record_reading
from trading.services.suspending import SecondReading

logger = logging.getLogger(__name__)

_MISSING: Final = NoPrice("the venue gives no price")

Readings = Mapping[str, Reading | NoPrice]


def refresh_prices(*, venue: Venue, source: str, now: datetime) -> None:
    """Record the venue's prices of every coin that is on sale without a fixed price.

    A coin without a usable price keeps its old one, and the to-do page names it once that price is older than
    PRICE_MAX_AGE; the other coins go on. If the venue does not answer, all old prices stay. No coin is sold at a price
    older than PRICE_MAX_AGE.
    """
    coins = list(Coin.objects.filter(is_sold=True, fixed_price=None))
    if not coins:
        return
    try:
        readings = call(read=lambda: _read(venue, coins=coins, now=now), now=now)
    except VenueAway as error:
        logger.warning("no prices: the venue does not answer: %s", error)
        return
    closed = {coin.pk for coin in coins if _is_closed(readings.get(coin.name))}
    record_closed_markets(coin_ids=closed, now=now)
    frozen = list_frozen_books(now=now, frozen_for=settings.PRICES.frozen_for)
    record = partial(_record, readings=readings, frozen=frozen, venue=venue, source=source, now=now)
    run_each(what=PRICE_READING, items=coins, run=record, now=now)


def confirm_prices(*, second: SecondSource, now: datetime) -> None:
    """Ask a second source for the price of each coin whose price has jumped and whose readings agree."""
    run_each(
        what="second source",
        items=list_coins_to_confirm(),
        run=lambda coin: _confirm(coin, second=second, now=now),
        now=now,
    )


def _read(venue: Venue, *, coins: list[Coin], now: datetime) -> Readings:
    told = venue.read_prices(coins=[coin.name for coin in coins])
    if not any(isinstance(quoted, Quoted) and quoted.venue_time for quoted in told.values()):
        return {name: _reading_of(quoted, ages_from=None, now=now) for name, quoted in told.items()}
    venue_now = database_now() + read_clock_offset(venue=venue)
    return {name: _reading_of(quoted, ages_from=venue_now, now=now) for name, quoted in told.items()}


def _reading_of(quoted: Quoted | NoPrice, *, ages_from: datetime | None, now: datetime) -> Reading | NoPrice:
    """Return the reading of a venue's prices, with their time by our clock: `now` less their age at `ages_from`."""
    if isinstance(quoted, NoPrice):
        return quoted
    told_at = quoted.venue_time
    return Reading(
        bid=quoted.bid,
        ask=quoted.ask,
        last=quoted.last,
        quoted_at=now - (ages_from - told_at) if told_at and ages_from else None,
        venue_time=told_at,
    )


def _record(
    coin: Coin, *, readings: Readings, frozen: Mapping[int, CoinPrice], venue: Venue, source: str, now: datetime
) -> None:
    reading = readings.get(coin.name, _MISSING)
    if isinstance(reading, NoPrice):
        raise ItemFailed(reading.reason)
    if reading.quoted_at is None and _is_same_book(reading, frozen.get(coin.pk)):
        reading = _ask_anew(coin, venue=venue, now=now)
    if fault := record_reading(coin=coin, reading=reading, source=source, now=now):
        raise ItemFailed(fault[:200])


def _is_closed(reading: Reading | NoPrice | None) -> bool:
    return isinstance(reading, NoPrice) and reading.not_trading


def _is_same_book(reading: Reading, price: CoinPrice | None) -> bool:
    return price is not None and reading.book == (price.bid, price.value)


def _ask_anew(coin: Coin, *, venue: Venue, now: datetime) -> Reading:
    """Ask for the book of a coin alone, because nothing else tells whether a book that stays the same is current."""
    quoted = call(read=lambda: venue.read_book(coin=coin.name), now=now)
    if isinstance(quoted, NoPrice):
        raise ItemFailed(quoted.reason)
    return Reading(bid=quoted.bid, ask=quoted.ask, last=quoted.last, asked_anew=True)


def _confirm(coin: Coin, *, second: SecondSource, now: datetime) -> None:
    release_database_connection()
    price = second.read_price(coin=coin.name)
    if isinstance(price, NoPrice):
        raise ItemFailed(f"{second.name}: {price.reason}"[:200])
    age = database_now() - price.source_time if price.source_time else timedelta(0)
    told = SecondReading(value=price.value, at=now - age, source=second.name)
    if not confirm_price(coin=coin, second=told, now=now):
        raise ItemFailed(f"{second.name} says {digits(price.value)}, {int(age.total_seconds())} seconds ago"[:200])
