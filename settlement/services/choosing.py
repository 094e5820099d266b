"""Choose the venue for an attempt: the first that has the coin, is not paused, and has funds and an ask within bounds.

Of venues with the same priority, the one with the lowest ask is chosen. Until it is sent, an attempt may move to
another venue; the statement that records it as sent decides where it is for good. No database connection and no lock is
held during a call to a venue.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final

from django.db import Error, transaction

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.metrics import count_failed_item
from settlement.models import Attempt, AttemptState
from settlement.selectors.venues import Standing, list_in_flight, list_standings, room_of
from settlement.services.batches import lock_batch
from settlement.services.funding import set_aside
from settlement.services.pausing import Permit, pause_after_no_answer, pause_for_trouble, permit
from settlement.services.venue_clock import measure_clock_offset
from settlement.sizing import ensure_usable
from settlement.venues.protocol import CoinNotListed, MarketRules, UnusableRules, Venue, VenueAway
from trading.services.settling import sum_open_orders
from wallets.runtime import failpoints
from wallets.runtime.lost_connections import is_lost
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

GetVenue = Callable[[str], Venue]
"""Returns the calling thread's own connection to a venue, by its name."""

Failure = VenueAway | UnusableRules | CoinNotListed
"""Why a venue does not say at what price a coin can be bought there."""

_SHORT_WAIT: Final = timedelta(seconds=5)
_NO_MARKET: Final = "no market"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a venue says about a coin: its market's rules and the lowest ask. `offset` is how far its clock is ahead."""

    venue: Venue
    rules: MarketRules
    offset: timedelta
    ask: Decimal
    permit: Permit


@dataclass(kw_only=True)
class Choice:
    """The venue's offer that was chosen, and the asks that were compared, by venue.

    `is_complete`: no other venue may have a lower ask that was not told, because it is paused or did not answer.
    """

    offer: Offer
    asks: dict[str, Decimal]
    is_complete: bool = True


class NoOffer(Exception):
    """No venue can be bought at. Holds the failure of one, by which the attempt waits."""

    def __init__(self, *, venue: str, error: Failure, permit: Permit) -> None:
        super().__init__(str(error))
        self.venue, self.error, self.permit = venue, error, permit


class AllPaused(Exception):
    """Buying of the coin is paused at every venue that is free."""

    def __init__(self, *, until: datetime) -> None:
        super().__init__(f"until {until}")
        self.until = until


@dataclass(kw_only=True)
class _Round:
    """What the venues have said so far. `is_alone`: there is only one to ask."""

    is_alone: bool
    offers: list[Offer] = field(default_factory=list)
    failures: list[NoOffer] = field(default_factory=list)
    waits: list[datetime] = field(default_factory=list)
    is_complete: bool = True


def choose(*, attempt: Attempt, get_venue: GetVenue, fits: Callable[[Offer], bool]) -> Choice:
    """Ask the venues in turn, move the attempt to the first that `fits`, and return what it offers.

    If none fits, the lowest ask is chosen: orders that cannot be bought at it are refunded, or wait. With one venue
    that is free, nothing is compared. Raises AllPaused, NoOffer.
    """
    standings = _list_candidates(attempt)
    asked = _Round(is_alone=len(standings) == 1)
    for group in _by_priority(standings):
        found = [offer for standing in group if (offer := _ask(standing, attempt, get_venue, asked))]
        asked.offers += found
        if asked.is_alone:
            continue
        for offer in sorted(found, key=lambda each: _rank(each, attempt)):
            if fits(offer) and _go_to(attempt, offer):
                return _choose(attempt, offer, asked)
    for offer in sorted(asked.offers, key=lambda each: _rank(each, attempt)):
        if _go_to(attempt, offer):
            return _choose(attempt, offer, asked)
    raise _why_none(attempt, asked)


def _list_candidates(attempt: Attempt) -> list[Standing]:
    """List the venues at which the attempt may be sent: not where another attempt for the coin is in flight.

    Raises AllPaused if there is none now. One query while one venue is in use.
    """
    standings = list_standings(coin_id=attempt.coin_id)
    if [standing.name for standing in standings] == [attempt.place]:
        return standings
    others = [each for each in list_in_flight(coin_id=attempt.coin_id) if each.pk != attempt.pk]
    free = set(room_of(standings, in_flight=others, now=database_now()).all)
    candidates = [standing for standing in standings if standing.name in free]
    if not candidates:
        raise AllPaused(until=database_now() + _SHORT_WAIT)
    return candidates


def _by_priority(standings: list[Standing]) -> Iterator[list[Standing]]:
    return (list(group) for _, group in groupby(standings, key=lambda standing: standing.priority))


def _rank(offer: Offer, attempt: Attempt) -> tuple[Decimal, bool]:
    """Rank by the ask; of equal asks, the one where the attempt is already is first."""
    return offer.ask, offer.venue.name != attempt.place


