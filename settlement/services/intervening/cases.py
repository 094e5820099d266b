"""Carry out interventions: staff's decisions about a batch that is parked, or whose outcome is unknown for too long.

The venue is asked first. A decision that contradicts the venue's answer is refused. If the answer proves
nothing, staff's statement is accepted. Interventions and their outcomes are kept for good.
"""

import logging
from dataclasses import dataclass

from django.db import transaction

from settlement.clock import database_now
from settlement.exceptions import InterventionRefused
from settlement.gate import NO_ASSET
from settlement.models import (
    GIVEN_UP,
    NOT_CLOSED,
    UNDECIDED,
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    Intervention,
    InterventionAction,
    InterventionOutcome,
)
from settlement.services.asking import is_past_its_window, look_up
from settlement.services.batches import begin_next_attempt, lock_batch, refund_batch
from settlement.services.choosing import GetVenue
from settlement.services.disbelieving import resume_buying
from settlement.services.intervening.requests import Figures, find_disbelieved, find_in_doubt
from settlement.services.intervening.seeing import AccountSeen, see_account
from settlement.services.intervening.weighing import ensure_beyond, ensure_plausible, why_not
from settlement.services.intervening.words import as_record, has_bought, in_words
from settlement.services.outcomes import (
    book_beyond,
    book_execution,
    book_late_fill,
    presume_not_placed,
    withdraw_attempt,
)
from settlement.services.waiting import is_refund_too_early, reason_of_staffs_refund
from settlement.venues.configured import VenueNotConfigured
from settlement.venues.protocol import Executed, OrderNotFound, Unknown, Untrue, VenueAnswer
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)


