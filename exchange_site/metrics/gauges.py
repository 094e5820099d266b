"""Gauges that are read from the database at each scrape.

A scrape runs a few statements over open rows only, so its cost does not grow with history. All instances report the
same values: take the maximum over instances, not the sum.
"""

import logging
import platform
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from django.db import InterfaceError, OperationalError
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric

from exchange_site.version import VERSION
from settlement.metrics import count_failed_item
from settlement.models import VenueAccount, VenueEntry, VenueState
from settlement.selectors.batches import count_batches
from settlement.selectors.findings import count_open_findings
from settlement.selectors.jobs import summarise_jobs
from settlement.selectors.pauses import list_paused_coins
from settlement.selectors.results import read_stocks
from settlement.to_do.readers import count_to_do
from trading.models import OrderState
from trading.selectors.headroom import list_headroom
from trading.selectors.losses import list_losses_of_today
from trading.selectors.orders import summarise_open_orders
from trading.selectors.pools import sum_pools
from trading.selectors.prices import list_suspended_coins
from wallets.runtime import clock
from wallets.runtime.lost_connections import is_lost

logger = logging.getLogger(__name__)


class WithDatabase(CollectorRegistry):
    """Collect the metrics of the registry `counted`, and the database's gauges."""

    def __init__(self, counted: CollectorRegistry) -> None:
        super().__init__()
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        yield from self._counted.collect()
        yield _read_build()
        reachable = GaugeMetricFamily("exchange_database_up", "Whether the database answered this scrape.")
        found: list[Metric] = []
        is_up = True
        for read in _READERS:
            try:
                found += read(clock.now())
            except Exception as error:
                if isinstance(error, OperationalError | InterfaceError) or is_lost(error):
                    logger.warning("metrics: the database did not answer: %s", type(error).__name__)
                    is_up, found = False, []
                    break
                logger.exception("metrics: %s failed; the other gauges go on", read.__name__)
                count_failed_item(what="gauges")
        reachable.add_metric([], float(is_up))
        yield reachable
        yield from found


def _read_build() -> Metric:
    """Return the release that this instance runs; 1 is no count."""
    build = GaugeMetricFamily("exchange_build_info", "The release and its Python.", labels=["version", "python"])
    build.add_metric([VERSION, platform.python_version()], 1)
    return build


def _read_orders(now: datetime) -> Iterator[Metric]:
    orders = GaugeMetricFamily("exchange_orders", "Open orders.", labels=["state"])
    ages = GaugeMetricFamily("exchange_order_oldest_age_seconds", "Age of the oldest open order.", labels=["state"])
    unsettled = GaugeMetricFamily("exchange_unsettled_usd", "Charges of orders not settled yet, US dollars.")
    found = {row.state: row for row in summarise_open_orders()}
    for state in (OrderState.PENDING, OrderState.POOLED, OrderState.HELD, OrderState.SETTLING):
        row = found.get(state.value)
        orders.add_metric([state.value], row.count if row else 0)
        ages.add_metric([state.value], row.oldest_age_seconds if row else 0)
    unsettled.add_metric([], float(sum(row.total for row in found.values())))
    yield from (orders, ages, unsettled)


def _read_pools(now: datetime) -> Iterator[Metric]:
    pools = GaugeMetricFamily("exchange_pool_usd", "Orders waiting in each pool, US dollars.", labels=["coin"])
    for coin, total in sum_pools().items():
        pools.add_metric([coin], float(total))
    yield pools


def _read_jobs(now: datetime) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("exchange_jobs", "Jobs in the queues.", labels=["queue", "status"])
    ages = GaugeMetricFamily(
        "exchange_job_oldest_age_seconds", "How long the oldest job that is due has waited.", labels=["queue"]
    )
    for queue in summarise_jobs():
        for status, count in queue.counts.items():
            jobs.add_metric([queue.name, status], count)
        ages.add_metric([queue.name], queue.oldest_due_seconds)
    yield from (jobs, ages)


def _read_batches(now: datetime) -> Iterator[Metric]:
    batches = GaugeMetricFamily("exchange_batches", "Batches that are not closed.", labels=["state"])
    for state, count in count_batches().items():
        batches.add_metric([state], count)
    yield batches


def _read_pauses(now: datetime) -> Iterator[Metric]:
    paused = GaugeMetricFamily(
        "exchange_buying_paused",
        "Coins whose buying is paused; no name: all, no venue: every venue.",
        labels=["coin", "kind", "venue"],
    )
    for coin, kind, venue in list_paused_coins(now=now):
        paused.add_metric([coin, kind, venue], 1)
    yield paused