def _ask(standing: Standing, attempt: Attempt, get_venue: GetVenue, asked: _Round) -> Offer | None:
    """Ask a venue for the coin's rules, its time and the ask, unless a pause forbids it. Adds to `asked` why not.

    A fault of ours at one of several venues counts as no answer: the others are asked all the same.
    """
    allowed = permit(standing.pauses, now=database_now())
    if allowed.wait_until:
        asked.waits.append(allowed.wait_until)
        asked.is_complete &= any(pause.reason == _NO_MARKET for pause in standing.pauses)
        return None
    release_database_connection()
    try:
        return _read_offer(attempt.coin.name, venue=get_venue(standing.name), allowed=allowed)
    except (VenueAway, UnusableRules, CoinNotListed) as error:
        asked.failures.append(NoOffer(venue=standing.name, error=error, permit=allowed))
    except Exception as error:
        if asked.is_alone or isinstance(error, Error) or is_lost(error):
            raise
        count_failed_item(what="venue")
        logger.exception("asking %s about %s crashed", standing.name, attempt.coin)
        crash = VenueAway(f"asking it crashed: {type(error).__name__}")
        asked.failures.append(NoOffer(venue=standing.name, error=crash, permit=allowed))
    return None


def _read_offer(coin: str, *, venue: Venue, allowed: Permit) -> Offer:
    rules = venue.read_rules(coin=coin)
    ensure_usable(rules)
    offset = measure_clock_offset(venue=venue)
    ask = venue.read_ask(coin=coin)  # last, so that it is new when it is used
    return Offer(venue=venue, rules=rules, offset=offset, ask=ask, permit=allowed)


def _choose(attempt: Attempt, offer: Offer, asked: _Round) -> Choice:
    """Pause the coin where it could not be bought, report the other answers, and return the choice."""
    for failure in asked.failures:
        asked.is_complete &= isinstance(failure.error, CoinNotListed)
        pause_after(failure.error, venue=failure.venue, attempt=attempt)
    for other in asked.offers:
        if other is not offer:
            other.permit.report_answer()
    asks = {each.venue.name: each.ask for each in asked.offers}
    return Choice(offer=offer, asks=asks, is_complete=asked.is_complete)


def _why_none(attempt: Attempt, asked: _Round) -> Exception:
    """Return why the attempt has to wait.

    A list of markets without the coin counts only if no venue has another reason. The coin is paused where the other
    failures were.
    """
    if not asked.failures:
        return AllPaused(until=min(asked.waits, default=database_now() + _SHORT_WAIT))
    failures = sorted(asked.failures, key=lambda each: isinstance(each.error, CoinNotListed))
    if asked.waits and isinstance(failures[0].error, CoinNotListed):
        for failure in failures:
            pause_after(failure.error, venue=failure.venue, attempt=attempt)
        return AllPaused(until=min(asked.waits))
    for failure in failures[1:]:
        pause_after(failure.error, venue=failure.venue, attempt=attempt)
    return failures[0]


def pause_after(error: Failure, *, venue: str, attempt: Attempt) -> datetime:
    """Pause buying of the attempt's coin at a venue that offers nothing, and return the time to try again."""
    now, coin = database_now(), attempt.coin
    if isinstance(error, VenueAway):
        return pause_after_no_answer(venue=venue, coin=coin, error=error, now=now)
    reason = _NO_MARKET if isinstance(error, CoinNotListed) else f"rules that cannot be used: {error}"
    return pause_for_trouble(venue=venue, coin=coin, reason=reason, at_least_seconds=0, now=now)


def _go_to(attempt: Attempt, offer: Offer) -> bool:
    """Move the attempt to the venue of an offer, unless it is there. Return False if it cannot be there."""
    if offer.venue.name == attempt.place:
        return True
    failpoints.reach("venue.chosen")
    has_moved = _move(attempt, to=offer.venue.name)
    failpoints.reach("venue.moved")
    return has_moved


@transaction.atomic
def _move(attempt: Attempt, *, to: str) -> bool:
    """Move an attempt that was not sent to another venue, and set its budget aside there.

    Return False if the account there cannot pay, or if another attempt for the coin is in flight there. If another run
    has sent or ended the attempt, nothing changes: this run then cannot send it.
    """
    lock_inventory(asset=attempt.coin.name)
    batch = lock_batch(batch_id=attempt.batch_id)
    now, in_flight = database_now(), list_in_flight(coin_id=attempt.coin_id)
    if any(other.place == to for other in in_flight):
        return False
    still_open, budget = sum_open_orders(batch_id=batch.pk), None
    if still_open.amount > batch.reserved:
        others = [other for other in in_flight if other.pk != attempt.pk]
        most = room_of([], in_flight=others, now=now).most
        budget, is_payable = set_aside(venue=to, batch=batch, still_open=still_open, now=now, most=most)
        if not is_payable:
            return False
    unchanged = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW, next_step_at=attempt.next_step_at)
    if unchanged.update(venue=to, budget=budget):
        logger.warning("%s moves from %s to %s", attempt, attempt.place, to)
        attempt.venue, attempt.budget = to, budget
    return True
