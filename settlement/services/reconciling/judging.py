"""Judge attempts by their orders at the venue, and orders that have no attempt."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import QuerySet

from settlement.gate import Figures
from settlement.models import (
    GIVEN_UP,
    Attempt,
    AttemptState,
    Excess,
    Finding,
    FindingKind,
    current_venue,
    here_or_before,
)
from settlement.services.asking import look_up, look_up_in_lists
from settlement.services.findings import Contradiction, name_stranger, raise_finding
from settlement.services.outcomes import book_late_fill
from settlement.venues.protocol import Executed, ListedPurchase, OrderNotFound, Untrue, Venue
from trading.models import Coin

logger = logging.getLogger(__name__)

_MOST_LOOKUPS: Final = 100
"""In a run, so many of a coin's orders are looked up because their trades seem to contradict our figures."""


@dataclass(kw_only=True)
class Comparison:
    """The comparison of one coin: its inputs, and its results so far."""

    coin: Coin
    venue: Venue
    since: datetime
    now: datetime
    settled_before: datetime
    """Attempts that ended after this time are too recent to judge."""
    purchases: int = 0
    attempts: int = 0
    late_fills: int = 0
    closed: int = 0
    is_unsure: bool = False
    figures: dict[str, Figures | None] | None = None
    """By venue order id, the figures that the venue's list of trades shows; see `Venue.list_figures`."""
    lookups_of_figures: int = 0
    judged: set[int] = field(default_factory=set)  # ids of attempts
    raised: set[int] = field(default_factory=set)  # ids of findings


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An attempt, and the order that the venue lists under the attempt's id, if any."""

    attempt: Attempt
    listed: ListedPurchase | None


def judge_stranger(*, run: Comparison, stranger: ListedPurchase) -> None:
    """Raise a finding for an order that has no attempt, if the order bought coins.

    What an open finding says about why the order is not adopted stays. An order that staff decided about is not raised
    again with the same figures, whatever was said of it. While a worker has to carry out their decision, the finding
    keeps the figures that they have seen.
    """
    about = Finding.objects.filter(
        kind=FindingKind.EXTRA, subject=subject_of(stranger), venue__in=here_or_before(run.venue.name)
    )
    if not stranger.quantity or about.filter(closed_by__isnull=False, theirs=_figures(stranger)).exists():
        return
    if decided := about.filter(closed_at=None).exclude(decision="").first():
        run.raised.add(decided.pk)
        return
    contradiction = Contradiction(
        kind=FindingKind.EXTRA,
        subject=subject_of(stranger),
        ours=about.filter(closed_at=None).values_list("ours", flat=True).first() or "",
        theirs=_figures(stranger),
        amount=stranger.quantity,
        coin=run.coin,
        venue=run.venue.name,
    )
    _find(run, contradiction)


def judge_pair(*, run: Comparison, pair: Pair, has_finding: bool) -> None:
    """Look up an attempt that seems to differ from the venue's list, and raise a finding if the attempt does differ.

    Also look up an attempt that has an open finding (`has_finding`) and that the venue does not list.
    """
    if _is_being_settled(run, pair):
        return
    is_suspect = _is_suspect(pair)
    if not is_suspect and pair.listed and _figures_seem_to_differ(run, pair.attempt, pair.listed):
        run.lookups_of_figures += 1
        is_suspect = True
        if run.lookups_of_figures > _MOST_LOOKUPS:
            logger.warning("reconciliation: too many orders of %s seem to differ; %s waits", run.coin, pair.attempt)
            run.is_unsure = True
            return
    if not is_suspect and (pair.listed or not has_finding):
        run.judged.add(pair.attempt.pk)
        return
    answer = look_up(coin=run.coin.name, client_order_id=pair.attempt.client_order_id, venue=run.venue)
    if isinstance(answer, OrderNotFound) and pair.listed and pair.attempt.signed_at:
        answer = look_up_in_lists(attempt=pair.attempt, venue=run.venue)  # the venue denies what it lists
    if isinstance(answer, Executed):
        _judge_known(run, pair.attempt, answer)
    elif isinstance(answer, OrderNotFound) and pair.listed is None:
        _judge_unknown(run, pair.attempt)
    elif isinstance(answer, Untrue):
        _judge_untrue(run, pair.attempt, answer)
    else:
        logger.warning("reconciliation: %s cannot be looked up: %s", pair.attempt, answer)
        run.is_unsure = True
        return
    run.judged.add(pair.attempt.pk)


def open_findings(*, run: Comparison) -> QuerySet[Finding]:
    """Return the coin's open findings at the venue that this run may close, without those that a later run has seen."""
    kinds = (FindingKind.EXTRA, FindingKind.MISSING, FindingKind.DIFFERS)
    here = Finding.objects.filter(coin=run.coin, venue__in=_own_findings(run.venue.name))
    return here.filter(kind__in=kinds, closed_at=None, seen_at__lte=run.now)


