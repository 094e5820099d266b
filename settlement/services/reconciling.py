"""Does the venue know what we know, and does our ledger agree with itself? Contradictions become findings.

The venue's list is read before our attempts, and an attempt is on record before it is sent: so an order of ours
that is listed without one is nobody's. What settlement does meanwhile looks like a contradiction until the order is
asked for by its own id, which is what every other suspicion waits for. No database connection is held while the
venue is asked.

A finding is closed on evidence only: books that agree, or a venue that says that it knows no such order.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet

from settlement.clock import database_now
from settlement.exchanges.protocol import Answer, CoinNotListed, Exchange, ExchangeAway, Executed, NotFound, Purchase
from settlement.letting_go import let_go_of_the_database
from settlement.models import Attempt, AttemptState, Finding, FindingKind
from settlement.services.booking import book_late_fill
from settlement.services.findings import raise_finding
from settlement.verification import verify_everything
from trading.models import Coin

logger = logging.getLogger(__name__)

_GIVEN_UP: Final = (AttemptState.NOT_PLACED, AttemptState.REFUSED)


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What was compared and what came of it. `findings` are all that are open now, `unasked` names coins."""

    purchases: int
    attempts: int
    late_fills: int
    closed: int
    unasked: list[str]
    findings: list[Finding]


def reconcile(
    *,
    exchange: Exchange,
    since: datetime,
    now: datetime,
    track: Callable[[list[Coin]], Iterable[Coin]] = iter,
) -> Reconciliation:
    """Compare the venue's orders of ours since `since` with our attempts, and check the ledger.

    Contradictions become findings, a purchase that we had given up is booked, and what was found before and is gone is
    closed; but not what staff have closed with the same figures. May run at any time, twice, while settlement goes on.
    A coin of which the venue does not tell all is named in `unasked`, and what it does not tell stays as it is; so do
    findings about what lies before `since`.
    """
    coins = [_reconcile_coin(coin, exchange, since=since, now=now) for coin in track(list(Coin.objects.all()))]
    closed = _reconcile_ledger(now=now)
    return Reconciliation(
        purchases=sum(found.purchases for found in coins),
        attempts=sum(found.attempts for found in coins),
        late_fills=sum(found.late_fills for found in coins),
        closed=closed + sum(found.closed for found in coins),
        unasked=[found.coin.name for found in coins if found.is_unsure],
        findings=list(Finding.objects.filter(closed_at=None).select_related("coin", "attempt").order_by("id")),
    )


@dataclass(kw_only=True)
class _Comparison:
    """A coin's, as it goes on."""

    coin: Coin
    since: datetime
    now: datetime
    purchases: int = 0
    attempts: int = 0
    late_fills: int = 0
    closed: int = 0
    is_unsure: bool = False
    judged: set[int] = field(default_factory=set)  # attempts
    raised: set[int] = field(default_factory=set)  # findings


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """An attempt, and what the venue lists under its id."""

    attempt: Attempt
    listed: Purchase | None


def _reconcile_coin(coin: Coin, exchange: Exchange, *, since: datetime, now: datetime) -> _Comparison:
    run = _Comparison(coin=coin, since=since, now=now)
    settled_before = database_now() - settings.NOT_FOUND_MARGIN  # the venue's reads lag
    purchases = _list_purchases(run, exchange)
    if purchases is None:
        return run
    attempts = _read_attempts(run, purchases)
    pairs, strangers = _pair(attempts, purchases)
    run.purchases, run.attempts = len(purchases), len(attempts)
    for stranger in strangers:
        _judge_stranger(run, stranger)
    doubted = set(_open_findings(run).values_list("attempt_id", flat=True))
    for pair in pairs:
        _judge_pair(run, pair, exchange, settled_before=settled_before, is_doubted=pair.attempt.pk in doubted)
    _close_what_is_gone(run, exchange, purchases)
    return run


def _list_purchases(run: _Comparison, exchange: Exchange) -> list[Purchase] | None:
    """None when there is nothing to go by."""
    let_go_of_the_database()
    try:
        return exchange.list_purchases(coin=run.coin.name, since=run.since)
    except ExchangeAway as error:
        logger.warning("reconciliation: the exchange does not list orders of %s: %s", run.coin, error)
        run.is_unsure = True
    except CoinNotListed:  # nothing to ask, unless it was bought there not long ago
        run.is_unsure = Attempt.objects.filter(coin=run.coin, signed_at__gte=run.since).exists()
    return None


