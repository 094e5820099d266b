"""Pauses of buying: the circuit breaker that the venue's answers set, and staff's switch.

A claim leaves orders waiting while their coin or the venue is paused, and an attempt that is still `new` is not
sent. Attempts that were sent are looked up all the same.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from settlement.clock import database_now
from settlement.jobs import settle_batch_later
from settlement.metrics import count_pause
from settlement.models import Attempt, AttemptState, Pause
from settlement.venues.protocol import VenueAway
from trading import jobs
from trading.models import Coin
from trading.selectors.orders import list_coins_with_waiting_orders
from wallets.models import User
from wallets.runtime import sql

logger = logging.getLogger(__name__)


def pause_for_trouble(
    *, coin: Coin | None, reason: str, at_least_seconds: float, now: datetime, stops_all_calls: bool = False
) -> datetime:
    """Buy nothing of `coin`, or at the venue at all, for a while that grows; returns until when.

    `at_least_seconds` is the wait that the venue asked for; `stops_all_calls` when it had too many of any kind. A pause
    of staff stays as it is.
    """
    row = sql.fetch_one(
        "settlement.pause",
        coin_id=coin.pk if coin else None,
        now=now,
        reason=reason[:200],
        least=max(at_least_seconds, 1.0),
        most=settings.SETTLEMENT.pause_max_seconds,
        stops_all_calls=stops_all_calls,
    )
    until: datetime = row[0] if row else now + timedelta(seconds=settings.SETTLEMENT.pause_max_seconds)
    name = coin.name if coin else "the venue"
    logger.error("buying of %s is paused until %s: %s", name, until.isoformat(timespec="seconds"), reason)
    count_pause(coin=coin.name if coin else "")
    return until


def pause_after_no_answer(*, coin: Coin | None, error: VenueAway, now: datetime) -> datetime:
    """Leave the coin alone for a while, or the venue if it asked for that; returns until when."""
    wait = error.retry_after_seconds
    return pause_for_trouble(
        coin=coin if wait is None else None,
        reason=f"no answer: {error}",
        at_least_seconds=wait or 0,
        now=now,
        stops_all_calls=wait is not None,
    )


def lift_automatic_pauses(*, coin_id: int) -> None:
    """End the pauses of the coin and the venue after a purchase that succeeded. Staff's stay."""
    Pause.objects.filter(Q(coin_id=coin_id) | Q(coin=None), set_by=None).delete()


def pause_buying(*, coin: Coin | None, reason: str, set_by: User, now: datetime) -> None:
    """Buy nothing of `coin`, or at the venue at all, until staff lift it. Orders go on being taken."""
    values = {"until": None, "reason": reason, "set_by": set_by, "set_at": now}
    Pause.objects.update_or_create(coin=coin, defaults=values)
    logger.warning("buying of %s is paused by staff: %s", coin or "the venue", reason)


@transaction.atomic
def lift_pause(*, pause: Pause) -> None:
    """Buy again, at once: attempts that were put off are sent and waiting orders claimed."""
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