def _own_findings(venue: str) -> list[str]:
    """Return the venues of findings that a venue's answers may close: those without one are the first venue's."""
    return here_or_before(venue) if venue == current_venue() else [venue]


def subject_of(stranger: ListedPurchase) -> str:
    """Return the subject of an EXTRA finding."""
    return name_stranger(client_order_id=stranger.client_order_id, venue_order_id=stranger.venue_order_id)


def _is_being_settled(run: Comparison, pair: Pair) -> bool:
    """Say whether settlement is working on the attempt or has just ended it, or staff have to decide about it."""
    attempt = pair.attempt
    if attempt.state == AttemptState.NEW:
        # The attempt was not sent when the venue's list was read, so a listed order cannot be the attempt's.
        return pair.listed is None
    if attempt.is_undecided:
        return True
    return attempt.ended_at is not None and attempt.ended_at > run.settled_before


def _is_suspect(pair: Pair) -> bool:
    """Say whether the list of orders may contradict the attempt's state or quantity."""
    if pair.listed is None:
        return pair.attempt.state == AttemptState.FILLED
    return not _agree(pair.attempt, pair.listed)


def _figures_seem_to_differ(run: Comparison, attempt: Attempt, listed: ListedPurchase) -> bool:
    """Say whether the lists may contradict an attempt's cost or commission, so that a lookup has to decide.

    The list of orders leaves out commission; the list of trades has it, so that no order is looked up without a reason.
    """
    if attempt.state != AttemptState.FILLED:
        return False
    if run.figures is None or listed.venue_order_id not in run.figures:
        if run.figures is not None:
            logger.warning("reconciliation: the venue does not list the trades of %s in full", attempt)
            run.is_unsure = True
        return attempt.cost != listed.cost
    figures = run.figures[listed.venue_order_id]
    if figures is None:
        return True
    if figures.foreign_commission:
        return False
    return (figures.cost + figures.quote_commission, figures.commission) != _booked(attempt)


def _judge_known(run: Comparison, attempt: Attempt, answer: Executed) -> None:
    if _agree(attempt, answer) and _cost_agrees(attempt, answer):
        return
    if attempt.state in GIVEN_UP and answer.final:
        if book_late_fill(attempt=attempt, execution=answer):
            run.late_fills += 1
            return
        if Attempt.objects.filter(pk=attempt.pk, state=AttemptState.FILLED).exists():
            return  # another run has just booked the fill
        if attempt.findings.filter(kind=FindingKind.UNTRUE, closed_at=None).exists():
            return  # the gate has said why it is not booked
    ours, theirs = f"{attempt.state}, {_figures_of(attempt)}", f"{answer.status}, {_figures(answer)}"
    _, commission = _booked(attempt)
    amount = answer.quantity - attempt.executed
    if attempt.state == AttemptState.FILLED and answer.commission != commission:
        ours += f", commission {commission.normalize():f}"
        theirs += f", commission {answer.commission.normalize():f}"
        amount -= answer.commission - commission
    contradiction = Contradiction(
        kind=FindingKind.DIFFERS,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours=ours,
        theirs=theirs,
        amount=amount,
    )
    _find(run, contradiction)


def _judge_untrue(run: Comparison, attempt: Attempt, answer: Untrue) -> None:
    """Raise a finding about an attempt that has ended, and about which the venue now says what cannot be true."""
    contradiction = Contradiction(
        kind=FindingKind.DIFFERS,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours=f"{attempt.state}, {_figures_of(attempt)}",
        theirs=f"untrue: {answer.reason}",
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
    """Say whether state and quantity agree. A final order that bought nothing equals an order never placed."""
    beyond = _beyond(attempt)
    return (
        attempt.state != AttemptState.NEW
        and order.final
        and order.quantity == attempt.executed + (beyond.quantity if beyond else 0)
        and attempt.venue_order_id in {"", order.venue_order_id}
    )


def _cost_agrees(attempt: Attempt, answer: Executed) -> bool:
    """Say whether the costs agree. For commission in a third asset, only staff supply the dollar figure."""
    if attempt.state != AttemptState.FILLED or answer.foreign_commission:
        return True
    return (answer.cost, answer.commission) == _booked(attempt)


def _booked(attempt: Attempt) -> tuple[Decimal, Decimal]:
    """Return the cost and the commission that we booked, with those beyond the request."""
    beyond = _beyond(attempt)
    if beyond is None:
        return attempt.cost, attempt.commission
    return attempt.cost + beyond.cost, attempt.commission + beyond.commission


def _beyond(attempt: Attempt) -> Excess | None:
    """Return what the venue did beyond the request, if staff have booked it."""
    return getattr(attempt, "excess", None)


def _find(run: Comparison, contradiction: Contradiction) -> None:
    """Raise a finding, unless staff have closed a finding with the same figures."""
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
