"""Ask the venues what the database may have forgotten, and go on by itself if that is nothing.

Asked for, at each venue whose keys this process has, are all our orders since an hour before the last moment of which
the database has everything, for each coin of ours and each asset that the account holds, each attempt that is `new`,
and each that was `sent` there. That begins only when no request sent before the doubt can still reach the venue.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from settlement import stopping
from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.jobs import settle_batch_later
from settlement.models import IN_FLIGHT, Attempt, AttemptState, here_or_before, load_installation_code
from settlement.order_ids import is_ours
from settlement.selectors.venues import list_all_in_use
from settlement.services.adopting import list_unknown
from settlement.services.asking import look_up
from settlement.services.calling import CallsUnwanted, call
from settlement.services.choosing import GetVenue
from settlement.services.pausing import pause_after_no_answer
from settlement.services.recognising import Watch, end_doubt_about_database, stop_sending, watch_database
from settlement.services.unknown_orders import UnknownOrder
from settlement.venues.configured import list_configured, quote_asset_of
from settlement.venues.protocol import (
    CoinNotListed,
    Executed,
    ListedPurchase,
    OrderNotFound,
    UnusableRules,
    Venue,
    VenueAway,
)
from trading.models import WAITING, Coin, Order, OrderState

logger = logging.getLogger(__name__)

_MARGIN: Final = timedelta(hours=1)
"""The venue's clock may be off by as much (`sending`), and transactions may commit late."""
_THREADS: Final = 4
_REPEATS: Final = 2
_LONGEST_WAIT_SECONDS: Final = 10.0

_Listed = list[ListedPurchase] | VenueAway | UnusableRules | CoinNotListed

_asking = threading.Lock()


@dataclass(kw_only=True)
class Answers:
    """The orders that our books do not know, and what could not be asked for, in words."""

    unknown: list[UnknownOrder] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    coins: int = 0


def keep_watch(*, get_venue: GetVenue) -> None:
    """Record that the database is complete until now. If that is in doubt, ask the venue what it lacks.

    `get_venue` returns the calling thread's connection to a venue. In one process, one thread asks at a time. Safe to
    run at any time, and twice.
    """
    if not _asking.acquire(blocking=False):
        return
    try:
        watch = watch_database()
        if watch is not None and watch.stopped_at is None:
            _resolve(watch, get_venue)
    finally:
        _asking.release()


def ask_venues(*, since: datetime, get_venue: GetVenue) -> Answers:
    """Ask each venue for all our orders since `since`, and for the attempts that may have been sent there.

    `since` is by Postgres' clock, and the questions begin an hour before it. Several threads ask at once. A venue that
    is in use, or at which we may have bought since, and whose keys this process lacks, cannot be asked: an attempt that
    the database takes for not sent may have moved there.
    """
    answers = Answers()
    for name in list_configured():
        _ask_venue(name, answers, since=since, get_venue=partial(get_venue, name))
    late = Attempt.objects.filter(Q(created_at__gte=since - _MARGIN) | Q(state__in=IN_FLIGHT))
    places = {*late.values_list("venue", flat=True), *list_all_in_use()}
    answers.unasked += [
        f"{name}, of which this process has no keys" for name in sorted(places - {*list_configured(), ""})
    ]
    return answers


def _ask_venue(name: str, answers: Answers, *, since: datetime, get_venue: Callable[[], Venue]) -> None:
    held = _read_held(get_venue(), answers)
    if held is None:
        return
    ours = _coins_bought(venue=name, since=since, held=held)
    coins = sorted((set(Coin.objects.values_list("name", flat=True)) | held) - {quote_asset_of(name)})
    code = load_installation_code()
    release_database_connection()
    lists = _list_all(coins, since=since - _MARGIN, get_venue=get_venue)
    answers.coins += len(coins)
    at = _where(name)
    for coin, listed in zip(coins, lists, strict=True):
        if isinstance(listed, list):
            own = [order for order in listed if is_ours(order.client_order_id, installation=code)]
            answers.unknown += list_unknown(venue=name, coin_name=coin, listed=own)
        elif not isinstance(listed, CoinNotListed):
            answers.unasked.append(f"{coin}{at}")
        elif coin in ours:
            answers.unasked.append(f"{coin}{at}, which has no market there")
    _pause_if_asked(name, [listed for listed in lists if isinstance(listed, VenueAway)], now=database_now())
    absent = {coin for coin, listed in zip(coins, lists, strict=True) if isinstance(listed, CoinNotListed)}
    _look_up_attempts(get_venue(), answers, absent=absent)


def _where(name: str) -> str:
    """Return the words that name a venue, unless there is only one."""
    return f" at {name}" if len(list_configured()) > 1 else ""


@transaction.atomic
def send_waiting_attempts() -> None:
    """Enqueue the attempts that waited for the database to be recognised."""
    waiting = Attempt.objects.filter(state=AttemptState.NEW)
    waiting.update(next_step_at=database_now())
    for attempt in waiting.order_by("pk"):
        settle_batch_later(batch_id=attempt.batch_id)


def seconds_to_wait(*, watch: Watch) -> float:
    """Return how long requests may still arrive at the venue that were sent before the doubt began."""
    assert watch.doubted_at is not None
    arrived = watch.doubted_at + settings.VENUE.recv_window + settings.SETTLEMENT.not_found_margin
    return max((arrived - database_now()).total_seconds(), 0.0)