def _read_accounts(now: datetime) -> Iterator[Metric]:
    free = GaugeMetricFamily(
        "exchange_venue_free",
        "What our account could spend when it was last read, in its asset.",
        labels=["venue", "asset"],
    )
    used = GaugeMetricFamily("exchange_venue_in_use", "Whether coins may be bought at the venue.", labels=["venue"])
    for account in VenueAccount.objects.all():
        free.add_metric([account.venue, account.asset], float(account.free))
    for venue in VenueEntry.objects.all():
        used.add_metric([venue.name], float(venue.state == VenueState.IN_USE))
    yield from (free, used)


def _read_suspensions(now: datetime) -> Iterator[Metric]:
    suspended = GaugeMetricFamily(
        "exchange_price_suspended", "Coins that are not sold because their price has jumped.", labels=["coin"]
    )
    for coin in list_suspended_coins():
        suspended.add_metric([coin], 1)
    yield suspended


def _read_losses(now: datetime) -> Iterator[Metric]:
    losses = GaugeMetricFamily(
        "exchange_loss_today_usd",
        "Loss of this UTC day: cost of the coins delivered less charges; negative: a gain; no name: all coins.",
        labels=["coin"],
    )
    ceilings = GaugeMetricFamily(
        "exchange_loss_ceiling_usd", "The loss of a day at which sales stop; no name: of all coins.", labels=["coin"]
    )
    stopped = GaugeMetricFamily("exchange_sales_stopped", "Sales that have stopped for today.", labels=["coin"])
    for loss in list_losses_of_today(now=now):
        name = loss.coin.name if loss.coin else ""
        losses.add_metric([name], float(loss.amount))
        if loss.ceiling is not None:
            ceilings.add_metric([name], float(loss.ceiling))
        if loss.is_stopped:
            stopped.add_metric([name], 1)
    yield from (losses, ceilings, stopped)


def _read_headroom(now: datetime) -> Iterator[Metric]:
    room = GaugeMetricFamily(
        "exchange_headroom_usd", "What may still be sold, US dollars; no name: all coins together.", labels=["coin"]
    )
    whole = GaugeMetricFamily(
        "exchange_headroom_whole_usd",
        "The limit of what may be sold and not settled; no name and no limit: what the account could pay today.",
        labels=["coin"],
    )
    for counted in list_headroom():
        name = counted.coin.name if counted.coin else ""
        if counted.room is not None:
            room.add_metric([name], float(counted.room))
        if counted.whole is not None:
            whole.add_metric([name], float(counted.whole))
    yield from (room, whole)


def _read_result(now: datetime) -> Iterator[Metric]:
    """Yield what is counted with each booking. `manage.py result` reads a whole day: too much for a scrape."""
    earned = GaugeMetricFamily(
        "exchange_result_today_usd",
        "What the coins delivered on this UTC day have earned, without fees; negative: a loss.",
        labels=["coin"],
    )
    stock = GaugeMetricFamily(
        "exchange_inventory_usd", "The coins of the house, at cost and at the market price.", labels=["coin", "at"]
    )
    for loss in list_losses_of_today(now=now):
        if loss.coin is not None:
            earned.add_metric([loss.coin.name], float(-loss.amount))
    for name, left in read_stocks(now=now).items():
        for at, worth in (("cost", left.cost), ("market", left.worth)):
            if worth is not None:
                stock.add_metric([name, at], float(worth))
    yield from (earned, stock)


def _read_to_do(now: datetime) -> Iterator[Metric]:
    listed = GaugeMetricFamily("exchange_attention", "Entries of the to-do page, by kind.", labels=["kind"])
    for concern, count in count_to_do(now=now).items():
        listed.add_metric([concern.value], count)
    yield listed


def _read_findings(now: datetime) -> Iterator[Metric]:
    findings = GaugeMetricFamily("exchange_findings", "Open findings of reconciliation.", labels=["kind"])
    for kind, count in count_open_findings().items():
        findings.add_metric([kind], count)
    yield findings


_READERS: Final[tuple[Callable[[datetime], Iterator[Metric]], ...]] = (
    _read_orders,
    _read_pools,
    _read_jobs,
    _read_batches,
    _read_pauses,
    _read_accounts,
    _read_suspensions,
    _read_losses,
    _read_headroom,
    _read_result,
    _read_to_do,
    _read_findings,
)
