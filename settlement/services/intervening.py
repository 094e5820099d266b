"""The operator's way out for a batch that is parked, or unknown for too long.

Staff decide and say why; a worker carries it out, because it asks the exchange first. What an operator says never
stands against what the exchange says: only where it cannot be asked. Requests and outcomes are kept for good.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from settlement.clock import database_now
from settlement.exceptions import InterventionRefused
from settlement.exchanges.protocol import Answer, Exchange, Executed, NotFound, Unknown
from settlement.jobs import intervene_later
from settlement.models import (
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    Intervention,
    InterventionAction,
    InterventionOutcome,
)
from settlement.services.booking import (
    begin_next_attempt,
    book_execution,
    book_late_fill,
    give_up_looking,
    refund_batch,
    withdraw_attempt,
)
from settlement.services.sending import is_past_its_window, look_up
from wallets.models import User
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_OF_AN_ATTEMPT = (InterventionAction.MARK_FILLED, InterventionAction.MARK_NOT_PLACED)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the venue says of a purchase elsewhere: coins, quote asset, and commission taken in the coin."""

    quantity: Decimal
    cost: Decimal
    commission: Decimal


@transaction.atomic
def request_intervention(
    *,
    batch: Batch,
    action: InterventionAction,
    reason: str,
    requested_by: User,
    now: datetime,
    attempt: Attempt | None = None,
    figures: Figures | None = None,
) -> Intervention:
    """Record what an operator wants done, and enqueue it.

    Raises InterventionRefused when it is about an attempt and none is in doubt.
    """
    if action in _OF_AN_ATTEMPT and attempt is None:
        attempt = _in_doubt(batch).exclude(state=AttemptState.NOT_PLACED).order_by("-number").first()
        if attempt is None:
            raise InterventionRefused("No attempt of this batch is in doubt.")
    intervention = Intervention.objects.create(
        batch=batch,
        attempt=attempt,
        action=action,
        reason=reason,
        requested_by=requested_by,
        requested_at=now,
        **(vars(figures) if figures else {}),
    )
    intervene_later(intervention_id=intervention.pk)
    return intervention


