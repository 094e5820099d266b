"""Interventions of staff: they never contradict the venue, and each has one effect."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import InternalError, connection, transaction
from django.db.utils import IntegrityError
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.exceptions import InterventionRefused
from settlement.models import (
    IN_DOUBT,
    IN_FLIGHT,
    UNDECIDED,
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    Finding,
    Intervention,
    InterventionAction,
)
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import Figures, request_intervention
from settlement.services.outcomes import park, presume_not_placed
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.venues.protocol import Executed
from tests.owner import by_owner
from tests.processes import at_once
from tests.settlement.conftest import attempts, end_pauses, new_venue, states
from wallets.models import Wallet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]
Action = InterventionAction


@pytest.fixture
def decide(venue, admin_user):
    def run(batch, action, figures=None, by=None):
        wanted = request_intervention(
            batch=batch,
            action=action,
            reason="because",
            requested_by=admin_user,
            now=timezone.now(),
            figures=Figures(**{name: Decimal(value) for name, value in figures.items()}) if figures else None,
        )
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: by or venue)
        wanted.refresh_from_db()
        return wanted.outcome, wanted.detail

    return run


@pytest.fixture
def unknown(place, settle, simulator):
    """A purchase that the venue executed, but whose answer was lost."""
    simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
    place("60.00")
    return settle()


@pytest.fixture
def lost(place, settle, simulator):
    """A purchase that never reached the venue, so no answer came."""
    simulator.fail({"on": "place", "action": "drop", "times": 1})
    place("60.00")
    return settle()


@pytest.fixture
def parked(place, settle, simulator):
    """A purchase for which the venue took its commission in a third asset."""
    simulator.set_account(balances={"BNB": "1000"}, commission_asset="BNB")
    place("60.00")
    return settle()


@pytest.fixture
def too_dear(place, settle, simulator):
    """A parked purchase that was not sent, because the ask is beyond the price bound."""
    simulator.set_prices(ABAN="4.30")
    place("60.00")
    batch = settle()
    park(attempt=Attempt.objects.get(), from_state=AttemptState.NEW, reason="staff have to decide")
    return batch


def window_has_passed():
    Attempt.objects.update(valid_until="2000-01-01T00:00Z")


class TestAnAttempt:
    @pytest.mark.parametrize(
        ("state", "was_sent", "undecided"),
        [
            ("new", False, False),
            ("sent", True, True),
            ("parked", True, True),
            ("parked", False, False),
            ("not_placed", True, False),
            ("refused", True, False),
            ("empty", True, False),
        ],
    )
    def test_is_undecided_for_a_row_as_for_a_query(self, too_dear, now, state, was_sent, undecided):
        sent = {"signed_at": now, "valid_until": now, "quantity": 1, "limit_price": 1} if was_sent else {}
        ended_at = None if state in IN_FLIGHT else now
        times = {"next_step_at": now, "created_at": now, "ended_at": ended_at}
        row = Attempt.objects.create(batch=too_dear, coin=too_dear.coin, number=9, state=state, **times, **sent)
        assert row.is_undecided == Attempt.objects.filter(UNDECIDED, pk=row.pk).exists() == undecided
        assert Attempt.objects.filter(IN_DOUBT, pk=row.pk).exists() == undecided


class TestLookUp:
    def test_books_the_venues_figures(self, decide, unknown):
        outcome, detail = decide(unknown, Action.LOOK_UP)
        assert (outcome, states()) == ("done", ["completed"])
        assert "booked, closed, 15.02" in detail

    def test_changes_nothing_while_the_venue_does_not_find_the_order(self, decide, lost):
        assert decide(lost, Action.LOOK_UP)[0] == "done"
        assert (attempts()[0].state, states()) == (AttemptState.SENT, ["settling"])

    def test_delivers_a_late_fill(self, decide, unknown, simulator):
        presume_not_placed(attempt=attempts()[0], reason="given up")
        assert "bought after all" in decide(unknown, Action.LOOK_UP)[1]
        assert Finding.objects.get().kind == "late_fill"
        assert (states(), Wallet.objects.get(role="inventory", asset="ABAN").balance) == (
            ["completed"],
            Decimal("0.00498"),
        )


class TestMarkFilled:
    FIGURES = {"quantity": "15.02", "cost": "60.08", "commission": "0"}

    def test_settles_a_batch_that_was_parked_for_its_commission(self, decide, parked):
        assert decide(parked, Action.LOOK_UP)[1].endswith("commission in BNB: mark it as filled")
        assert decide(parked, Action.MARK_FILLED, self.FIGURES)[0] == "done"
        parked.refresh_from_db()
        assert (parked.state, states(), attempts()[0].executed) == (BatchState.SETTLED, ["completed"], Decimal("15.02"))

    def test_is_refused_with_other_figures_than_the_venues(self, decide, parked):
        for name, value in (("quantity", "15.03"), ("cost", "60.09"), ("commission", "0.01")):
            outcome, detail = decide(parked, Action.MARK_FILLED, self.FIGURES | {name: value})
            assert (outcome, states()) == ("refused", ["settling"])
            assert "says otherwise: closed, 15.02 for 60.08" in detail

    def test_is_refused_when_the_venue_does_not_know_the_order(self, decide, lost):
        window_has_passed()
        assert decide(lost, Action.MARK_FILLED, self.FIGURES)[0] == "refused"
        assert states() == ["settling"]

    def test_is_accepted_when_the_venue_does_not_answer(self, decide, unknown, simulator):
        simulator.fail({"on": "query", "action": "down"})
        figures = {"quantity": "15.02", "cost": "60.08", "commission": "0.01502"}
        outcome, detail = decide(unknown, Action.MARK_FILLED, figures)
        assert (outcome, states()) == ("done", ["completed"])
        assert "could not be asked" in detail

    @pytest.mark.parametrize(
        "change", [{"quantity": "1502"}, {"cost": "600800"}, {"commission": "15.02"}, {"cost": "63.3"}]
    )
    def test_is_refused_with_impossible_figures(self, decide, unknown, simulator, change):
        simulator.fail({"on": "query", "action": "down"})
        assert decide(unknown, Action.MARK_FILLED, self.FIGURES | change)[0] == "refused"
        assert states() == ["settling"]

    def test_without_figures_is_refused_by_the_database(self, unknown, admin_user):
        with pytest.raises(IntegrityError, match="only_fills_state_figures"), transaction.atomic():
            request_intervention(
                batch=unknown,
                action=Action.MARK_FILLED,
                reason="because",
                requested_by=admin_user,
                now=timezone.now(),
            )


class TestMarkNotPlaced:
    def test_starts_another_attempt(self, decide, lost, venue, simulator):
        window_has_passed()
        assert decide(lost, Action.MARK_NOT_PLACED)[0] == "done"
        first, second = attempts()
        assert (first.state, second.state) == (AttemptState.NOT_PLACED, AttemptState.NEW)
        assert first.recheck_at is not None
        take_next_step(batch_id=lost.pk, get_venue=lambda _: venue)
        assert (states(), len(simulator.book())) == (["completed"], 1)

    def test_is_refused_when_the_venue_knows_the_order(self, decide, unknown):
        window_has_passed()
        assert decide(unknown, Action.MARK_NOT_PLACED)[0] == "refused"
        assert attempts()[0].state == AttemptState.SENT

    def test_is_refused_while_the_venue_may_still_accept_the_request(self, decide, lost):
        assert "may still accept" in decide(lost, Action.MARK_NOT_PLACED)[1]
        assert attempts()[0].state == AttemptState.SENT


class TestRetry:
    def test_buys_when_the_price_is_back(self, decide, too_dear, simulator, venue):
        simulator.set_prices(ABAN="4.00")
        assert decide(too_dear, Action.RETRY) == ("done", "bought again")
        take_next_step(batch_id=too_dear.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]
        assert decide(too_dear, Action.RETRY)[0] == "refused", "it is settled"

    def test_is_refused_while_an_attempt_may_have_been_executed(self, decide, parked):
        assert "may have been executed" in decide(parked, Action.RETRY)[1]
        assert len(attempts()) == 1

    def test_waits_for_another_purchase_of_the_coin(self, decide, too_dear, simulator, venue, place, claim):
        simulator.set_prices(ABAN="4.00")
        place("12.00")
        other = claim()
        assert decide(too_dear, Action.RETRY)[0] == "done"
        assert [attempt.state for attempt in attempts()] == ["parked", "new"]
        take_next_step(batch_id=other.pk, get_venue=lambda _: venue)
        assert claim() is None
        take_next_step(batch_id=too_dear.pk, get_venue=lambda _: venue)
        assert states() == ["completed"] * 2

    def test_uses_the_coins_of_a_late_fill(self, decide, unknown, now):
        presume_not_placed(attempt=attempts()[0], reason="given up")
        Attempt.objects.filter(state="new").update(state="parked", ended_at=now)
        Batch.objects.update(state="parked")
        assert decide(unknown, Action.RETRY)[0] == "done"
        assert (states(), len(attempts())) == (["completed"], 2)


class TestRefund:
    def test_returns_the_charges(self, decide, too_dear, shopper):
        assert decide(too_dear, Action.REFUND) == ("done", "1 orders are refunded")
        too_dear.refresh_from_db()
        assert (too_dear.state, states(), shopper.wallet.balance) == (BatchState.REFUNDED, ["refunded"], 100)
        assert decide(too_dear, Action.REFUND)[0] == "refused"

    def test_ends_an_attempt_that_was_not_sent(self, decide, place, settle, simulator, venue):
        simulator.fail({"on": "ticker", "action": "down"})
        place("60.00")
        batch = settle()
        assert decide(batch, Action.REFUND)[0] == "done"
        simulator.fail()
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), simulator.book()) == (["refunded"], [])

    @pytest.mark.parametrize("case", ["unknown", "lost", "parked"])
    def test_is_refused_while_an_attempt_may_have_been_executed(self, decide, request, case):
        batch = request.getfixturevalue(case)
        assert decide(batch, Action.REFUND)[0] == "refused"
        assert states() == ["settling"]

    def test_is_refused_after_a_late_fill(self, decide, unknown, now):
        presume_not_placed(attempt=attempts()[0], reason="given up")
        outcome, detail = decide(unknown, Action.REFUND)
        assert (outcome, states()) == ("refused", ["completed"])
        assert "Its coins go to orders that wait" in detail
        assert Finding.objects.get().kind == "late_fill"

    def test_is_refused_while_an_attempt_that_was_given_up_cannot_be_looked_up(self, decide, unknown, simulator):
        presume_not_placed(attempt=attempts()[0], reason="given up")
        simulator.fail({"on": "query", "action": "down"})
        outcome, detail = decide(unknown, Action.REFUND)
        assert (outcome, states()) == ("refused", ["settling"])
        assert "could not be asked" in detail

    @pytest.mark.parametrize("action", [Action.REFUND, Action.RETRY])
    def test_is_refused_while_an_attempt_that_was_given_up_is_open_at_the_venue(
        self, decide, unknown, venue, monkeypatch, now, action
    ):
        presume_not_placed(attempt=attempts()[0], reason="given up")
        Attempt.objects.filter(state="new").update(state="parked", ended_at=now)
        Batch.objects.update(state="parked")
        half = Executed(
            venue_order_id="1", status="open", final=False, quantity=Decimal(7), cost=Decimal(28), commission=Decimal(0)
        )
        monkeypatch.setattr(venue, "look_up", lambda **_: half)
        outcome, detail = decide(unknown, action)
        assert (outcome, states()) == ("refused", ["settling"])
        assert "open, 7 for 28" in detail


class TestRecord:
    def test_has_one_effect_when_carried_out_twice_at_once(self, too_dear, admin_user, venue, shopper):
        wanted = request_intervention(
            batch=too_dear, action=Action.REFUND, reason="because", requested_by=admin_user, now=timezone.now()
        )

        def run(_):
            carry_out(intervention_id=wanted.pk, get_venue=lambda _: new_venue())
            connection.close()

        at_once(4, run)
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
        assert shopper.wallet.balance == 100
        wanted.refresh_from_db()
        assert wanted.outcome == "done"

    def test_cannot_be_changed_or_deleted(self, decide, too_dear):
        decide(too_dear, Action.REFUND)
        for change in (
            lambda: Intervention.objects.update(reason="another"),
            lambda: Intervention.objects.update(outcome="refused"),
            lambda: Intervention.objects.all()._raw_delete("default"),
        ):
            with (
                by_owner(),
                pytest.raises((InternalError, IntegrityError), match="append-only"),
                transaction.atomic(),
            ):
                change()
        assert Intervention.objects.get().venue_answer == {}

    def test_keeps_the_venues_answer(self, decide, unknown):
        decide(unknown, Action.LOOK_UP)
        [said] = Intervention.objects.get().venue_answer.values()
        assert said["answer"] == "Executed"

    def test_is_not_made_when_no_attempt_is_in_doubt(self, too_dear, decide):
        with pytest.raises(InterventionRefused):
            decide(too_dear, Action.MARK_NOT_PLACED)
        assert not Intervention.objects.exists()

    def test_that_lost_its_job_is_enqueued_again(self, too_dear, admin_user, now, settings):
        request_intervention(batch=too_dear, action=Action.REFUND, reason="because", requested_by=admin_user, now=now)
        ProcrastinateJob.objects.all()._raw_delete("default")
        for _ in range(3):
            sweep(now=now + settings.SETTLEMENT.sweep_after + timedelta(seconds=1))
        assert ProcrastinateJob.objects.filter(task_name="settlement.intervene").count() == 1
