"""Read prices from the venue, and let a second source confirm those that have jumped.

Each of the three has its own job: a venue that is slow with the one stops none of the others. The first is periodic,
and enqueues the others while there is something for them to do.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db import Error

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.jobs import confirm_prices_later, refresh_books_later
from settlement.metrics import count_failed_item
from settlement.models import BOOK_READING, PRICE_READING, SECOND_READING, FailingItem
from settlement.services.calling import call
from settlement.services.isolating import ItemFailed, run_each
from settlement.services.venue_clock import read_clock_offset
from settlement.told import digits
from settlement.venues.protocol import (
    Venue,
    VenueAway,
)
from settlement.venues.quotes import NoPrice, Quoted, SecondSource
from trading.models import Coin
from trading.readings import Reading
from trading.selectors.prices import (
    has_frozen_book,
    is_suspended,
    list_coins_to_confirm,
    list_coins_to_read,
    list_coins_with_frozen_books,
)
from trading.services.markets import record_closed_markets
from trading.services.prices import confirm_price, record_reading
from trading.services.suspending import SecondReading, follow_previous_release, list_unfollowed
from wallets.runtime.lost_connections import is_lost

logger = logging.getLogger(__name__)

_FOLLOWING: Final = "previous release"
_CLOSING: Final = "closed markets"
_OWN: Final = (_FOLLOWING, _CLOSING, PRICE_READING)
"""The work of a reading of prices, as its failures are named."""

_MISSING: Final = NoPrice("the venue gives no price")


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a venue says about a coin, and its time by its own clock; None if no price has a time."""

    quoted: Quoted | NoPrice
    venue_now: datetime | None
    source: str


def refresh_prices(*, venues: Sequence[Venue], now: datetime) -> None:
    """Record the prices of every coin that is on sale without a fixed price, each from the first venue that has one.

    A coin without a usable price keeps its old one, and the to-do page names it once that price is older than
    PRICE_MAX_AGE; the other coins go on. If no venue answers, all old prices stay. No coin is sold at a price
    older than PRICE_MAX_AGE. Nothing else is asked for here: whatever is slow has a job of its own, which is enqueued
    if it is needed, whatever the venue says.
    """
    known = list(FailingItem.objects.filter(what__in=[*_OWN, BOOK_READING, SECOND_READING]))
    follow = partial(follow_previous_release, now=now)
    run_each(what=_FOLLOWING, items=list_unfollowed(), run=lambda pk: follow(coin_id=pk), now=now, known=known)
    coins = list_coins_to_read()
    try:
        if coins:
            _refresh(coins, venues=venues, now=now, known=known)
    finally:
        _enqueue_what_is_needed(before=coins, failing={row.what for row in known}, now=now)


def _refresh(coins: list[Coin], *, venues: Sequence[Venue], now: datetime, known: list[FailingItem]) -> None:
    told = _ask_in_turn(coins, venues=venues, now=now)
    if told is None:
        return
    closed = {coin.pk for coin in coins if coin.name in told and _is_closed(told[coin.name].quoted)}
    run_each(
        what=_CLOSING,
        items=[closed],
        run=lambda coin_ids: record_closed_markets(coin_ids=coin_ids, now=now),
        now=now,
        name=lambda _: "all coins",
        known=known,
    )
    record = partial(_record, told=told, now=now)
    run_each(what=PRICE_READING, items=coins, run=record, now=now, known=known)


def _ask_in_turn(coins: list[Coin], *, venues: Sequence[Venue], now: datetime) -> dict[str, _Told] | None:
    """Return what venues say about the coins: a price, or else why the first venue that answered has none.

    A venue is asked for the coins alone of which those before it have no price. None if no venue answers. A fault of
    ours at one of several venues counts as no answer.
    """
    told: dict[str, _Told] | None = None
    for venue in venues:
        left = [coin for coin in coins if told is None or isinstance(told[coin.name].quoted, NoPrice)]
        if not left:
            break
        try:
            found = call(venue=venue.name, read=partial(_read, venue, coins=left), now=now)
        except VenueAway as error:
            logger.warning("no prices: %s does not answer: %s", venue.name, error)
            continue
        except Exception as error:
            if len(venues) == 1 or isinstance(error, Error) or is_lost(error):
                raise
            logger.exception("no prices: asking %s crashed", venue.name)
            count_failed_item(what="venue")
            continue
        told = {**found, **(told or {}), **{name: each for name, each in found.items() if not _lacks_price(each)}}
    return told


def _lacks_price(told: _Told) -> bool:
    return isinstance(told.quoted, NoPrice)