def carry_out(*, intervention_id: int, exchange: Exchange) -> None:
    """Ask the exchange, then do what was asked for or refuse it, once; a second run changes nothing."""
    wanted = Intervention.objects.select_related("batch").filter(pk=intervention_id, outcome=None).first()
    if wanted is None:
        return
    looks = {}
    for attempt in list(_in_doubt(wanted.batch).select_related("coin")):
        had_expired = is_past_its_window(attempt=attempt)  # before it is asked for, or "not found" proves nothing
        answer = look_up(attempt=attempt, exchange=exchange)
        looks[attempt.pk] = _Look(answer=answer, had_expired=had_expired, requests_expire=exchange.requests_expire)
    _decide(intervention_id=intervention_id, looks=looks)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What the venue said of an attempt, and whether its request could no longer arrive when it was asked."""

    answer: Answer
    had_expired: bool
    requests_expire: bool


@transaction.atomic(durable=True)
def _decide(*, intervention_id: int, looks: dict[int, _Look]) -> None:
    wanted = Intervention.objects.select_for_update().filter(pk=intervention_id, outcome=None).first()
    if wanted is None:
        return
    case = _Case(wanted, looks=looks)
    try:
        with transaction.atomic():
            outcome, detail = InterventionOutcome.DONE, case.act()
    except InterventionRefused as error:
        outcome, detail = InterventionOutcome.REFUSED, str(error)
        case.book_what_was_bought_after_all()
    wanted.outcome, wanted.detail, wanted.decided_at = outcome, detail[:500], database_now()
    wanted.venue_answer = {str(attempt): _told(looks[attempt.pk].answer) for attempt in case.in_doubt.values()}
    wanted.save(update_fields=["outcome", "detail", "decided_at", "venue_answer"])
    logger.warning("%s is %s: %s", wanted, outcome.value, detail, extra={"batch_id": wanted.batch_id})


class _Case:
    """An intervention with the batch it is about, locked, and what the exchange answered."""

    def __init__(self, wanted: Intervention, *, looks: dict[int, _Look]) -> None:
        self.wanted, self.looks = wanted, looks
        coin = Batch.objects.select_related("coin").get(pk=wanted.batch_id).coin
        lock_inventory(asset=coin.name)  # the coin's turn, as claims and bookings take it
        self.batch = (
            Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=wanted.batch_id)
        )
        asked = Attempt.objects.filter(pk__in=looks).select_related("coin", "batch")
        self.in_doubt = {attempt.pk: attempt for attempt in asked}

    def act(self) -> str:
        """Do it, and say what was done. Raises InterventionRefused."""
        match self.wanted.action:
            case InterventionAction.LOOK_AGAIN:
                return self._look_again()
            case InterventionAction.MARK_FILLED:
                return self._mark_filled()
            case InterventionAction.MARK_NOT_PLACED:
                return self._mark_not_placed()
            case InterventionAction.RETRY:
                return self._retry()
            case _:
                return self._refund()

    def book_what_was_bought_after_all(self) -> list[str]:
        """What had been given up and is filled: its coins come in whatever becomes of the intervention."""
        return [
            f"{attempt} was bought after all"
            for attempt in self.in_doubt.values()
            if attempt.state == AttemptState.NOT_PLACED
            and _has_bought(answer := self._answer(attempt))
            and isinstance(answer, Executed)
            and book_late_fill(attempt=attempt, execution=answer)
        ]

    def _look_again(self) -> str:
        said = self.book_what_was_bought_after_all()
        for attempt in self._undecided():
            answer = self._answer(attempt)
            if not isinstance(answer, Executed) or not answer.final:
                said.append(f"{attempt}: {_in_words(answer)}")
            elif answer.foreign_commission:
                said.append(f"{attempt}: filled, with commission in {answer.foreign_commission}: mark it as filled")
            elif book_execution(attempt=attempt, execution=answer, from_state=AttemptState(attempt.state)):
                said.append(f"{attempt}: booked, {_in_words(answer)}")
        return "; ".join(said) or "nothing was in doubt"

    def _mark_filled(self) -> str:
        attempt, answer = self._marked()
        wanted = self.wanted
        assert wanted.quantity is not None
        assert wanted.cost is not None
        assert wanted.commission is not None
        stated = (wanted.quantity, wanted.cost, wanted.commission)
        if isinstance(answer, Executed):
            if not answer.final or (answer.quantity, answer.cost, answer.commission) != stated:
                raise InterventionRefused(f"The exchange says otherwise: {_in_words(answer)}.")
        elif isinstance(answer, NotFound) and self.looks[attempt.pk].requests_expire:
            raise InterventionRefused("The exchange does not know this order.")
        else:
            _ensure_plausible(attempt, quantity=stated[0], cost=stated[1], commission=stated[2])
        execution = Executed(
            venue_order_id=answer.venue_order_id if isinstance(answer, Executed) else attempt.venue_order_id,
            status="closed",
            final=True,
            quantity=wanted.quantity,
            cost=wanted.cost,
            commission=wanted.commission,
            answer=answer.answer if isinstance(answer, Executed) else {},
        )
        if not book_execution(attempt=attempt, execution=execution, from_state=AttemptState(attempt.state)):
            raise InterventionRefused("The attempt has ended meanwhile.")
        return f"{attempt} is booked as filled; the exchange: {_in_words(answer)}"

    def _mark_not_placed(self) -> str:
        attempt, answer = self._marked()
        if isinstance(answer, Executed):
            raise InterventionRefused(f"The exchange knows this order: {_in_words(answer)}.")
        if not self.looks[attempt.pk].had_expired:
            raise InterventionRefused("The exchange may still accept this request. Try again in a moment.")
        reason = f"marked as not placed by {self.wanted.requested_by.get_username()}"
        if not give_up_looking(attempt=attempt, reason=reason, from_state=AttemptState(attempt.state)):
            raise InterventionRefused("The attempt has ended meanwhile.")
        return f"{attempt} is taken to be not placed; the exchange: {_in_words(answer)}"

    def _retry(self) -> str:
        if self.batch.state != BatchState.PARKED:
            raise InterventionRefused("Only a parked batch is bought again.")
        self._ensure_nothing_is_in_doubt()
        self._ensure_nothing_is_open()
        said = self.book_what_was_bought_after_all()
        begin_next_attempt(batch=self.batch, now=database_now())
        return "; ".join([*said, "bought again"])

    def _refund(self) -> str:
        if self.batch.state not in {BatchState.OPEN, BatchState.PARKED}:
            raise InterventionRefused("The batch is closed.")
        self._ensure_nothing_is_in_doubt()
        self._ensure_nothing_is_open()
        for attempt in self.in_doubt.values():
            answer = self._answer(attempt)
            if _has_bought(answer):
                raise InterventionRefused(f"{attempt} was bought after all. Its coins are surplus now: buy again.")
            if not isinstance(answer, Executed | NotFound):
                raise InterventionRefused(f"{attempt} was given up, and {_in_words(answer)}.")
        if not withdraw_attempt(batch=self.batch, reason="refunded by an operator", now=database_now()):
            raise InterventionRefused("An attempt has been sent: look again, or mark it, first.")
        count = refund_batch(batch=self.batch, reason="refunded_by_staff", now=database_now())
        return f"{count} orders are refunded"

    def _marked(self) -> tuple[Attempt, Answer]:
        attempt = self.in_doubt.get(self.wanted.attempt_id or 0)
        if attempt is None or attempt.state not in {AttemptState.SENT, AttemptState.PARKED}:
            raise InterventionRefused("The attempt is no longer in doubt.")
        return attempt, self._answer(attempt)

    def _answer(self, attempt: Attempt) -> Answer:
        return self.looks[attempt.pk].answer

    def _undecided(self) -> list[Attempt]:
        return [one for one in self.in_doubt.values() if one.state in {AttemptState.SENT, AttemptState.PARKED}]

    def _ensure_nothing_is_open(self) -> None:
        """What was given up and is open at the exchange may still buy."""
        for attempt in self.in_doubt.values():
            answer = self._answer(attempt)
            if isinstance(answer, Executed) and not answer.final:
                raise InterventionRefused(f"The exchange knows {attempt}: {_in_words(answer)}.")

    def _ensure_nothing_is_in_doubt(self) -> None:
        """Buying again or refunding while a request may have been executed would be a guess."""
        now_in_doubt = _in_doubt(self.batch).exclude(state=AttemptState.NOT_PLACED).first()
        if now_in_doubt is not None:
            raise InterventionRefused(f"{now_in_doubt} may have been executed: look again, or mark it, first.")


def _in_doubt(batch: Batch) -> Any:
    """What was sent and has no booked answer: not yet known, parked, or given up and still asked for."""
    open_ = Q(state__in=[AttemptState.SENT, AttemptState.PARKED]) | Q(recheck_at__isnull=False)
    return batch.attempts.filter(open_, signed_at__isnull=False)


def _ensure_plausible(attempt: Attempt, *, quantity: Decimal, cost: Decimal, commission: Decimal) -> None:
    """A limit order buys no more than it asked for, at no higher price; what is booked cannot be taken back."""
    assert attempt.quantity is not None
    assert attempt.limit_price is not None
    if quantity > attempt.quantity or commission >= quantity:
        raise InterventionRefused(f"It asked for {attempt.quantity:f}, and commission is a part of that.")
    most = quantity * attempt.limit_price * (1 + settings.EXCHANGE_TAKER_RATE)
    if cost > most:
        raise InterventionRefused(f"At its price bound that costs {most:f} at most.")


def _has_bought(answer: Answer) -> bool:
    return isinstance(answer, Executed) and answer.final and answer.quantity > 0


def _in_words(answer: Answer) -> str:
    match answer:
        case Executed():
            return f"{answer.status}, {answer.quantity:f} for {answer.cost:f}, commission {answer.commission:f}"
        case NotFound():
            return "it does not know the order"
        case Unknown():
            return f"it could not be asked ({answer.reason})"
        case _:
            return answer.reason


def _told(answer: Answer) -> dict[str, str]:
    return {"answer": type(answer).__name__, "said": _in_words(answer)}