def _read_attempts(run: _Comparison, purchases: list[Purchase]) -> list[Attempt]:
    """Those that were sent since then, by the venue's clock, and whatever it has listed."""
    names = {purchase.client_order_id for purchase in purchases}
    wanted = Attempt.objects.filter(Q(signed_at__gte=run.since) | Q(client_order_id__in=names), coin=run.coin)
    return list(wanted.select_related("batch", "coin").defer("answer").order_by("id"))


def _pair(attempts: list[Attempt], purchases: list[Purchase]) -> tuple[list[_Pair], list[Purchase]]:
    """Find each attempt's own order; what is left over are orders that nobody knows of.

    A venue may take a client order id twice: the attempt's is the one that it was booked by, else the newest, which is
    also the one that the venue tells of when asked.
    """
    by_name: dict[str, list[Purchase]] = defaultdict(list)
    for purchase in purchases:
        by_name[purchase.client_order_id].append(purchase)
    pairs = []
    for attempt in attempts:
        own = by_name[attempt.client_order_id]
        booked = [purchase for purchase in own if purchase.venue_order_id == attempt.venue_order_id]
        pairs.append(_Pair(attempt=attempt, listed=next(iter(booked or own[-1:]), None)))
    known = {pair.listed.venue_order_id for pair in pairs if pair.listed}
    return pairs, [purchase for purchase in purchases if purchase.venue_order_id not in known]


def _judge_stranger(run: _Comparison, stranger: Purchase) -> None:
    if stranger.quantity:
        _find(
            run,
            FindingKind.EXTRA,
            subject=_name_stranger(stranger),
            theirs=_figures(stranger),
            amount=stranger.quantity,
            coin=run.coin,
        )


def _judge_pair(
    run: _Comparison, pair: _Pair, exchange: Exchange, *, settled_before: datetime, is_doubted: bool
) -> None:
    if _is_to_be_left_alone(pair, settled_before=settled_before):
        return
    if not _is_suspect(pair) and (pair.listed or not is_doubted):
        run.judged.add(pair.attempt.pk)
        return
    answer = _look_up(exchange, run.coin, pair.attempt.client_order_id)
    if isinstance(answer, Executed):
        _judge_known(run, pair.attempt, answer)
    elif isinstance(answer, NotFound) and pair.listed is None:
        _judge_unknown(run, pair.attempt)
    else:
        logger.warning("reconciliation: %s cannot be asked for: %s", pair.attempt, answer)
        run.is_unsure = True
        return
    run.judged.add(pair.attempt.pk)


def _is_to_be_left_alone(pair: _Pair, *, settled_before: datetime) -> bool:
    """Settlement is at it, or has just been, or an operator decides."""
    attempt = pair.attempt
    if attempt.state == AttemptState.NEW:  # when the attempts were read: what was listed before is none of its doing
        return pair.listed is None
    if attempt.state == AttemptState.SENT or (attempt.state == AttemptState.PARKED and attempt.signed_at):
        return True
    return attempt.ended_at is not None and attempt.ended_at > settled_before


def _is_suspect(pair: _Pair) -> bool:
    """Lists have no commission: where it is part of the cost, the order is asked for."""
    if pair.listed is None:
        return pair.attempt.state == AttemptState.FILLED
    return not _agree(pair.attempt, pair.listed) or (
        pair.attempt.state == AttemptState.FILLED and pair.attempt.cost != pair.listed.cost
    )


def _judge_known(run: _Comparison, attempt: Attempt, answer: Executed) -> None:
    if _agree(attempt, answer) and _cost_agrees(attempt, answer):
        return
    if attempt.state in _GIVEN_UP and answer.final:
        if book_late_fill(attempt=attempt, execution=answer):
            run.late_fills += 1
            return
        if Attempt.objects.filter(pk=attempt.pk, state=AttemptState.FILLED).exists():
            return  # somebody else has just booked it
    _find(
        run,
        FindingKind.DIFFERS,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours=f"{attempt.state}, {_figures_of(attempt)}",
        theirs=f"{answer.status}, {_figures(answer)}",
        amount=answer.quantity - attempt.executed,
    )


def _agree(attempt: Attempt, order: Purchase | Executed) -> bool:
    """Whether state and quantity say the same. Nothing bought is the same as never placed, once it is final."""
    return (
        attempt.state != AttemptState.NEW
        and order.final
        and order.quantity == attempt.executed
        and attempt.venue_order_id in {"", order.venue_order_id}
    )


