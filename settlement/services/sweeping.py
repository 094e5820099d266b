"""The net under the jobs: what Postgres says is waiting is started again, whatever became of its job."""

import logging
from datetime import datetime, timedelta

from django.conf import settings

from settlement.jobs import settle_batch_later
from settlement.models import IN_FLIGHT, Attempt
from trading import events, pools
from trading.models import Coin
from trading.selectors import list_coins_with_waiting_orders, read_waiting_orders, sum_pools

logger = logging.getLogger(__name__)


def sweep(*, now: datetime) -> None:
    """Start what is due and has not been started; correct the counters. Harmless at any time, twice."""
    since = now - settings.SWEEP_AFTER
    start_waiting_orders(since=since, now=now)
    push_standing_attempts(since=since)
    pools.rewrite(totals=sum_pools())


def start_waiting_orders(*, since: datetime, now: datetime) -> None:
    """Claim for every coin of which something due has been waiting since `since`."""
    busy = set(Attempt.objects.filter(state__in=IN_FLIGHT).values_list("coin_id", flat=True))
    for coin_id in list_coins_with_waiting_orders(since=since):
        waiting = read_waiting_orders(coin_id=coin_id)
        pool_due = waiting.pool_is_full(threshold=settings.ORDER_AGGREGATION_THRESHOLD) or waiting.pool_is_overdue(
            now=now
        )
        if coin_id not in busy and (waiting.large_count or pool_due):
            logger.warning("sweep: orders of %s wait without a job", Coin.objects.get(pk=coin_id))
            events.orders_wait(coin_id=coin_id)


def push_standing_attempts(*, since: datetime) -> None:
    """Take the next step of every attempt whose time for it has passed."""
    for attempt in Attempt.objects.filter(state__in=IN_FLIGHT, next_step_at__lte=since):
        logger.warning("sweep: %s stands still in %s", attempt, attempt.state)
        attempt.next_step_at += timedelta(seconds=max(60.0, settings.LOOKUP_MAX_WAIT_SECONDS))
        attempt.save(update_fields=["next_step_at"])
        settle_batch_later(batch_id=attempt.batch_id)
