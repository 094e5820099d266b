"""Compare the venue's orders with our attempts, its balances with our books, and the ledger with itself.

Contradictions become findings.

The venue's list is read before our attempts, and an attempt is recorded before it is sent. So a listed order with our
prefix and without an attempt contradicts our books for certain. Any other difference may be settlement's work since the
list was read, so the order is looked up by its id before a finding is raised. No database connection is held during a
call to the venue.

A finding is closed only on evidence: both books agree, or the venue answers that it does not know the order.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q

from settlement.clock import database_now
from settlement.gate import Figures
from settlement.models import Attempt, Finding, current_venue, here_or_before, load_installation_code
from settlement.order_ids import is_ours
from settlement.services.calling import call
from settlement.services.isolating import run_each
from settlement.services.reconciling.balances import compare_balances
from settlement.services.reconciling.closing import close_gone, reconcile_ledger
from settlement.services.reconciling.judging import (
    Comparison,
    Pair,
    judge_pair,
    judge_stranger,
    open_findings,
    subject_of,
)
from settlement.venues.protocol import CoinNotListed, ListedPurchase, UnusableRules, Venue, VenueAway
from trading.models import Coin

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The extent and the results of a comparison.

    `findings` are all findings that are open now. `unasked` names the coins for which the venue did not answer in full,
    the balances that could not be read, and `ledger` if the ledger could not be checked.
    """

    purchases: int
    attempts: int
    late_fills: int
    closed: int
    unasked: list[str]
    findings: list[Finding]


def reconcile(
    *,
    venue: Venue,
    since: datetime,
    now: datetime,
    track: Callable[[list[Coin]], Iterable[Coin]] = iter,
) -> Reconciliation:
    """Compare our orders at the venue since `since` with our attempts, compare balances, and check the ledger.

    Contradictions become findings, fills of attempts that we had given up are booked, and findings whose contradiction
    is gone are closed. A finding that staff closed is not raised again with the same figures. If the venue does not
    list a coin's orders in full, `unasked` names the coin, and the coin's findings do not change. Findings about orders
    before `since` do not change either. A coin or an order that fails does not stop the others; `unasked` names its
    coin. Safe to run at any time, and twice, while settlement works.
    """
    coins: list[Comparison] = []
    ledger_closed: list[int] = []

    def compare(coin: Coin) -> None:
        coins.append(_reconcile_coin(coin, venue, since=since, now=now))

    what = f"reconciliation{_suffix(venue)}"
    failed = run_each(what=what, items=track(list(Coin.objects.all())), run=compare, now=now)
    balances = compare_balances(venue=venue, from_the_start=True)
    failed |= balances.unread | run_each(
        what="reconciliation of the ledger",
        items=["ledger"],
        run=lambda _: ledger_closed.append(reconcile_ledger(now=now)),
        now=now,
    )
    return Reconciliation(
        purchases=sum(run.purchases for run in coins),
        attempts=sum(run.attempts for run in coins),
        late_fills=sum(run.late_fills for run in coins),
        closed=sum(ledger_closed) + balances.closed + sum(run.closed for run in coins),
        unasked=sorted(failed | {run.coin.name for run in coins if run.is_unsure}),
        findings=list(Finding.objects.filter(closed_at=None).select_related("coin", "attempt").order_by("id")),
    )


def _reconcile_coin(coin: Coin, venue: Venue, *, since: datetime, now: datetime) -> Comparison:
    settled_before = database_now() - settings.SETTLEMENT.not_found_margin  # the venue's reads lag
    run = Comparison(coin=coin, venue=venue, since=since, now=now, settled_before=settled_before)
    listed = _list_purchases(run)
    if listed is None:
        return run
    run.figures = _list_figures(run, listed)
    attempts = _read_attempts(run, listed)
    pairs, strangers = _pair(attempts, listed)
    run.purchases, run.attempts = len(listed), len(attempts)
    suspected = set(open_findings(run=run).values_list("attempt_id", flat=True))
    is_unsure = run_each(
        what=f"strangers:{coin}{_suffix(venue)}",
        items=strangers,
        run=lambda stranger: judge_stranger(run=run, stranger=stranger),
        now=now,
        name=subject_of,
    ) | run_each(
        what=f"reconciled attempts:{coin}{_suffix(venue)}",
        items=pairs,
        run=lambda pair: judge_pair(run=run, pair=pair, has_finding=pair.attempt.pk in suspected),
        now=now,
        name=lambda pair: str(pair.attempt),
    )
    run.is_unsure |= bool(is_unsure)
    close_gone(run=run, listed=listed)
    return run