def _resolve(watch: Watch, get_venue: GetVenue) -> None:
    wait = seconds_to_wait(watch=watch)
    release_database_connection()
    if not stopping.wait(min(wait, _LONGEST_WAIT_SECONDS)) or wait > _LONGEST_WAIT_SECONDS:
        return  # the next run goes on
    answers = ask_venues(since=watch.known_at, get_venue=get_venue)
    if answers.unknown:
        stop_sending(found=[str(order) for order in answers.unknown])
    elif answers.unasked:
        logger.error("the database is in doubt, and the venue does not answer for %s", ", ".join(answers.unasked))
    elif end_doubt_about_database(watch=watch):
        logger.warning("the venue has no order that we do not know, of %s coins: buying goes on", answers.coins)
        send_waiting_attempts()


def _read_held(venue: Venue, answers: Answers) -> set[str] | None:
    """Return the assets that the account holds, or None if the venue does not say."""
    try:
        balances = call(venue=venue.name, read=venue.read_balances, now=database_now())
    except CallsUnwanted:
        answers.unasked.append(f"any coin{_where(venue.name)}: the venue wants no calls")
    except VenueAway:
        answers.unasked.append(f"balances{_where(venue.name)}")
    else:
        return {asset for asset, amount in balances.items() if amount}
    return None


def _coins_bought(*, venue: str, since: datetime, held: set[str]) -> set[str]:
    """Return the names of the coins that we may have bought at a venue, or may buy.

    A venue that is not the only one need not have every coin: there, only what was bought at it counts.

    A list of markets without such a coin proves nothing. It is believed about an asset that never was a coin of ours,
    and about a coin that is off sale, has no open order and no late attempt, and of which the account holds nothing.
    """
    here = Attempt.objects.filter(coin=OuterRef("pk"), venue__in=here_or_before(venue))
    is_bought, is_bought_late = Exists(here), Exists(here.filter(created_at__gte=since - _MARGIN))
    if len(list_configured()) > 1:
        bought = Coin.objects.filter(Q(is_bought_late) | (Q(name__in=held) & Q(is_bought)))
        return set(bought.values_list("name", flat=True))
    in_use = Q(is_sold=True) | Q(is_bought_late) | (Q(name__in=held) & Q(is_bought))
    for states in (WAITING, [OrderState.HELD], [OrderState.SETTLING]):  # each has an index of its own
        in_use |= Q(pk__in=Order.objects.filter(state__in=states).values("coin"))
    return set(Coin.objects.filter(in_use).values_list("name", flat=True))


def _list_all(coins: list[str], *, since: datetime, get_venue: Callable[[], Venue]) -> list[_Listed]:
    """List our orders of each coin, in several threads. Uses no database. A ban by the venue ends the questions.

    A few answers may be lost among those of many coins: they are asked for again, so that the next run need not ask for
    all coins anew. A venue that is silent about most of them is not asked again.
    """
    is_banned = threading.Event()

    def list_orders(coin: str) -> _Listed:
        if is_banned.is_set():
            return VenueAway("not asked: the venue wants no calls")
        try:
            return get_venue().list_purchases(coin=coin, since=since)
        except (VenueAway, UnusableRules, CoinNotListed) as error:
            logger.warning("the venue does not list our orders of %s: %s", coin, error)
            if isinstance(error, VenueAway) and error.retry_after_seconds is not None:
                is_banned.set()
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        found = dict(zip(coins, pool.map(list_orders, coins), strict=True))
        for _ in range(_REPEATS):
            lost = [coin for coin in coins if isinstance(found[coin], VenueAway)]
            if is_banned.is_set() or len(lost) > max(len(coins) / 2, 1):
                break
            found |= zip(lost, pool.map(list_orders, lost), strict=True)
    return [found[coin] for coin in coins]


def _pause_if_asked(venue: str, errors: list[VenueAway], *, now: datetime) -> None:
    """Pause all calls for the longest wait that the venue asked for, if it asked for any."""
    asked = [error for error in errors if error.retry_after_seconds is not None]
    if asked:
        longest = max(asked, key=lambda error: error.retry_after_seconds or 0)
        pause_after_no_answer(venue=venue, coin=None, error=longest, now=now)


def _look_up_attempts(venue: Venue, answers: Answers, *, absent: set[str]) -> None:
    """Look up each attempt in flight at the venue. One that it knows, and that we think was never sent, is unknown.

    An attempt that is not sent may have moved to any venue since, and is looked up at each, but for those that lack its
    coin: `absent`. One that was sent is settled by its own job, whatever the venue says now; it is never sent again.
    """
    known = {order.client_order_id for order in answers.unknown}
    is_here, may_have_moved = Q(venue__in=here_or_before(venue.name)), Q(state=AttemptState.NEW)
    may_have_moved &= ~Q(coin__name__in=absent)
    attempts = (
        Attempt.objects.filter(is_here | may_have_moved, state__in=IN_FLIGHT).select_related("coin").order_by("pk")
    )
    for attempt in _unless_known(attempts, known):
        answer = look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id, venue=venue)
        if attempt.state == AttemptState.SENT or isinstance(answer, OrderNotFound):
            continue
        if not isinstance(answer, Executed):
            answers.unasked.append(str(attempt))
        elif answer.quantity or not answer.final:
            answers.unknown.append(
                UnknownOrder(
                    venue=venue.name,
                    coin_name=attempt.coin.name,
                    client_order_id=attempt.client_order_id,
                    venue_order_id=answer.venue_order_id,
                    quantity=answer.quantity,
                    cost=None,
                )
            )


def _unless_known(attempts: Iterable[Attempt], known: set[str]) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.client_order_id not in known]