def carry_out(*, intervention_id: int, get_venue: GetVenue) -> None:
    """Ask the venue of each attempt, then carry out or refuse the decision of staff. A second run changes nothing."""
    intervention = (
        Intervention.objects.select_related("batch", "attempt").filter(pk=intervention_id, outcome=None).first()
    )
    if intervention is None:
        return
    seen = None
    if intervention.action == InterventionAction.BOOK_EXCESS and intervention.attempt is not None:
        seen = see_account(coin=intervention.batch.coin.name, venue=get_venue(intervention.attempt.place))
    looks = {}
    for attempt in list(find_in_doubt(batch=intervention.batch).select_related("coin")):
        # Checked before the lookup: "not found" proves nothing while the venue may still accept the request.
        had_expired = is_past_its_window(attempt=attempt)
        looks[attempt.pk] = _look_at(attempt, get_venue, had_expired=had_expired)
    _decide(intervention_id=intervention_id, looks=looks, seen=seen)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The venue's answer about an attempt, and whether the attempt's window had passed before the lookup."""

    answer: VenueAnswer
    had_expired: bool
    requests_expire: bool


def _look_at(attempt: Attempt, get_venue: GetVenue, *, had_expired: bool) -> _Look:
    """Look an attempt up at its venue. Where this process has no keys, nothing is proven."""
    try:
        venue = get_venue(attempt.place)
    except VenueNotConfigured as error:
        return _Look(answer=Unknown(reason=str(error)), had_expired=had_expired, requests_expire=False)
    answer = look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id, venue=venue)
    return _Look(answer=answer, had_expired=had_expired, requests_expire=venue.requests_expire)


@transaction.atomic(durable=True)
def _decide(*, intervention_id: int, looks: dict[int, _Look], seen: AccountSeen | None) -> None:
    intervention = Intervention.objects.select_for_update().filter(pk=intervention_id, outcome=None).first()
    if intervention is None:
        return
    case = _Case(intervention, looks=looks, seen=seen)
    try:
        with transaction.atomic():
            outcome, detail = InterventionOutcome.DONE, case.act()
            case.resume_buying()
    except InterventionRefused as error:
        outcome, detail = InterventionOutcome.REFUSED, str(error)
        case.book_late_fills()
    intervention.outcome, intervention.detail, intervention.decided_at = outcome, detail[:500], database_now()
    intervention.venue_answer = {
        attempt.client_order_id: as_record(looks[pk].answer) for pk, attempt in case.in_doubt.items()
    }
    intervention.save(update_fields=["outcome", "detail", "decided_at", "venue_answer"])
    logger.warning("%s is %s: %s", intervention, outcome.value, detail, extra={"batch_id": intervention.batch_id})


class _Case:
    """An intervention, its locked batch, and the venue's answers."""

    def __init__(self, intervention: Intervention, *, looks: dict[int, _Look], seen: AccountSeen | None) -> None:
        self.intervention, self.looks, self.seen = intervention, looks, seen
        coin = Batch.objects.select_related("coin").get(pk=intervention.batch_id).coin
        lock_inventory(asset=coin.name)
        self.batch = lock_batch(batch_id=intervention.batch_id)
        attempts = Attempt.objects.filter(pk__in=looks).select_related("coin", "batch")
        self.in_doubt = {attempt.pk: attempt for attempt in attempts}

    def act(self) -> str:
        """Carry out the intervention, and return the detail for its record. Raises InterventionRefused."""
        match self.intervention.action:
            case InterventionAction.LOOK_UP:
                return self._look_up()
            case InterventionAction.MARK_FILLED:
                return self._mark_filled()
            case InterventionAction.MARK_NOT_PLACED:
                return self._mark_not_placed()
            case InterventionAction.BOOK_EXCESS:
                return self._book_excess()
            case InterventionAction.RETRY:
                return self._retry()
            case _:
                return self._refund()

    def resume_buying(self) -> None:
        """End the pause and the finding of each attempt about which this decision ended all doubt."""
        decided = Attempt.objects.filter(pk__in=self.in_doubt).exclude(UNDECIDED)
        for attempt in decided.select_related("coin"):
            if attempt.state == AttemptState.FILLED or self.in_doubt[attempt.pk].state != attempt.state:
                resume_buying(
                    attempt=attempt,
                    decided_by=self.intervention.requested_by,
                    note=self.intervention.reason,
                    now=database_now(),
                )

    def book_late_fills(self) -> list[str]:
        """Book the fills of attempts that were given up, also when the intervention is refused; say which are not."""
        done = []
        for attempt in [one for one in self.in_doubt.values() if one.state in GIVEN_UP]:
            answer = self._answer(attempt)
            if has_bought(answer) and book_late_fill(attempt=attempt, execution=answer):
                done.append(f"{attempt} was bought after all")
            elif has_bought(answer) or isinstance(answer, Untrue):
                done.append(f"{attempt} was given up: {_explain(attempt, answer)}")
        self.batch = lock_batch(batch_id=self.batch.pk)  # the coins may have completed its orders
        return done

    def _look_up(self) -> str:
        done = self.book_late_fills()
        for attempt in self._undecided():
            answer = self._answer(attempt)
            if not isinstance(answer, Executed) or not answer.final:
                done.append(f"{attempt}: {in_words(answer)}")
            elif answer.foreign_commission:
                asset = "no asset" if answer.foreign_commission == NO_ASSET else answer.foreign_commission
                done.append(f"{attempt}: filled, with commission in {asset}: mark it as filled")
            elif why_not(attempt, answer):
                done.append(f"{attempt}: {_explain(attempt, answer)}")
            elif book_execution(attempt=attempt, execution=answer, from_state=AttemptState(attempt.state)):
                done.append(f"{attempt}: booked, {in_words(answer)}")
        return "; ".join(done) or "nothing was in doubt"

    def _mark_filled(self) -> str:
        attempt, answer = self._attempt_in_question(may_be_given_up=True)
        stated = self._stated_figures()
        self._ensure_venue_agrees(attempt, stated)
        execution = Executed(
            venue_order_id=answer.venue_order_id if isinstance(answer, Executed) else attempt.venue_order_id,
            status="canceled",
            final=True,
            quantity=stated.quantity,
            cost=stated.cost,
            commission=stated.commission,
            answer=answer.answer if isinstance(answer, Executed) else {},
        )
        if wrong := why_not(attempt, execution, is_stated=True):
            raise InterventionRefused(f"These figures cannot be true: {wrong}.")
        state = AttemptState(attempt.state)
        if state in GIVEN_UP:
            is_booked = book_late_fill(attempt=attempt, execution=execution, is_stated=True)
        else:
            is_booked = book_execution(attempt=attempt, execution=execution, from_state=state, is_stated=True)
        if not is_booked:
            raise InterventionRefused("The attempt has ended meanwhile.")
        return f"{attempt} is booked as filled ({in_words(answer)})"

    def _mark_not_placed(self) -> str:
        attempt, answer = self._attempt_in_question()
        if isinstance(answer, Executed | Untrue):
            raise InterventionRefused(f"The venue knows this order: {in_words(answer)}.")
        if not self.looks[attempt.pk].had_expired:
            raise InterventionRefused("The venue may still accept this request. Try again in a moment.")
        reason = f"marked as not placed by {self.intervention.requested_by.get_username()}"
        if not presume_not_placed(attempt=attempt, reason=reason, from_state=AttemptState(attempt.state)):
            raise InterventionRefused("The attempt has ended meanwhile.")
        return f"{attempt} is presumed not placed ({in_words(answer)})"

    def _book_excess(self) -> str:
        attempt = self.in_doubt.get(self.intervention.attempt_id or 0)
        if attempt is None:
            raise InterventionRefused("The attempt is no longer in doubt.")
        answer = self._answer(attempt)
        if not isinstance(answer, Executed) or not answer.final:
            raise InterventionRefused(f"The venue's trades do not confirm it: {in_words(answer)}.")
        ensure_beyond(attempt=attempt, execution=answer, held=self.seen.coins if self.seen else None, account=self.seen)
        if not book_beyond(attempt=attempt, execution=answer, intervention=self.intervention):
            raise InterventionRefused("The attempt has ended meanwhile.")
        return f"{attempt} is booked ({in_words(answer)}); what was beyond its request is surplus of the house"

    def _retry(self) -> str:
        if self.batch.state != BatchState.PARKED:
            raise InterventionRefused("Only a parked batch is bought again.")
        self._ensure_nothing_is_undecided()
        self._ensure_nothing_is_open()
        done = self.book_late_fills()
        begin_next_attempt(batch=self.batch, now=database_now())
        return "; ".join([*done, "bought again"])

    def _refund(self) -> str:
        if self.batch.state not in NOT_CLOSED:
            raise InterventionRefused("The batch is closed.")
        if why := is_refund_too_early(batch=self.batch):
            raise InterventionRefused(why)
        self._ensure_nothing_is_undecided()
        self._ensure_nothing_is_open()
        for attempt in self.in_doubt.values():
            answer = self._answer(attempt)
            if has_bought(answer):
                raise InterventionRefused(f"{attempt} was bought after all. Its coins go to orders that wait.")
            if not isinstance(answer, Executed | OrderNotFound):
                raise InterventionRefused(f"{attempt} was given up, and {in_words(answer)}.")
        reason = reason_of_staffs_refund(batch=self.batch)
        if not withdraw_attempt(batch=self.batch, reason="refunded by staff", now=database_now()):
            raise InterventionRefused("An attempt has been sent: look it up again, or mark it, first.")
        count = refund_batch(batch=self.batch, reason=reason, now=database_now())
        return f"{count} orders are refunded"

    def _attempt_in_question(self, *, may_be_given_up: bool = False) -> tuple[Attempt, VenueAnswer]:
        attempt = self.in_doubt.get(self.intervention.attempt_id or 0)
        given_up = find_disbelieved(batch=self.batch) if may_be_given_up else ()
        if attempt is None or not (attempt.is_undecided or attempt in given_up):
            raise InterventionRefused("The attempt is no longer in doubt.")
        return attempt, self._answer(attempt)

    def _stated_figures(self) -> Figures:
        stated = self.intervention
        assert stated.quantity is not None
        assert stated.cost is not None
        assert stated.commission is not None
        return Figures(quantity=stated.quantity, cost=stated.cost, commission=stated.commission)

    def _answer(self, attempt: Attempt) -> VenueAnswer:
        return self.looks[attempt.pk].answer

    def _undecided(self) -> list[Attempt]:
        return [one for one in self.in_doubt.values() if one.is_undecided]

    def _ensure_venue_agrees(self, attempt: Attempt, stated: Figures) -> None:
        """Refuse figures that the venue's answer contradicts, or impossible figures if the answer proves nothing."""
        answer = self._answer(attempt)
        if isinstance(answer, Executed):
            told = Figures(quantity=answer.quantity, cost=answer.cost, commission=answer.commission)
            if not answer.final or told != stated:
                raise InterventionRefused(f"The venue says otherwise: {in_words(answer)}.")
        elif isinstance(answer, OrderNotFound) and self.looks[attempt.pk].requests_expire:
            raise InterventionRefused("The venue does not know this order.")
        elif attempt.state in GIVEN_UP and not isinstance(answer, Untrue):  # nothing waits for it, so that can wait too
            raise InterventionRefused(f"The venue does not say now that it knows this order: {in_words(answer)}.")
        else:
            ensure_plausible(attempt, stated)

    def _ensure_nothing_is_open(self) -> None:
        """Refuse while an order in doubt is open at the venue, or bought something that cannot be booked."""
        for attempt in self.in_doubt.values():
            answer = self._answer(attempt)
            is_known = isinstance(answer, Untrue) or (isinstance(answer, Executed) and not answer.final)
            if is_known or (has_bought(answer) and why_not(attempt, answer)):
                raise InterventionRefused(f"The venue knows {attempt}: {in_words(answer)}.")

    def _ensure_nothing_is_undecided(self) -> None:
        """Refuse while an attempt is undecided: buying again or refunding would be a guess."""
        undecided = self.batch.attempts.filter(UNDECIDED).first()
        if undecided is not None:
            raise InterventionRefused(f"{undecided} may have been executed: look it up again, or mark it, first.")


def _explain(attempt: Attempt, answer: VenueAnswer) -> str:
    wrong = why_not(attempt, answer) if isinstance(answer, Executed) else ""
    return f"{in_words(answer)}, which cannot be true: {wrong}" if wrong else in_words(answer)
