"""Pauses of buying: a circuit breaker that the venue's answers set, and a switch for staff.

While a coin or the venue is paused, none of the coin's orders is claimed and no new attempt is sent. Attempts that were
sent before are still looked up, unless a pause stops all calls.

After a pause of all calls, one call probes whether the venue answers again; the others wait for its outcome. A venue
that bans us makes the ban longer with each call during it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from settlement.clock import database_now
from settlement.jobs import settle_batch_later
from settlement.metrics import count_pause
from settlement.models import Attempt, AttemptState, Pause
from settlement.venues.protocol import VenueAway
from settlement.waits import bounded
from trading import jobs
from trading.models import Coin
from trading.selectors.orders import list_coins_with_waiting_orders
from wallets.models import User
from wallets.runtime import sql

logger = logging.getLogger(__name__)

_PROBE: Final = timedelta(seconds=15)
"""The others wait this long for a probe, which may have been lost with its worker."""


def pause_for_trouble(
    *, coin: Coin | None, reason: str, at_least_seconds: float, now: datetime, stops_all_calls: bool = False
) -> datetime:
    """Pause buying of `coin` (None: of every coin), and return the time to try again. Successive pauses grow.

    `at_least_seconds` is the wait that the venue asked for; EXCHANGE_MAX_WAIT_SECONDS bounds it. `stops_all_calls` is
    set when the venue got too many calls of any kind. A pause without an end does not change.
    """
    longest = settings.VENUE.max_wait_seconds if stops_all_calls else settings.SETTLEMENT.pause_max_seconds
    row = sql.fetch_one(
        "settlement.pause",
        coin_id=coin.pk if coin else None,
        now=now,
        reason=reason[:200],
        least=max(bounded(at_least_seconds), 1.0),
        most=longest,
        stops_all_calls=stops_all_calls,
    )
    until: datetime = row[0] if row else now + timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
    name = coin.name if coin else "the venue"
    logger.error("buying of %s is paused until %s: %s", name, until.isoformat(timespec="seconds"), reason)
    count_pause(coin=coin.name if coin else "")
    return until


def pause_after_no_answer(*, coin: Coin | None, error: VenueAway, now: datetime) -> datetime:
    """Pause buying of `coin`, or all calls if the venue asked for a wait. Return the time to try again."""
    wait = error.retry_after_seconds
    return pause_for_trouble(
        coin=coin if wait is None else None,
        reason=f"no answer: {error}",
        at_least_seconds=wait or 0,
        now=now,
        stops_all_calls=wait is not None,
    )


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Whether the venue may be called now (`wait_until` is None), and whether the call is a probe after a pause.

    The others wait for a probe until `probe_until`.
    """

    wait_until: datetime | None = None
    probe_until: datetime | None = None

    @property
    def is_probe(self) -> bool:
        return self.probe_until is not None

    def report_answer(self) -> None:
        """Lift the pause of all calls, if this was the probe: the venue answers again.

        A pause with another end stays: another call was refused while this one was under way.
        """
        if self.probe_until is not None:
            Pause.objects.filter(coin=None, stops_all_calls=True, until=self.probe_until).delete()


def ask_to_call(*, now: datetime) -> Permit:
    """Say whether the venue may be called, for a call that buys nothing. Makes one query while there is no pause.

    A pause of staff stops buying and no other calls: purchases that were sent before must still be looked up.
    """
    return _permit(list(Pause.objects.filter(coin=None, stops_all_calls=True, until__isnull=False)), now=now)


def ask_to_buy(*, coin_id: int, now: datetime) -> Permit:
    """Say whether the coin may be bought. Makes one query while there is no pause.

    During a pause without an end, the answer is to ask again after PAUSE_MAX_SECONDS.
    """
    return _permit(list(Pause.objects.filter(Q(coin_id=coin_id) | Q(coin=None))), now=now)


def _permit(pauses: list[Pause], *, now: datetime) -> Permit:
    never = now + timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
    ends = [pause.until or never for pause in pauses if pause.until is None or pause.until > now]
    if ends:
        return Permit(wait_until=max(ends))
    if not any(pause.stops_all_calls for pause in pauses):
        return Permit()
    ended = Pause.objects.filter(coin=None, stops_all_calls=True, until__lte=now)
    if ended.update(until=now + _PROBE):
        return Permit(probe_until=now + _PROBE)
    return Permit(wait_until=now + _PROBE)


def lift_automatic_pauses(*, coin_id: int) -> None:
    """Lift the coin's and the venue's automatic pauses, because the venue accepted a purchase.

    Keep pauses without an end, which staff lift, and a pause of all calls: the purchase may have been sent before the
    call that was refused. A probe lifts that pause, see `Permit`.
    """
    ending = Pause.objects.filter(until__isnull=False, stops_all_calls=False)
    ending.filter(Q(coin_id=coin_id) | Q(coin=None)).delete()


def pause_buying(*, coin: Coin | None, reason: str, set_by: User, now: datetime) -> None:
    """Stop buying `coin` (None: every coin) until staff lift the pause. Orders are still accepted.

    The pause takes the place of an automatic one, and never stops other calls than purchases.
    """
    values = {"until": None, "reason": reason, "set_by": set_by, "set_at": now, "stops_all_calls": False}
    Pause.objects.update_or_create(coin=coin, defaults=values)
    logger.warning("buying of %s is paused by staff: %s", coin or "the venue", reason)


@transaction.atomic
def lift_pause(*, pause: Pause) -> None:
    """Lift a pause. At once, enqueue the attempts that the pause delayed, and request claims for waiting orders."""
    Pause.objects.filter(pk=pause.pk).delete()
    now = database_now()
    put_off = Attempt.objects.filter(state=AttemptState.NEW)
    waiting = list_coins_with_waiting_orders(since=now)
    if pause.coin_id:
        put_off = put_off.filter(coin_id=pause.coin_id)
        waiting = [coin_id for coin_id in waiting if coin_id == pause.coin_id]
    for attempt in put_off:
        settle_batch_later(batch_id=attempt.batch_id)
    for coin_id in waiting:
        jobs.request_claim(coin_id=coin_id)
    logger.warning("%s is lifted", pause)
