"""The sweep: find overdue work in Postgres and start it again, because its own job may be lost.

Every function here is safe to run at any time, and twice. Every repair is logged and counted (`exchange_mended_total`).
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from settlement.jobs import intervene_later, recheck_attempt_later, settle_batch_later
from settlement.metrics import count_mended
from settlement.models import IN_FLIGHT, Attempt, Batch, BatchState, Intervention
from settlement.queue import list_enqueued_interventions
from settlement.selectors.pauses import find_pause
from settlement.services.batches import resume_batch
from trading import jobs, pools
from trading.models import Coin
from trading.selectors.orders import list_coins_with_waiting_orders
from trading.selectors.pools import read_waiting_orders, sum_pools

logger = logging.getLogger(__name__)


def sweep(*, now: datetime) -> None:
    """Start overdue work again, and correct the pools' counters."""
    since = now - settings.SETTLEMENT.sweep_after
    start_waiting_orders(since=since, now=now)
    nudge_stalled_attempts(since=since, now=now)
    resume_idle_batches(since=since)
    recheck_attempts(now=now)
    enqueue_lost_interventions(since=since)
    rewrite_counters()


def start_waiting_orders(*, since: datetime, now: datetime) -> None:
    """Request a claim for every coin with orders that are due and have waited since `since`."""
    busy = set(Attempt.objects.filter(state__in=IN_FLIGHT).values_list("coin_id", flat=True))
    for coin_id in list_coins_with_waiting_orders(since=since):
        if coin_id in busy or find_pause(coin_id=coin_id, now=now):
            continue
        waiting = read_waiting_orders(coin_id=coin_id)
        pool_is_full = waiting.pool_is_full(threshold=settings.POOLS.threshold)
        if waiting.has_large or pool_is_full or waiting.pool_is_overdue(now=now):
            # An overdue pool never has a job, so starting its purchase is no repair.
            if waiting.has_large or pool_is_full:
                _mend("orders_without_a_job", f"orders of {Coin.objects.get(pk=coin_id)} wait without a job")
            jobs.request_claim(coin_id=coin_id)


def nudge_stalled_attempts(*, since: datetime, now: datetime) -> None:
    """Enqueue the next step of every attempt in flight whose step was due by `since`."""
    for attempt in Attempt.objects.filter(state__in=IN_FLIGHT, next_step_at__lte=since):
        later = now + timedelta(seconds=settings.SETTLEMENT.lookup_max_wait_seconds)
        unchanged = Attempt.objects.filter(pk=attempt.pk, state=attempt.state, next_step_at=attempt.next_step_at)
        with transaction.atomic():
            if unchanged.update(next_step_at=later):
                settle_batch_later(batch_id=attempt.batch_id)
                _mend("standing_attempts", f"{attempt} has stalled in state {attempt.state}")


def resume_idle_batches(*, since: datetime) -> None:
    """Resume open batches that have no attempt in flight."""
    idle = Batch.objects.filter(state=BatchState.OPEN, created_at__lte=since).exclude(attempts__state__in=IN_FLIGHT)
    for batch_id in idle.values_list("pk", flat=True):
        if resume_batch(batch_id=batch_id):
            _mend("idle_batches", f"batch {batch_id} had no attempt in flight")


def recheck_attempts(*, now: datetime) -> None:
    """Enqueue a recheck of every attempt that was presumed not placed and whose next recheck is due."""
    for attempt in Attempt.objects.filter(recheck_at__lte=now):
        later = now + timedelta(seconds=settings.SETTLEMENT.lookup_max_wait_seconds)
        with transaction.atomic():
            if Attempt.objects.filter(pk=attempt.pk, recheck_at=attempt.recheck_at).update(recheck_at=later):
                recheck_attempt_later(attempt_id=attempt.pk)


def enqueue_lost_interventions(*, since: datetime) -> None:
    """Enqueue interventions again that have no outcome and no job."""
    waiting = Intervention.objects.filter(outcome=None, requested_at__lte=since)
    if not waiting.exists():  # as almost always: a backlog of jobs is read for nothing else
        return
    # The jobs are read before the interventions: a job that ends in between has written its outcome by then.
    lost = waiting.exclude(pk__in=list_enqueued_interventions())
    for intervention_id in lost.order_by("pk").values_list("pk", flat=True):
        intervene_later(intervention_id=intervention_id)
        _mend("interventions_without_a_job", f"intervention {intervention_id} had no job")


def rewrite_counters() -> None:
    """Set the pools' counters to the sums in Postgres."""
    totals = sum_pools()
    counted = pools.read_counters(coin_names=sorted(totals))
    for coin, total in totals.items():
        if total != counted.get(coin, total):
            _mend("drifted_counters", f"the pool of {coin} holds {total}, but its counter had {counted[coin]}")
    pools.rewrite(totals=totals)


def _mend(what: str, message: str) -> None:
    logger.warning("sweep: %s", message)
    count_mended(what=what)
