"""Judge an attempt by its order at the venue, or an order without an attempt."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from settlement.models import Attempt, AttemptState, Finding, FindingKind
from settlement.services.asking import look_up
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.outcomes import book_late_fill
from settlement.venues.protocol import Executed, ListedPurchase, OrderNotFound, Venue
from trading.models import Coin

logger = logging.getLogger(__name__)

_GIVEN_UP: Final = (AttemptState.NOT_PLACED, AttemptState.REFUSED)


@dataclass(kw_only=True)
class Comparison:
    """The comparison of one coin, as it goes on."""

    coin: Coin
    venue: Venue
    since: datetime
    now: datetime
    settled_before: datetime
    """Attempts that ended later than this are too young to be judged."""
    purchases: int = 0
    attempts: int = 0
    late_fills: int = 0
    closed: int = 0
    is_unsure: bool = False
    judged: set[int] = field(default_factory=set)  # attempts
    raised: set[int] = field(default_factory=set)  # findings


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An attempt, and the order that the venue lists under its id."""

    attempt: Attempt
    listed: ListedPurchase | None


def judge_stranger(*, run: Comparison, stranger: ListedPurchase) -> None:
    """Raise a finding for an order that no attempt of ours explains, if it bought anything."""
    if stranger.quantity:
        contradiction = Contradiction(
            kind=FindingKind.EXTRA,
            subject=name_stranger(stranger),
            theirs=_figures(stranger),
            amount=stranger.quantity,
            coin=run.coin,
        )
        _find(run, contradiction)


def judge_pair(*, run: Comparison, pair: Pair, has_finding: bool) -> None:
    """Look up an attempt that seems to differ from the venue's list, and raise a finding if it does differ.

    One that `has_finding` and is not listed is looked up as well.
    """
    if _is_being_settled(run, pair):
        return
    if not _is_suspect(pair) and (pair.listed or not has_finding):
        run.judged.add(pair.attempt.pk)
        return
    answer = look_up(coin=run.coin.name, client_order_id=pair.attempt.client_order_id, venue=run.venue)
    if isinstance(answer, Executed):
        _judge_known(run, pair.attempt, answer)
    elif isinstance(answer, OrderNotFound) and pair.listed is None:
        _judge_unknown(run, pair.attempt)
    else:
        logger.warning("reconciliation: %s cannot be looked up: %s", pair.attempt, answer)
        run.is_unsure = True
        return
    run.judged.add(pair.attempt.pk)


def open_findings(*, run: Comparison) -> QuerySet[Finding]:
    """Return the coin's findings that this run may close; those of a run that began later are not its own to judge."""
    kinds = (FindingKind.EXTRA, FindingKind.MISSING, FindingKind.DIFFERS)
    return Finding.objects.filter(kind__in=kinds, coin=run.coin, closed_at=None, seen_at__lte=run.now)


def name_stranger(stranger: ListedPurchase) -> str:
    """Return the subject of an EXTRA finding, in which `read_stranger` finds the order's id."""
    return f"order {stranger.client_order_id} {stranger.venue_order_id}"


def read_stranger(subject: str) -> str:
    """Return the client order id in the subject of an EXTRA finding."""
    return subject.split()[1]


def _is_being_settled(run: Comparison, pair: Pair) -> bool:
    """Whether settlement works on the attempt, or has just done so, or staff decide."""
    attempt = pair.attempt
    if attempt.state == AttemptState.NEW:  # when the attempts were read: no order listed before is its doing
        return pair.listed is None
    if attempt.state == AttemptState.SENT or (attempt.state == AttemptState.PARKED and attempt.signed_at):
        return True
    return attempt.ended_at is not None and attempt.ended_at > run.settled_before


def _is_suspect(pair: Pair) -> bool:
    """Whether the list contradicts us. It has no commission: where that is part of the cost, the order is looked up."""
    if pair.listed is None:
        return pair.attempt.state == AttemptState.FILLED
    return not _agree(pair.attempt, pair.listed) or (
        pair.attempt.state == AttemptState.FILLED and pair.attempt.cost != pair.listed.cost
    )


def _judge_known(run: Comparison, attempt: Attempt, answer: Executed) -> None:
    if _agree(attempt, answer) and _cost_agrees(attempt, answer):
        return
    if attempt.state in _GIVEN_UP and answer.final:
        if book_late_fill(attempt=attempt, execution=answer):
            run.late_fills += 1
            return
        if Attempt.objects.filter(pk=attempt.pk, state=AttemptState.FILLED).exists():
            return  # somebody else has just booked it
    contradiction = Contradiction(
        kind=FindingKind.DIFFERS,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours=f"{attempt.state}, {_figures_of(attempt)}",
        theirs=f"{answer.status}, {_figures(answer)}",
        amount=answer.quantity - attempt.executed,
    )
    _find(run, contradiction)


def _judge_unknown(run: Comparison, attempt: Attempt) -> None:
    if attempt.state == AttemptState.FILLED:
        contradiction = Contradiction(
            kind=FindingKind.MISSING,
            subject=f"attempt {attempt.client_order_id}",
            attempt=attempt,
            ours=_figures_of(attempt),
            theirs="not found",
            amount=-attempt.executed,
        )
        _find(run, contradiction)


def _agree(attempt: Attempt, order: ListedPurchase | Executed) -> bool:
    """Whether state and quantity say the same. Nothing bought is the same as never placed, once it is final."""
    return (
        attempt.state != AttemptState.NEW
        and order.final
        and order.quantity == attempt.executed
        and attempt.venue_order_id in {"", order.venue_order_id}
    )


def _cost_agrees(attempt: Attempt, answer: Executed) -> bool:
    """Whether the cost is the same. Commission in a third asset has a figure in dollars only from staff."""
    if attempt.state != AttemptState.FILLED or answer.foreign_commission:
        return True
    return (answer.cost, answer.commission) == (attempt.cost, attempt.commission)


def _find(run: Comparison, contradiction: Contradiction) -> None:
    """Raise a finding, unless staff have closed just that one."""
    same = Finding.objects.filter(
        kind=contradiction.kind,
        subject=contradiction.subject,
        ours=contradiction.ours,
        theirs=contradiction.theirs,
    )
    if not same.filter(closed_by__isnull=False).exists():
        run.raised.add(raise_finding(contradiction=contradiction, now=run.now).pk)


def _figures(order: ListedPurchase | Executed) -> str:
    return f"{order.quantity.normalize():f} for {order.cost.normalize():f}"


def _figures_of(attempt: Attempt) -> str:
    return f"{attempt.executed.normalize():f} for {attempt.cost.normalize():f}"
