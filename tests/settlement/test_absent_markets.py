"""A list of markets without a coin refunds nobody: the batch waits for a list that has it, or for staff's word."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from settlement.models import LISTS_APART, AbsentMarket, BatchState, InterventionAction, Pause
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import request_intervention
from settlement.services.pausing import pause_buying
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt.markets import markets
from tests.configure import configure
from tests.owner import run_as_owner
from tests.settlement.conftest import attempts, end_pauses, states
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]

COINS = ("ABAN", "BTC", "ETH", "SOL", "ADA", "DOGE")


@pytest.fixture(autouse=True)
def fresh_lists(settings):
    """Each list that is asked for is a new one."""
    configure(settings, "VENUE", markets_max_age_seconds=0.0)


@pytest.fixture
def step(venue):
    def run(batch):
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        return batch.state

    return run


@pytest.fixture
def absent(place, settle, simulator):
    """A batch whose coin the venue's list lacks."""
    simulator.delist("ABAN")
    place("60.00")
    batch = settle()
    assert batch.state == BatchState.OPEN
    return batch


@pytest.fixture
def refund(venue, admin_user):
    def run(batch):
        wanted = request_intervention(
            batch=batch,
            action=InterventionAction.REFUND,
            reason="the venue has announced it",
            requested_by=admin_user,
            now=timezone.now(),
        )
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
        wanted.refresh_from_db()
        return wanted.outcome, wanted.detail

    return run


def minutes_pass(age=LISTS_APART):
    AbsentMarket.objects.update(first_at=F("first_at") - age, latest_at=F("latest_at") - age)


class TestAListWithoutTheCoin:
    def test_lets_the_batch_wait_however_long(self, absent, step, shopper, simulator):
        for _ in range(3):
            run_as_owner("UPDATE settlement_attempt SET created_at = now() - interval '1 day'")
            minutes_pass()
            assert (step(absent), states()) == (BatchState.OPEN, ["settling"])
        assert (shopper.wallet.balance, simulator.book()) == (40, [])
        assert AbsentMarket.objects.get().lists == 4

    def test_is_named_on_the_to_do_page_with_the_evidence_and_the_next_step(self, absent, step):
        [concern] = list_to_do(now=timezone.now())
        assert (concern.kind, concern.subject) == (ConcernKind.PAUSE, "buying of ABAN at binance")
        assert "the venue's list of markets lacks the coin (one list, at " in concern.reason
        assert f"batch {absent.pk} goes on by itself with a list that has it; else refund it" in concern.reason
        step(absent)
        [concern] = list_to_do(now=timezone.now())
        evidence = AbsentMarket.objects.get()
        first, latest = (f"{at:%H:%M:%S}" for at in (evidence.first_at, evidence.latest_at))
        assert f"(2 lists, {first} to {latest} UTC)" in concern.reason

    def test_lets_staff_refund_only_after_a_second_one_minutes_later(self, absent, step, refund, shopper):
        outcome, detail = refund(absent)
        assert (outcome, states()) == ("refused", ["settling"])
        assert "so far only one list, at" in detail
        step(absent)
        assert refund(absent)[0] == "refused", "two lists, seconds apart"
        minutes_pass()
        assert refund(absent)[0] == "refused", "the latest list lacked it minutes ago, as the first did"
        step(absent)
        assert refund(absent) == ("done", "1 orders are refunded")
        assert (states(), shopper.wallet.balance) == (["refunded"], 100)
        assert Order.objects.get().reason == "not_listed"

    def test_does_not_keep_staff_from_refunding_what_they_have_paused(self, absent, refund, coin, admin_user):
        pause_buying(coin=coin, reason="insolvent venue", set_by=admin_user, now=timezone.now())
        assert refund(absent)[0] == "done"
        assert Order.objects.get().reason == "refunded_by_staff", "one list proves nothing"

    def test_is_forgotten_when_a_later_list_has_the_coin_and_the_batch_goes_on_by_itself(
        self, absent, step, simulator, shopper
    ):
        simulator.set_prices(ABAN="4.00")
        assert step(absent) == BatchState.SETTLED
        assert (states(), shopper.holding("ABAN"), len(simulator.book())) == (["completed"], 15, 1)
        assert not Pause.objects.exists()

    def test_counts_anew_after_a_list_that_had_the_coin(self, absent, step, simulator, refund):
        minutes_pass()
        simulator.set_prices(ABAN="40.00")  # an ask far from the last price, so nothing is bought
        assert step(absent) == BatchState.OPEN
        assert not AbsentMarket.objects.exists()
        simulator.delist("ABAN")
        step(absent)
        assert AbsentMarket.objects.get().lists == 1
        assert refund(absent)[0] == "refused"

    def test_is_asked_for_again_by_the_sweep(self, absent, settings):
        waiting = attempts()[0]
        assert waiting.next_step_at > timezone.now() - timedelta(seconds=30)
        sweep(now=waiting.next_step_at + settings.SETTLEMENT.sweep_after)
        assert states() == ["settling"]


class TestAnEmptyList:
    def test_refunds_nobody_and_is_no_evidence(self, coin, place, settle, step, simulator, refund, shopper):
        for name in COINS:
            simulator.delist(name)
        markets.forget()
        place("60.00")
        batch = settle()
        assert (batch.state, states(), shopper.wallet.balance) == (BatchState.OPEN, ["settling"], 40)
        assert not AbsentMarket.objects.exists()
        simulator.set_prices(ABAN="4.00")
        markets.forget()
        assert step(batch) == BatchState.SETTLED
        assert states() == ["completed"]
