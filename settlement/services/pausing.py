"""Pauses of buying: the circuit breaker that the venue's answers set, and staff's switch.

A claim leaves orders waiting while their coin or the venue is paused, and an attempt that is still `new` is not
sent. What was sent is asked for all the same.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from settlement.clock import database_now
from settlement.exchanges.protocol import ExchangeAway
from settlement.jobs import settle_batch_later
from settlement.metrics import count_pause
from settlement.models import Attempt, AttemptState, Pause
from trading import jobs
from trading.models import Coin
from trading.selectors.orders import list_coins_with_waiting_orders
from wallets.models import User

logger = logging.getLogger(__name__)

# The wait doubles with each answer in a row that gave a reason; staff's own pause is left as it is.
_PAUSE = """
INSERT INTO settlement_pause (coin_id, until, reason, times, set_at, is_of_calls)
VALUES (%(coin)s, %(now)s + make_interval(secs => %(least)s), %(reason)s, 1, %(now)s, %(of_calls)s)
ON CONFLICT ON CONSTRAINT one_pause_per_coin_and_one_for_the_venue DO UPDATE
   SET until = %(now)s + make_interval(
           secs => greatest(%(least)s, least(power(2, least(settlement_pause.times, 20)), %(most)s))),
       reason = excluded.reason, times = settlement_pause.times + 1, set_at = excluded.set_at,
       is_of_calls = excluded.is_of_calls
 WHERE settlement_pause.set_by_id IS NULL
RETURNING until
"""


def find_pause(*, coin_id: int, now: datetime) -> Pause | None:
    """The pause that keeps a coin from being bought at `now` the longest, if there is one. One query."""
    lasting = Q(until=None) | Q(until__gt=now)
    pauses = Pause.objects.filter(lasting, Q(coin_id=coin_id) | Q(coin=None))
    return max(pauses, key=lambda pause: (pause.until is None, pause.until or now), default=None)


def find_pause_of_calls(*, now: datetime) -> datetime | None:
    """Until when the venue wants to be left alone, if it does."""
    return Pause.objects.filter(is_of_calls=True, until__gt=now).values_list("until", flat=True).first()


def pause_for_trouble(
    *, coin: Coin | None, reason: str, at_least_seconds: float, now: datetime, of_calls: bool = False
) -> datetime:
    """Buy nothing of `coin`, or at the venue at all, for a while that grows; returns until when.

    `at_least_seconds` is what the venue asked for, and `of_calls` that it had too many of any kind. A pause of staff
    stays as it is.
    """
    name = coin.name if coin else "the venue"
    values = {
        "coin": coin.pk if coin else None,
        "now": now,
        "reason": reason[:200],
        "least": max(at_least_seconds, 1.0),
        "most": settings.PAUSE_MAX_SECONDS,
        "of_calls": of_calls,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAUSE, values)
        row = cursor.fetchone()
    until: datetime = row[0] if row else now + timedelta(seconds=settings.PAUSE_MAX_SECONDS)
    logger.error("buying of %s is paused until %s: %s", name, until.isoformat(timespec="seconds"), reason)
    count_pause(coin=coin.name if coin else "")
    return until


def pause_for_silence(*, coin: Coin | None, error: ExchangeAway, now: datetime) -> datetime:
    """A question was not answered: leave the coin alone for a while, or the venue if it asked for that."""
    wait = error.retry_after_seconds
    return pause_for_trouble(
        coin=coin if wait is None else None,
        reason=f"no answer: {error}",
        at_least_seconds=wait or 0,
        now=now,
        of_calls=wait is not None,
    )


def forget_trouble(*, coin_id: int) -> None:
    """A purchase succeeded: what was wrong with the coin and the venue is over. Staff's pauses stay."""
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