def _enqueue_what_is_needed(*, before: Sequence[Coin], failing: Collection[str], now: datetime) -> None:
    """Enqueue `refresh_books` and `confirm_prices` if they have something to do, also if that is to delete a failure.

    `before` are the coins as they were before the readings of `now`, and `failing` is the work that failed before. No
    query while all is well: a reading freezes no book, and three of them must agree on a suspect price.
    """
    was_frozen = any(has_frozen_book(coin=coin, now=now) for coin in before)
    if BOOK_READING in failing or (was_frozen and list_coins_with_frozen_books(now=now)):
        refresh_books_later()
    if not settings.VENUE.check_id:
        return
    was_suspended = any(is_suspended(coin=coin) for coin in before)
    if SECOND_READING in failing or (was_suspended and list_coins_to_confirm()):
        confirm_prices_later()


def refresh_books(*, venues: Sequence[Venue], now: datetime) -> None:
    """Ask for each book that has been the same for PRICE_FROZEN_SECONDS, where a venue says no time of its prices.

    Each is asked for at the venue that gave the price, or at the first of `venues` if that one is not among them.
    Nothing else tells whether such a book is current. A book that cannot be read leaves its price to become too old.
    """
    if not venues:
        return
    coins = list_coins_with_frozen_books(now=now)
    begun = time.monotonic()  # those before may take long
    by_name = {venue.name: venue for venue in venues}

    def record(coin: Coin) -> None:
        source = by_name.get(coin.current_price.source, venues[0])
        _record_book(coin, venue=source, now=now + _since(begun))

    run_each(what=BOOK_READING, items=coins, run=record, now=now)


def confirm_prices(*, second: SecondSource, now: datetime) -> None:
    """Ask a second source for the price of each coin whose price has jumped and whose readings agree."""
    run_each(
        what=SECOND_READING,
        items=list_coins_to_confirm(),
        run=lambda coin: _confirm(coin, second=second),
        now=now,
    )


def _read(venue: Venue, *, coins: list[Coin]) -> dict[str, _Told]:
    prices = venue.read_prices(coins=[coin.name for coin in coins])
    has_times = any(isinstance(quoted, Quoted) and quoted.venue_time for quoted in prices.values())
    venue_now = database_now() + read_clock_offset(venue=venue) if has_times else None
    return {
        coin.name: _Told(quoted=prices.get(coin.name, _MISSING), venue_now=venue_now, source=venue.name)
        for coin in coins
    }


def _record(coin: Coin, *, told: Mapping[str, _Told], now: datetime) -> None:
    quoted, source = told[coin.name].quoted, told[coin.name].source
    if isinstance(quoted, NoPrice):
        raise ItemFailed(quoted.reason)
    reading = _reading_of(quoted, venue_now=told[coin.name].venue_now, now=now)
    if reading.quoted_at is None and has_frozen_book(coin=coin, now=now) and _is_same_book(reading, coin):
        return  # `refresh_books` asks for it
    if fault := record_reading(coin=coin, reading=reading, source=source, now=now):
        raise ItemFailed(fault[:200])


def _reading_of(quoted: Quoted, *, venue_now: datetime | None, now: datetime) -> Reading:
    """Return the reading of a venue's prices, with their time by our clock: `now` less their age at `venue_now`."""
    told_at = quoted.venue_time
    return Reading(
        bid=quoted.bid,
        ask=quoted.ask,
        last=quoted.last,
        quoted_at=now - (venue_now - told_at) if told_at and venue_now else None,
        venue_time=told_at,
    )


def _is_closed(quoted: Quoted | NoPrice | None) -> bool:
    return isinstance(quoted, NoPrice) and quoted.not_trading


def _is_same_book(reading: Reading, coin: Coin) -> bool:
    return bool(reading.book == (coin.current_price.bid, coin.current_price.value))


def _since(begun: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - begun)


def _record_book(coin: Coin, *, venue: Venue, now: datetime) -> None:
    quoted = call(venue=venue.name, read=lambda: venue.read_book(coin=coin.name), now=now)
    if isinstance(quoted, NoPrice):
        raise ItemFailed(quoted.reason)
    reading = Reading(bid=quoted.bid, ask=quoted.ask, last=quoted.last, asked_anew=True)
    if fault := record_reading(coin=coin, reading=reading, source=venue.name, now=now):
        raise ItemFailed(fault[:200])


def _confirm(coin: Coin, *, second: SecondSource) -> None:
    release_database_connection()
    price = second.read_price(coin=coin.name)
    if isinstance(price, NoPrice):
        raise ItemFailed(f"{second.name}: {price.reason}"[:200])
    now = database_now()
    told = SecondReading(value=price.value, at=price.source_time, source=second.name)
    if not confirm_price(coin=coin, second=told, now=now):
        age = int((now - price.source_time).total_seconds())
        raise ItemFailed(f"{second.name} says {digits(price.value)}, {age} seconds ago"[:200])
