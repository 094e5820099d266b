"""The sweep: find overdue work in Postgres and start it again, because its own job may be lost.

Every function here is safe to run at any time, and twice. Every repair is logged and counted (`exchange_mended_total`).
A row that fails does not stop the sweep: see `isolating`.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction

from settlement.jobs import adopt_order_later, intervene_later, recheck_attempt_later, settle_batch_later
from settlement.metrics import count_mended
from settlement.models import IN_FLIGHT, Attempt, Batch, Finding, FindingDecision, Intervention
from settlement.queue import is_step_enqueued, list_batches_in_step, list_enqueued_interventions
from settlement.selectors.batches import idle_batches
from settlement.selectors.venues import is_unknown, list_in_flight, list_standings, room_of
from settlement.services.batches import resume_batch
from settlement.services.funding import is_short_of_funds
from settlement.services.isolating import run_each
from trading import jobs, pools
from trading.loss_rules import day_of
from trading.models import Coin
from trading.selectors.orders import list_coins_with_waiting_orders
from trading.selectors.pools import read_waiting_orders, sum_pools
from trading.services.losses import stop_where_reached
from trading.services.price_moves import hasten_moved_pools
from wallets.services.returns.giving_back import give_back_of_debtors
from wallets.services.returns.receiving import take_waiting_returns

logger = logging.getLogger(__name__)


def sweep(*, now: datetime) -> None:
    """Start overdue work again, correct the pools' counters, and stop sales where the day's loss has reached a ceiling.

    Returns are taken whose deposits are known by now. Approved statements have a job of their own, because a statement
    may have a million lines.

    One part's failure does not stop the others.
    """
    since = now - settings.SETTLEMENT.sweep_after
    parts: dict[str, Callable[[], None]] = {
        "losses": lambda: stop_where_reached(day=day_of(now), now=now),
        "moved pools": lambda: hasten_moved_pools(now=now),
        "orders": lambda: start_waiting_orders(since=since, now=now),
        "attempts": lambda: nudge_stalled_attempts(since=since, now=now),
        "batches": lambda: resume_idle_batches(since=since, now=now),
        "rechecks": lambda: recheck_attempts(now=now),
        "interventions": lambda: enqueue_lost_interventions(since=since, now=now),
        "adoptions": enqueue_lost_adoptions,
        "counters": rewrite_counters,
        "returns": take_waiting_returns,
        "debts": give_back_of_debtors,
    }
    run_each(what="sweep", items=parts, run=lambda part: parts[part](), now=now)


def start_waiting_orders(*, since: datetime, now: datetime) -> None:
    """Request a claim for every coin with orders that are due and have waited since `since`.

    Left out are coins that wait for an attempt which is on its way.
    """
    in_flight = Attempt.objects.filter(state__in=IN_FLIGHT).only("coin", "venue", "state", "reason", "next_step_at")
    busy = {each.coin_id for each in in_flight if not (_leaves_others(each) and is_unknown(each, now=now))}
    waiting = Coin.objects.filter(pk__in=list_coins_with_waiting_orders(since=since)).exclude(pk__in=busy)
    run_each(what="waiting orders", items=waiting.order_by("pk"), run=partial(_request_due_claim, now=now), now=now)


def _leaves_others(attempt: Attempt) -> bool:
    """Say whether other venues than the attempt's are configured, which may buy what waits for it. No query."""
    return bool(settings.FURTHER_VENUES) or attempt.place != settings.VENUE.id


def _request_due_claim(coin: Coin, *, now: datetime) -> None:
    in_flight = list_in_flight(coin_id=coin.pk)
    if not room_of(list_standings(coin_id=coin.pk), in_flight=in_flight, now=now).venues:
        return
    waiting = read_waiting_orders(coin_id=coin.pk)
    pool_is_full = waiting.pool_is_full(threshold=settings.POOLS.threshold)
    if waiting.has_large or pool_is_full or waiting.pool_is_overdue(now=now):
        # An overdue pool never has a job, so starting its purchase is no repair.
        # Beside a purchase whose outcome is unknown, orders may be beyond what is allowed there.
        if (waiting.has_large or pool_is_full) and not in_flight and not is_short_of_funds(now=now):
            _mend("orders_without_a_job", f"orders of {coin} wait without a job")
        jobs.request_claim(coin_id=coin.pk)


