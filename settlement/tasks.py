"""Settlement's jobs, run by `manage.py procrastinate worker`.

Each job makes one domain call and is safe to run twice. Jobs are enqueued by name with
`wallets.runtime.jobs.defer_job`, never through these task objects: inside a worker, a task object uses its own database
connection, so its job would survive a rollback.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from procrastinate import JobContext
from procrastinate.contrib.django import app

from settlement.clock import database_now
from settlement.jobs import (
    ACCOUNT_TASK,
    ADOPT_TASK,
    BALANCES_TASK,
    BOOKS_TASK,
    CONFIRM_TASK,
    INTERVENE_TASK,
    OPS_QUEUE,
    RECHECK_QUEUE,
    RECHECK_TASK,
    RECONCILE_TASK,
    SETTLE_TASK,
    WATCH_TASK,
    intervene_later,
    work_at_venue_later,
)
from settlement.rescuing import rescue
from settlement.retries import BackOff
from settlement.selectors.attempts import find_coin_of_attempt, find_coin_of_intervention
from settlement.selectors.venues import list_in_use
from settlement.services import account_feed, adopting, claiming, price_feed, stepping, sweeping
from settlement.services.intervening import cases
from settlement.services.isolating import run_each
from settlement.services.reconciling import balances, comparing
from settlement.services.restoring import asking
from settlement.turns import take_turn
from settlement.venues.configured import list_configured
from settlement.venues.registry import get_second_source, get_venue
from trading.jobs import CLAIM_TASK, SETTLEMENT_QUEUE
from trading.services.prices import prune_prices
from wallets.runtime import failpoints
from wallets.runtime.log_context import log_context
from wallets.services import mailing
from wallets.services.addresses import prune_addresses
from wallets.services.crediting_statements import credit_approved_statements
from wallets.services.erasing import erase_due
from wallets.services.mailing import MAIL_QUEUE, MAIL_TASK
from wallets.services.naming import settle_unclear_names
from wallets.services.security_log import prune_security_events
from wallets.services.tokens import prune_token_families

_STATEMENT_SECONDS: Final = 30.0


@app.task(name=CLAIM_TASK, queue=SETTLEMENT_QUEUE, retry=BackOff())
def claim_waiting_orders(*, coin_id: int) -> None:
    with log_context(coin_id=coin_id):
        claiming.claim_waiting_orders(coin_id=coin_id, now=database_now())


@app.task(name=SETTLE_TASK, queue=SETTLEMENT_QUEUE, retry=BackOff(), pass_context=True)
def settle_batch(context: JobContext, *, batch_id: int) -> None:
    """Take the batch's next step, if it is due. Of two runs at once the second waits for the first, without a thread.

    The run after an error or a dead worker takes it at once: nobody knows what the run before it has done.
    """
    with log_context(batch_id=batch_id):
        with take_turn("settle", batch_id) as turn:
            if turn.is_mine:
                runs = context.job.attempts
                stepping.take_next_step(batch_id=batch_id, get_venue=get_venue, earlier_runs=runs, only_if_due=not runs)
        if turn.was_wanted:
            stepping.keep_next_step(batch_id=batch_id)
        failpoints.reach("job.done")


@app.task(name=INTERVENE_TASK, queue=SETTLEMENT_QUEUE, retry=BackOff())
def intervene(*, intervention_id: int) -> None:
    """Carry out a decision of staff. While another one about the same coin asks the venue, it waits."""
    with take_turn("intervene", find_coin_of_intervention(intervention_id=intervention_id)) as turn:
        if turn.is_mine:
            cases.carry_out(intervention_id=intervention_id, get_venue=get_venue)
        else:
            intervene_later(intervention_id=intervention_id, delay_seconds=1)


@app.task(name=RECHECK_TASK, queue=RECHECK_QUEUE, retry=BackOff())
def recheck_attempt(*, attempt_id: int) -> None:
    """Recheck an attempt. While another one of its coin is rechecked, leave it to the sweep."""
    with take_turn("recheck", find_coin_of_attempt(attempt_id=attempt_id)) as turn:
        if turn.is_mine:
            stepping.recheck_attempt(attempt_id=attempt_id, get_venue=get_venue)


@app.periodic(cron=settings.PRICES.refresh_cron)
@app.task(name="settlement.refresh_prices", queue=OPS_QUEUE, queueing_lock="refresh_prices")
def refresh_prices(timestamp: int) -> None:
    price_feed.refresh_prices(venues=[get_venue(name) for name in list_in_use()], now=database_now())


@app.task(name=BOOKS_TASK, queue=OPS_QUEUE, queueing_lock="refresh_books")
def refresh_books(timestamp: int) -> None:
    price_feed.refresh_books(venues=[get_venue(name) for name in list_in_use()], now=database_now())


@app.task(name=CONFIRM_TASK, queue=OPS_QUEUE, queueing_lock="confirm_prices")
def confirm_prices(timestamp: int) -> None:
    if second := get_second_source():
        price_feed.confirm_prices(second=second, now=database_now())


@app.periodic(cron=settings.SETTLEMENT.float_cron)
@app.task(name="settlement.read_account", queue=OPS_QUEUE, queueing_lock="read_account")
def read_account(timestamp: int) -> None:
    """Read the first venue's account, and count the funds of all. Each other venue has a job: one may be slow."""
    first = _leave_others_to(ACCOUNT_TASK)
    try:
        account_feed.read_account(venue=get_venue(first), now=database_now())
    finally:
        account_feed.count_what_may_be_sold()
    balances.begin_comparing(venue=get_venue(first))


