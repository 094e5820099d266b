"""A fill that the gate does not believe, of an attempt that was given up, is booked when staff state its figures."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from settlement.exceptions import InterventionRefused
from settlement.models import Attempt, AttemptState, BatchState, Finding, InterventionAction, Pause
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import Figures, request_intervention
from settlement.services.outcomes import end_refused, presume_not_placed
from settlement.services.reconciling.comparing import reconcile
from settlement.services.stepping import recheck_attempt
from tests.settlement.conftest import attempts, states
from tests.simulators import opened_book
from trading.models import Order
from wallets.models import Wallet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]
Action = InterventionAction

BARGAIN = {"quantity": "15.02", "cost": "45.06", "commission": "0.01502"}
"""A quarter below the ask of 4.00."""


@pytest.fixture
def ask_for(admin_user):
    def ask(batch, action, figures=None):
        return request_intervention(
            batch=batch,
            action=action,
            reason="so on the venue's pages",
            requested_by=admin_user,
            now=timezone.now(),
            figures=Figures(**{name: Decimal(value) for name, value in figures.items()}) if figures else None,
        )

    return ask


@pytest.fixture
def decide(ask_for, venue):
    def run(batch, action, figures=None):
        wanted = ask_for(batch, action, figures)
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
        wanted.refresh_from_db()
        return wanted.outcome, wanted.detail

    return run


@pytest.fixture
def sent(place, settle, simulator):
    """A purchase that the venue executed, but whose answer was lost."""
    simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
    place("60.00")
    settle()
    return attempts()[0]


@pytest.fixture
def given_up(sent):
    """That purchase, presumed not placed; its order is refunded because the next attempt could not succeed."""
    presume_not_placed(attempt=sent, reason="not found")
    end_refused(attempt=attempts()[1], from_state=AttemptState.NEW, reason="delisted")
    return refunded(sent)


@pytest.fixture
def refused(sent):
    """That purchase, refused by the venue as far as we know, so that nobody rechecks it."""
    end_refused(attempt=sent, from_state=AttemptState.SENT, reason="delisted")
    return refunded(sent)


@pytest.fixture
def find(venue, now):
    """Find out what the venue says of an attempt: by its recheck while that goes on, afterwards by reconciliation."""

    def run(attempt):
        Attempt.objects.update(ended_at=now - timedelta(hours=1))  # reconciliation leaves recent ones alone
        attempt.refresh_from_db()
        if attempt.recheck_at:
            recheck_attempt(attempt_id=attempt.pk, get_venue=lambda _: venue)
        else:
            reconcile(venue=venue, since=now - timedelta(days=1), now=timezone.now())

    return run


@pytest.fixture
def is_cheap(tmp_path):
    """Let the venue have taken a quarter less than the ask."""

    def run():
        with opened_book(tmp_path / "book.sqlite") as book:
            book.execute("UPDATE trade SET price = '3', quote = '45.06'")
            book.execute("UPDATE venue_order SET quote = '45.06'")

    return run


def refunded(attempt):
    attempt.refresh_from_db()
    assert (states(), attempt.batch.state) == (["refunded"], BatchState.REFUNDED)
    return attempt


def open_findings():
    return sorted(Finding.objects.filter(closed_at=None).values_list("kind", flat=True))


def inventory():
    return Wallet.objects.get(role="inventory", asset="ABAN").balance


class TestALateBargainOfAClosedBatch:
    @pytest.mark.parametrize("case", ["given_up", "refused", "given_up a day ago"])
    def test_is_booked_once_staff_have_stated_it(self, case, request, decide, find, is_cheap, shopper):
        attempt = request.getfixturevalue(case.split()[0])
        if "ago" in case:
            Attempt.objects.update(recheck_at=None)
        is_cheap()
        find(attempt)
        assert (open_findings(), inventory()) == (["untrue"], 0)
        looked_up, detail = decide(attempt.batch, Action.LOOK_UP)
        assert looked_up == "done"
        assert "cost 45.06 for 15.02, at least 48.064; if the venue's own pages say so too, mark it as filled" in detail
        assert (open_findings(), inventory(), Pause.objects.count()) == (["untrue"], 0, 1)

        booked, detail = decide(attempt.batch, Action.MARK_FILLED, BARGAIN)
        assert booked == "done", detail
        attempt.refresh_from_db()
        assert (attempt.state, attempt.cost, attempt.recheck_at) == (AttemptState.FILLED, Decimal("45.06"), None)
        assert inventory() == Decimal("15.02") - Decimal("0.01502")
        assert (open_findings(), Pause.objects.count()) == (["late_fill"], 0)
        assert (states(), shopper.wallet.balance, Order.objects.get().rebate) == (["refunded"], 100, 0)

        find(attempt)  # reconciliation agrees
        assert (open_findings(), Pause.objects.count()) == (["late_fill"], 0)
        with pytest.raises(InterventionRefused):
            decide(attempt.batch, Action.MARK_FILLED, BARGAIN)

    @pytest.mark.parametrize("change", [{"quantity": "15"}, {"cost": "45.05"}, {"commission": "0"}])
    def test_is_not_booked_with_other_figures_than_the_venues(self, change, decide, find, given_up, is_cheap):
        is_cheap()
        find(given_up)
        outcome, detail = decide(given_up.batch, Action.MARK_FILLED, BARGAIN | change)
        assert outcome == "refused"
        assert "The venue says otherwise: closed, 15.02 for 45.06" in detail
        assert (open_findings(), inventory(), Pause.objects.count()) == (["untrue"], 0, 1)

    def test_is_not_booked_once_the_venue_knows_of_no_order(self, decide, find, given_up, is_cheap, simulator):
        is_cheap()
        find(given_up)
        simulator.fail({"on": "query", "action": "not_found"})
        assert decide(given_up.batch, Action.MARK_FILLED, BARGAIN) == ("refused", "The venue does not know this order.")
        assert inventory() == 0

    def test_is_not_booked_while_the_venue_says_nothing(self, decide, find, given_up, is_cheap, simulator):
        is_cheap()
        find(given_up)
        simulator.fail({"on": "query", "action": "down"})
        outcome, detail = decide(given_up.batch, Action.MARK_FILLED, {**BARGAIN, "cost": "0.00000001"})
        assert outcome == "refused"
        assert detail.startswith("The venue does not say now that it knows this order: ")
        assert inventory() == 0

    def test_cannot_be_marked_as_not_placed(self, decide, find, given_up, is_cheap):
        is_cheap()
        find(given_up)
        with pytest.raises(InterventionRefused, match="No attempt of this batch is in doubt"):
            decide(given_up.batch, Action.MARK_NOT_PLACED)


class TestALateFillOfAnotherSize:
    def test_is_booked_once_staff_have_stated_it(self, decide, find, given_up, simulator):
        simulator.fail({"on": "query", "action": "lie", "changes": {"origQty": "16"}})
        find(given_up)
        assert (open_findings(), inventory()) == (["untrue"], 0)
        assert "an order of 16, asked for 15.02" in decide(given_up.batch, Action.LOOK_UP)[1]
        outcome, detail = decide(given_up.batch, Action.MARK_FILLED, BARGAIN | {"cost": "60.08"})
        assert outcome == "done", detail
        assert (open_findings(), Pause.objects.count()) == (["late_fill"], 0)
        assert inventory() == Decimal("15.02") - Decimal("0.01502")


class TestALateFillOfWhichTheTradesDisagree:
    @pytest.mark.parametrize(("case", "kind"), [("given_up", "untrue"), ("refused", "differs")])
    def test_is_booked_once_staff_have_stated_it(self, case, kind, request, decide, find, simulator):
        attempt = request.getfixturevalue(case)
        simulator.fail({"on": "trades", "action": "lie", "changes": {"0.qty": "99"}})
        find(attempt)
        assert (open_findings(), inventory()) == ([kind], 0)
        assert "the venue's answer cannot be true" in decide(attempt.batch, Action.LOOK_UP)[1]
        outcome, detail = decide(attempt.batch, Action.MARK_FILLED, BARGAIN | {"cost": "60.08"})
        assert outcome == "done", detail
        assert inventory() == Decimal("15.02") - Decimal("0.01502")
        simulator.fail()
        find(attempt)
        assert open_findings() == ["late_fill"]

    def test_is_booked_beside_another_one_of_which_the_venue_does_not_say_its_id(
        self, sent, place, settle, decide, find, simulator, make_shopper
    ):
        end_refused(attempt=sent, from_state=AttemptState.SENT, reason="delisted")
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("60.00", of=make_shopper())
        settle()
        end_refused(attempt=attempts()[1], from_state=AttemptState.SENT, reason="delisted")
        simulator.fail({"on": "trades", "action": "lie", "changes": {"*.qty": "99"}})
        for attempt in attempts():
            find(attempt)
            outcome, detail = decide(attempt.batch, Action.MARK_FILLED, BARGAIN | {"cost": "60.08"})
            assert outcome == "done", detail
        assert inventory() == 2 * (Decimal("15.02") - Decimal("0.01502"))


class TestAnAttemptThatNothingWasFoundAbout:
    def test_is_not_marked_as_filled(self, decide, given_up):
        with pytest.raises(InterventionRefused, match="No attempt of this batch is in doubt"):
            decide(given_up.batch, Action.MARK_FILLED, BARGAIN)

    def test_is_not_marked_as_filled_if_it_has_just_been_given_up(self, ask_for, sent, venue, simulator):
        simulator.fail({"on": "query", "action": "down"})
        wanted = ask_for(sent.batch, Action.MARK_FILLED, BARGAIN)
        presume_not_placed(attempt=sent, reason="marked as not placed")
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
        wanted.refresh_from_db()
        assert (wanted.outcome, wanted.detail) == ("refused", "The attempt is no longer in doubt.")
        assert inventory() == 0
