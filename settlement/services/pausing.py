"""Pauses of buying: a circuit breaker that the venue's answers set, and a switch for staff.

Staff's own pause, a pause after trouble, and a ban of calls may stand at the same time. Each ends for its own reason.

While a coin or the venue is paused, none of the coin's orders is claimed and no new attempt is sent. Attempts that were
sent before are still looked up, unless a pause stops all calls.

After a pause of all calls, one call probes whether the venue answers again; the others wait for its outcome. A venue
that bans us makes the ban longer with each call during it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from settlement.clock import database_now
from settlement.jobs import settle_batch_later
from settlement.metrics import count_pause
from settlement.models import Attempt, AttemptState, Pause, PauseKind, name_paused
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
    *, venue: str, coin: Coin | None, reason: str, at_least_seconds: float, now: datetime, stops_all_calls: bool = False
) -> datetime:
    """Pause buying of `coin` (None: of every coin) at `venue`, and return the time to try again. Such pauses grow.

    `at_least_seconds` is the wait that the venue asked for; EXCHANGE_MAX_WAIT_SECONDS bounds it. `stops_all_calls` is
    set when the venue got too many calls of any kind. The end never moves back. Staff's own pause stays beside it.
    """
    longest = settings.VENUE.max_wait_seconds if stops_all_calls else settings.SETTLEMENT.pause_max_seconds
    [[until]] = sql.fetch_all(
        "settlement.pause",
        venue=venue,
        coin_id=coin.pk if coin else None,
        now=now,
        reason=reason[:200],
        least=max(bounded(at_least_seconds), 1.0),
        most=longest,
        stops_all_calls=stops_all_calls,
    )
    name = name_paused(coin=coin, venue=venue)
    logger.error("buying of %s is paused until %s: %s", name, until.isoformat(timespec="seconds"), reason)
    count_pause(coin=coin.name if coin else "", venue=venue)
    return cast("datetime", until)


def pause_after_no_answer(*, venue: str, coin: Coin | None, error: VenueAway, now: datetime) -> datetime:
    """Pause buying of `coin` at `venue`, or all calls if it asked for a wait. Return the time to try again."""
    wait = error.retry_after_seconds
    return pause_for_trouble(
        venue=venue,
        coin=coin if wait is None else None,
        reason=f"no answer: {error}",
        at_least_seconds=wait or 0,
        now=now,
        stops_all_calls=wait is not None,
    )


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Whether the venue may be called now (`wait_until` is None), and the ban that the call probes, if any.

    The other calls wait for a probe until the ban's end.
    """

    wait_until: datetime | None = None
    probed: Pause | None = None

    @property
    def is_probe(self) -> bool:
        return self.probed is not None

    def report_answer(self) -> None:
        """Lift the ban, if this was the probe: the venue answers again.

        A ban that has changed stays: another call was refused while this one was under way, or is the probe by now.
        """
        if self.probed is not None:
            _unchanged(self.probed).delete()


def ask_to_call(*, venue: str, now: datetime) -> Permit:
    """Say whether a venue may be called, for a call that buys nothing. Makes one query while there is no pause.

    A pause of staff stops buying and no other calls: purchases that were sent before must still be looked up.
    """
    return permit(list(Pause.objects.filter(kind=PauseKind.BAN, venue__in=[venue, ""])), now=now)


def permit(pauses: list[Pause], *, now: datetime) -> Permit:
    """Say whether a venue may be called that `pauses` concern. Of all calls after a ban, one is its probe.

    During a pause without an end, the answer is to ask again after PAUSE_MAX_SECONDS.
    """
    never = now + timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
    ends = [pause.until or never for pause in pauses if pause.until is None or pause.until > now]
    if ends:
        return Permit(wait_until=max(ends))
    ban = next((pause for pause in pauses if pause.kind == PauseKind.BAN), None)
    if ban is None:
        return Permit()
    is_first = _unchanged(ban).update(until=now + _PROBE)
    ban.until = now + _PROBE
    return Permit(probed=ban) if is_first else Permit(wait_until=ban.until)


def _unchanged(pause: Pause) -> QuerySet[Pause]:
    """Select the pause as it was read. `times` tells of a refusal that left the end where it was."""
    return Pause.objects.filter(pk=pause.pk, until=pause.until, times=pause.times)


def lift_automatic_pauses(*, venue: str, coin_id: int) -> None:
    """Lift the pauses of the coin at a venue and of the venue after trouble, because it accepted a purchase.

    Keep staff's pauses, and a ban: the purchase may have been sent before the call that was refused. A probe lifts the
    ban, see `Permit`.
    """
    of_venue = Pause.objects.filter(venue__in=[venue, ""], kind=PauseKind.TROUBLE)
    of_venue.filter(Q(coin_id=coin_id) | Q(coin=None)).delete()


def pause_buying(*, coin: Coin | None, reason: str, set_by: User, now: datetime, venue: str = "") -> Pause:
    """Stop buying `coin` (None: every coin) at `venue` (empty: at every venue) until staff lift the pause.

    Return the pause. Orders are still accepted.

    The pause replaces an earlier one by staff and stands beside automatic ones. It stops no other calls than purchases.
    """
    values = {"until": None, "reason": reason, "set_by": set_by, "set_at": now}
    own = Pause.objects.filter(kind=PauseKind.STAFF)
    pause, _ = own.update_or_create(coin=coin, venue=venue, defaults=values)
    logger.warning("buying of %s is paused by staff: %s", name_paused(coin=coin, venue=venue), reason)
    return pause


@transaction.atomic
def lift_pause(*, pause: Pause) -> None:
    """Lift this pause, and no other that stands beside it.

    At once, enqueue the attempts that the pause delayed, and request claims for waiting orders. They find the pauses
    that remain.
    """
    Pause.objects.filter(pk=pause.pk).delete()
    now = database_now()
    put_off = Attempt.objects.filter(state=AttemptState.NEW)
    waiting = list_coins_with_waiting_orders(since=now)
    if pause.coin_id:
        put_off = put_off.filter(coin_id=pause.coin_id)
        waiting = [coin_id for coin_id in waiting if coin_id == pause.coin_id]
    put_off.update(next_step_at=now)
    for attempt in put_off:
        settle_batch_later(batch_id=attempt.batch_id)
    for coin_id in waiting:
        jobs.request_claim(coin_id=coin_id)
    logger.warning("%s is lifted", pause)