@app.task(name=ACCOUNT_TASK, queue=OPS_QUEUE)
def read_account_of(*, venue: str, timestamp: int) -> None:
    account_feed.read_account(venue=get_venue(venue), now=database_now())
    balances.begin_comparing(venue=get_venue(venue))


@app.periodic(cron="*/5 * * * *")
@app.task(name="settlement.compare_balances", queue=OPS_QUEUE, queueing_lock="compare_balances")
def compare_balances(timestamp: int) -> None:
    balances.compare_balances(venue=get_venue(_leave_others_to(BALANCES_TASK)))


@app.task(name=BALANCES_TASK, queue=OPS_QUEUE)
def compare_balances_of(*, venue: str, timestamp: int) -> None:
    balances.compare_balances(venue=get_venue(venue))


@app.periodic(cron=settings.SETTLEMENT.sweep_cron)
@app.task(name="settlement.sweep", queue=OPS_QUEUE, queueing_lock="sweep")
def sweep(timestamp: int) -> None:
    sweeping.sweep(now=database_now())


@app.periodic(cron=settings.SETTLEMENT.sweep_cron)
@app.task(
    name="settlement.credit_statements", queue=OPS_QUEUE, queueing_lock="credit_statements", lock="credit_statements"
)
def credit_statements(timestamp: int) -> None:
    """Credit approved statements for some seconds; the next run goes on. One run at a time, of all workers."""
    credit_approved_statements(seconds=_STATEMENT_SECONDS)


@app.periodic(cron=settings.SETTLEMENT.sweep_cron)
@app.task(name=WATCH_TASK, queue=OPS_QUEUE)
def watch_database(timestamp: int) -> None:
    asking.keep_watch(get_venue=get_venue)


@app.task(name=ADOPT_TASK, queue=OPS_QUEUE, retry=BackOff())
def adopt_order(*, finding_id: int) -> None:
    adopting.carry_out_decision(finding_id=finding_id, get_venue=get_venue)


@app.task(name=MAIL_TASK, queue=MAIL_QUEUE, retry=BackOff())
def send_mail(*, kind: str, sealed: str) -> None:
    """Send the e-mails about one event. What they say is encrypted, because the queue is no place for addresses."""
    mailing.send(kind=kind, sealed=sealed, now=database_now())


@app.periodic(cron=settings.JOBS.rescue_cron)
@app.task(name="settlement.rescue_stalled_jobs", queue=OPS_QUEUE, queueing_lock="rescue", pass_context=True)
async def rescue_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Run the jobs of a dead worker again. The worker may be alive after all, so every job is safe to run twice."""
    jobs = context.app.job_manager
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=settings.JOBS.stalled_worker_seconds):
        await rescue(job, jobs=jobs)


@app.periodic(cron=settings.SETTLEMENT.reconcile_cron)
@app.task(name="settlement.reconcile", queue=OPS_QUEUE, queueing_lock="reconcile")
def reconcile(timestamp: int) -> None:
    _reconcile_at(_leave_others_to(RECONCILE_TASK))


@app.task(name=RECONCILE_TASK, queue=OPS_QUEUE)
def reconcile_at(*, venue: str, timestamp: int) -> None:
    _reconcile_at(venue)


def _reconcile_at(venue: str) -> None:
    now = database_now()
    since = now - timedelta(days=settings.SETTLEMENT.reconcile_days)
    comparing.reconcile(venue=get_venue(venue), since=since, now=now)


def _leave_others_to(task: str) -> str:
    """Enqueue a job for each venue but the first, and return the first: no venue's slowness or fault stops another."""
    first, *others = list_configured()
    for name in others:
        work_at_venue_later(task=task, venue=name)
    return first


@app.periodic(cron="17 3 * * *")
@app.task(name="settlement.prune", queue=OPS_QUEUE, queueing_lock="prune", pass_context=True)
async def prune(context: JobContext, timestamp: int) -> None:
    """Delete jobs that finished more than `JOBS.keep_hours` ago, whatever their outcome."""
    await context.app.job_manager.delete_old_jobs(
        nb_hours=settings.JOBS.keep_hours, include_failed=True, include_cancelled=True, include_aborted=True
    )


@app.periodic(cron="37 3 * * *")
@app.task(name="settlement.prune_records", queue=OPS_QUEUE, queueing_lock="prune_records")
def prune_records(timestamp: int) -> None:
    """Delete expired sign-ins, addresses not seen lately, and prices and security log beyond the days to keep.

    Erase what is personal about customers whose accounts were closed long ago. Also compute the keys of usernames that
    the previous release has added during an upgrade.
    """
    now = database_now()  # `timestamp` is the worker's time
    parts: dict[str, Callable[[], object]] = {
        "sign-ins": lambda: prune_token_families(before=now),
        "addresses": lambda: prune_addresses(now=now),
        "prices": lambda: prune_prices(before=now - timedelta(days=settings.PRICES.keep_days)),
        "security log": lambda: prune_security_events(before=now - timedelta(days=settings.SECURITY_LOG.keep_days)),
        "closed accounts": lambda: erase_due(now=now),
        "usernames": settle_unclear_names,
    }
    run_each(what="pruning", items=parts, run=lambda part: parts[part](), now=now)