def nudge_stalled_attempts(*, since: datetime, now: datetime) -> None:
    """Enqueue the next step of every attempt in flight whose step was due by `since`."""
    stalled = Attempt.objects.filter(state__in=IN_FLIGHT, next_step_at__lte=since).order_by("next_step_at", "pk")
    if stalled.exists():  # a step that waits for the venue is not stalled: one run of a batch's step is enough
        stalled = stalled.exclude(batch_id__in=list_batches_in_step())
    run_each(what="stalled attempts", items=stalled, run=partial(_nudge, now=now), now=now)


@transaction.atomic
def _nudge(attempt: Attempt, *, now: datetime) -> None:
    assert attempt.batch_id is not None
    if is_step_enqueued(batch_id=attempt.batch_id, by=now):
        return  # its job is not lost: it waits behind others
    unchanged = Attempt.objects.filter(pk=attempt.pk, state=attempt.state, next_step_at=attempt.next_step_at)
    if unchanged.update(next_step_at=now):  # due now, and stalled again if its new job is lost too
        settle_batch_later(batch_id=attempt.batch_id)
        _mend("standing_attempts", f"{attempt} has stalled in state {attempt.state}")


def resume_idle_batches(*, since: datetime, now: datetime) -> None:
    """Resume open batches that have no attempt in flight."""
    idle = idle_batches(now=now).filter(created_at__lte=since)
    run_each(what="idle batches", items=idle.order_by("pk"), run=_resume, now=now)


def _resume(batch: Batch) -> None:
    if resume_batch(batch_id=batch.pk):
        _mend("idle_batches", f"{batch} had no attempt in flight")


def recheck_attempts(*, now: datetime) -> None:
    """Enqueue a recheck of every attempt that was presumed not placed and whose next recheck is due."""
    due = Attempt.objects.filter(recheck_at__lte=now).order_by("recheck_at", "pk")
    run_each(what="rechecks", items=due, run=partial(_recheck, now=now), now=now)


@transaction.atomic
def _recheck(attempt: Attempt, *, now: datetime) -> None:
    later = now + timedelta(seconds=settings.SETTLEMENT.lookup_max_wait_seconds)
    if Attempt.objects.filter(pk=attempt.pk, recheck_at=attempt.recheck_at).update(recheck_at=later):
        recheck_attempt_later(attempt_id=attempt.pk)


def enqueue_lost_interventions(*, since: datetime, now: datetime) -> None:
    """Enqueue interventions again that have no outcome and no job."""
    waiting = Intervention.objects.filter(outcome=None, requested_at__lte=since)
    lost: list[int] = []
    if waiting.exists():  # hardly ever: a backlog of jobs is read for nothing else
        # The jobs are read before the interventions: a job that ends in between has written its outcome by then.
        jobless = waiting.exclude(pk__in=list_enqueued_interventions())
        lost = list(jobless.order_by("pk").values_list("pk", flat=True))
    run_each(what="lost interventions", items=lost, run=_enqueue_intervention, now=now)


def _enqueue_intervention(intervention_id: int) -> None:
    intervene_later(intervention_id=intervention_id)
    _mend("interventions_without_a_job", f"intervention {intervention_id} had no job")


def enqueue_lost_adoptions() -> None:
    """Enqueue again what staff decided to adopt and no worker has adopted: the venue may have been away."""
    for finding in Finding.objects.filter(decision=FindingDecision.ADOPT, closed_at=None).order_by("pk"):
        adopt_order_later(finding_id=finding.pk)


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