def _suffix(venue: Venue) -> str:
    """Return what tells the failures of this work at a venue apart; the first venue's are as in earlier releases."""
    return "" if venue.name == current_venue() else f":{venue.name}"


def _list_purchases(run: Comparison) -> list[ListedPurchase] | None:
    """Return the venue's list of our orders, or None if the venue gives no list."""
    try:
        listed = call(
            venue=run.venue.name,
            read=lambda: run.venue.list_purchases(coin=run.coin.name, since=run.since),
            now=database_now(),
        )
    except (VenueAway, UnusableRules) as error:
        logger.warning("reconciliation: the venue does not list orders of %s: %s", run.coin, error)
        run.is_unsure = True
    except CoinNotListed:
        # Without a market there is nothing to list. Evidence is missing only if we bought the coin there.
        here = Attempt.objects.filter(coin=run.coin, venue__in=here_or_before(run.venue.name))
        run.is_unsure = here.filter(signed_at__gte=run.since).exists()
    else:
        code = load_installation_code()
        return [order for order in listed if is_ours(order.client_order_id, installation=code)]
    return None


def _list_figures(run: Comparison, listed: list[ListedPurchase]) -> dict[str, Figures | None] | None:
    """Return the figures of the listed orders from the venue's list of trades, or None if there is no such list."""
    if not any(order.quantity for order in listed):
        return {}
    try:
        return call(
            venue=run.venue.name,
            read=lambda: run.venue.list_figures(coin=run.coin.name, listed=listed, since=run.since),
            now=database_now(),
        )
    except VenueAway as error:
        logger.warning("reconciliation: the venue does not list trades of %s: %s", run.coin, error)
        run.is_unsure = True
        return None


def _read_attempts(run: Comparison, listed: list[ListedPurchase]) -> list[Attempt]:
    """Read the attempts that were sent since `run.since` by the venue's clock, and those of all listed orders."""
    names = {purchase.client_order_id for purchase in listed}
    ids = {purchase.venue_order_id for purchase in listed}
    of_listed = Q(client_order_id__in=names) | Q(venue_order_id__in=ids)
    wanted = Attempt.objects.filter(Q(signed_at__gte=run.since) | of_listed, coin=run.coin)
    wanted = wanted.filter(venue__in=here_or_before(run.venue.name))
    return list(wanted.select_related("batch", "coin", "excess").defer("answer").order_by("id"))


def _pair(attempts: list[Attempt], listed: list[ListedPurchase]) -> tuple[list[Pair], list[ListedPurchase]]:
    """Pair each attempt with its order. Return the pairs, and the strangers: orders that have no attempt.

    A venue may accept a client order id twice. Then the attempt's order is the order that was booked, else the newest,
    which is also the venue's answer to a lookup. The others may have been adopted, under other names.
    """
    by_name: dict[str, list[ListedPurchase]] = defaultdict(list)
    by_id = {purchase.venue_order_id: purchase for purchase in listed}
    for purchase in listed:
        by_name[purchase.client_order_id].append(purchase)
    pairs = []
    for attempt in attempts:
        own = by_name[attempt.client_order_id]
        booked = [by_id[attempt.venue_order_id]] if attempt.venue_order_id in by_id else []
        pairs.append(Pair(attempt=attempt, listed=next(iter(booked or own[-1:]), None)))
    known = {pair.listed.venue_order_id for pair in pairs if pair.listed}
    return pairs, [purchase for purchase in listed if purchase.venue_order_id not in known]