def _cost_agrees(attempt: Attempt, answer: Executed) -> bool:
    """Commission in a third asset has no figure in dollars but the one that an operator has found."""
    if attempt.state != AttemptState.FILLED or answer.foreign_commission:
        return True
    return (answer.cost, answer.commission) == (attempt.cost, attempt.commission)


def _judge_unknown(run: _Comparison, attempt: Attempt) -> None:
    if attempt.state == AttemptState.FILLED:
        _find(
            run,
            FindingKind.MISSING,
            subject=f"attempt {attempt.client_order_id}",
            attempt=attempt,
            ours=_figures_of(attempt),
            theirs="not found",
            amount=-attempt.executed,
        )


def _close_what_is_gone(run: _Comparison, exchange: Exchange, purchases: list[Purchase]) -> None:
    listed = {_name_stranger(purchase) for purchase in purchases}
    for finding in _open_findings(run).exclude(pk__in=run.raised):
        if finding.kind != FindingKind.EXTRA:
            is_gone = finding.attempt_id in run.judged
        elif finding.subject in listed:
            is_gone = True  # it is somebody's by now
        else:
            is_gone = finding.found_at >= run.since and _has_vanished(finding, run, exchange)
        if is_gone:
            run.closed += _close(finding, now=run.now)


def _open_findings(run: _Comparison) -> QuerySet[Finding]:
    """The coin's that this run may close; those of a run that began later are not its own to judge."""
    kinds = (FindingKind.EXTRA, FindingKind.MISSING, FindingKind.DIFFERS)
    return Finding.objects.filter(kind__in=kinds, coin=run.coin, closed_at=None, seen_at__lte=run.now)


def _has_vanished(finding: Finding, run: _Comparison, exchange: Exchange) -> bool:
    """Whether the venue does not know a stranger any more; one that the list has left out it may know."""
    answer = _look_up(exchange, run.coin, finding.subject.split()[1])
    run.is_unsure |= not isinstance(answer, Executed | NotFound)
    return isinstance(answer, NotFound)


def _reconcile_ledger(*, now: datetime) -> int:
    """Findings for the rules that are broken; returns how many are not any more."""
    raised = set()
    for violation in verify_everything():
        finding = raise_finding(
            kind=FindingKind.LEDGER,
            subject=f"rule {violation.rule}: {violation.subject}",
            ours=violation.expected,
            theirs=violation.found,
            now=now,
        )
        raised.add(finding.pk)
    mended = Finding.objects.filter(kind=FindingKind.LEDGER, closed_at=None, seen_at__lte=now).exclude(pk__in=raised)
    return sum(_close(finding, now=now) for finding in mended)


def _find(
    run: _Comparison,
    kind: FindingKind,
    *,
    subject: str,
    theirs: str,
    amount: Decimal,
    ours: str = "",
    coin: Coin | None = None,
    attempt: Attempt | None = None,
) -> None:
    """Raise a finding, unless staff have closed just that one."""
    same = Finding.objects.filter(kind=kind, subject=subject, ours=ours, theirs=theirs)
    if same.filter(closed_by__isnull=False).exists():
        return
    finding = raise_finding(
        kind=kind, subject=subject, ours=ours, theirs=theirs, amount=amount, coin=coin, attempt=attempt, now=run.now
    )
    run.raised.add(finding.pk)


def _close(finding: Finding, *, now: datetime) -> int:
    """Close what is not so any more; 1 if nobody else has."""
    closed = Finding.objects.filter(pk=finding.pk, closed_at=None).update(closed_at=now)
    if closed:
        logger.info("finding: %s is gone", finding)
    return closed


def _name_stranger(purchase: Purchase) -> str:
    """The subject of an EXTRA finding. `_has_vanished` reads the client order id from it."""
    return f"order {purchase.client_order_id} {purchase.venue_order_id}"


def _figures(order: Purchase | Executed) -> str:
    return f"{order.quantity.normalize():f} for {order.cost.normalize():f}"


def _figures_of(attempt: Attempt) -> str:
    return f"{attempt.executed.normalize():f} for {attempt.cost.normalize():f}"


def _look_up(exchange: Exchange, coin: Coin, client_order_id: str) -> Answer:
    let_go_of_the_database()
    return exchange.look_up(coin=coin.name, client_order_id=client_order_id)
