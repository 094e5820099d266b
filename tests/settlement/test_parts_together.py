"""Where parts of settlement meet: denial and refusal, the gate and staff, the fence and the float, turns and waits."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import Attempt, Batch, BatchState, Finding, FindingKind, Pause, PauseKind, VenueAccount
from settlement.models import InterventionAction as Action
from settlement.services.claiming import claim_waiting_orders
from settlement.services.funding import note_shortage, record_funds
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import request_intervention
from settlement.services.outcomes import book_execution
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.venues.protocol import Executed
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import at_once, wait_for
from tests.settlement.conftest import attempts, states
from trading.jobs import CLAIM_TASK
from trading.services.losses import Delivered, count_loss
from wallets.models import Wallet, WalletRole
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory

pytestmark = pytest.mark.django_db(transaction=True)
verified = pytest.mark.usefixtures("books_balance")

LOST = {"on": "place", "action": "accept_then_drop", "times": 1}
DENIALS = [{"on": on, "action": "not_found"} for on in ("query", "list", "trades")]


@pytest.fixture
def denied(place, claim, venue, simulator, settings):
    """A batch whose first purchase was bought and denied. Its second is not sent yet."""
    configure(settings, "VENUE", recv_window=timedelta(seconds=0.5))
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0), not_found_times=1)
    simulator.fail(LOST, *DENIALS)
    place("60.00")
    batch = claim()
    take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
    wait_for(lambda: take_next_step(batch_id=batch.pk, get_venue=lambda _: venue) or len(attempts()) == 2, seconds=10)
    assert [attempt.state for attempt in attempts()] == ["not_placed", "new"]
    return batch


@pytest.fixture
def stock(coin):
    """Return a function that puts coins into the house's inventory, at four dollars each, without a purchase."""

    def put(quantity):
        with transaction.atomic():
            lock_inventory(asset=coin.name)
            book_fill(
                venue="binance",
                asset=coin.name,
                cost=4 * Decimal(quantity),
                quantity=Decimal(quantity),
                reference="attempt:of-before",
                now=timezone.now(),
            )

    return put


def inventory():
    return Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance


@verified
class TestARefusal:
    def test_refunds_although_an_earlier_purchase_was_denied_whose_coins_become_surplus(self, denied, venue, simulator):
        refusal = {"on": "place", "action": "reject", "code": -1121, "msg": "Invalid symbol."}
        simulator.fail(*DENIALS, refusal)
        take_next_step(batch_id=denied.pk, get_venue=lambda _: venue)
        denied.refresh_from_db()
        assert (denied.state, states()) == (BatchState.REFUNDED, ["refunded"])
        simulator.fail()
        recheck_attempt(attempt_id=attempts()[0].pk, get_venue=lambda _: venue)
        assert (states(), inventory()) == (["refunded"], Decimal("15.00498"))
        assert Finding.objects.get(closed_at=None).kind == FindingKind.LATE_FILL


@verified
class TestAnUntrueLateAnswer:
    @pytest.fixture
    def untrue(self, denied, venue, simulator):
        simulator.fail({"on": "query", "action": "lie", "changes": {"status": "WHATEVER"}})
        take_next_step(batch_id=denied.pk, get_venue=lambda _: venue)
        denied.refresh_from_db()
        return denied

    def test_is_for_staff_to_decide(self, untrue, simulator):
        assert untrue.state == BatchState.PARKED
        assert [attempt.state for attempt in attempts()] == ["parked", "not_placed"]
        assert Pause.objects.get().kind == PauseKind.UNTRUE
        assert Finding.objects.get(closed_at=None).kind == FindingKind.UNTRUE
        assert len(simulator.book()) == 1

    def test_can_be_looked_up_again_when_the_venue_says_the_truth(self, untrue, venue, simulator, admin_user):
        simulator.fail()
        asked = request_intervention(
            batch=untrue, action=Action.LOOK_UP, reason="x", requested_by=admin_user, now=timezone.now()
        )
        carry_out(intervention_id=asked.pk, get_venue=lambda _: venue)
        untrue.refresh_from_db()
        assert (untrue.state, states()) == (BatchState.SETTLED, ["completed"])
        assert not Pause.objects.exists()
        assert not Finding.objects.filter(kind=FindingKind.UNTRUE, closed_at=None).exists()


@verified
class TestABatchThatIsTooDear:
    def test_keeps_no_other_order_of_the_coin_waiting(self, place, settle, claim, venue, simulator, make_shopper):
        simulator.set_filters("ABAN", minimum="5")
        place("12.00")
        dear = settle()
        assert not Pause.objects.exists()
        place("60.00", of=make_shopper())
        Attempt.objects.filter(batch=dear).update(next_step_at=timezone.now() + timedelta(minutes=1))
        other = claim(timezone.now())
        take_next_step(batch_id=other.pk, get_venue=lambda _: venue)
        assert states() == ["settling", "completed"]

    def test_is_woken_at_the_end_of_its_wait(self, place, settle, claim, simulator, make_shopper, coin):
        simulator.set_prices(ABAN="4.30")
        place("60.00")
        first = settle()
        until = timezone.now() + timedelta(minutes=1)
        Attempt.objects.filter(batch=first).update(next_step_at=until)
        place("60.00", of=make_shopper())
        assert claim(timezone.now()).pk != first.pk
        claim_waiting_orders(coin_id=coin.pk, now=timezone.now())  # while the other purchase is in flight
        wakers = ProcrastinateJob.objects.filter(task_name=CLAIM_TASK, status="todo", scheduled_at__isnull=False)
        assert any(abs(job.scheduled_at - until) < timedelta(seconds=5) for job in wakers)


class TestTheFloat:
    def test_is_not_needed_for_coins_in_stock(self, place, claim, stock):
        stock("50")
        record_funds(venue="binance", free=Decimal(0), read_at=timezone.now())
        place("12.00")
        claim(timezone.now())
        assert (states(), inventory()) == (["completed"], 47)

    def test_does_not_matter_to_a_reserve_that_suffices(self, place, claim, venue, stock, make_shopper, simulator):
        place("36.00")
        place("12.00", of=make_shopper())
        batch = claim()
        stock("5")
        Batch.objects.update(reserved=5)
        Attempt.objects.update(budget=Decimal(5))
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), simulator.book()) == (["settling", "completed"], [])

    @verified
    def test_holds_the_top_up_too(self, place, claim, venue, simulator):
        record_funds(venue="binance", free=Decimal(1000), read_at=timezone.now())
        place("60.00")
        batch = claim()
        set_aside = attempts()[0].budget
        simulator.fail({"on": "place", "action": "drop"})
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        [attempt] = attempts()
        assert attempt.quantity * attempt.limit_price <= attempt.budget <= set_aside

    @verified
    def test_bounds_the_limit_where_the_purchase_still_fits(self, place, claim, venue, simulator):
        place("60.00")
        batch = claim()
        Attempt.objects.update(budget=Decimal(62))
        simulator.fail({"on": "place", "action": "drop"})
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        [attempt] = attempts()
        assert attempt.quantity * attempt.limit_price <= attempt.budget == 62


@verified
class TestTheDatabase:
    def test_takes_a_true_fill_with_the_highest_commission_in_the_quote_asset(self, place, claim):
        """Cost, commission and bound are each rounded to 8 places, so together they may exceed the exact product."""
        place("60.00")
        claim()
        quantity, limit = Decimal("0.00001234"), Decimal("24311.12345678")
        Attempt.objects.update(
            state="sent",
            quantity=quantity,
            limit_price=limit,
            budget=1,
            signed_at=timezone.now(),
            valid_until=timezone.now(),
        )
        commission = Decimal("0.00599999")
        fill = Executed(
            venue_order_id="1",
            status="closed",
            final=True,
            quantity=quantity,
            cost=Decimal("0.29999927") + commission,
            commission=Decimal(0),
            quote_commission=commission,
        )
        assert book_execution(attempt=Attempt.objects.select_related("coin", "batch").get(), execution=fill)

    def test_lets_two_coins_book_on_a_day_whose_sales_have_stopped(self, coin, settings):
        """One holds the account when it counts its loss, the other the other way round."""
        beta = make_coin("BETA", "1.00")
        configure(settings, "LOSSES", per_day=Decimal(1), per_day_and_coin=None)
        now = timezone.now()
        record_funds(venue="binance", free=Decimal(1000), read_at=now)

        def count(asset):
            lost = Delivered(asset=asset, coins=Decimal(1), cost=Decimal(20), charge=Decimal(10))
            count_loss(delivered=lost, now=now)

        with transaction.atomic():
            count(coin.name)
        meet = threading.Barrier(2)

        def count_first():
            count(coin.name)
            meet.wait(20)
            list(VenueAccount.objects.select_for_update(no_key=True))

        def count_last():
            note_shortage(venue="binance", coin_id=beta.pk, charge=Decimal(5000), now=now)
            meet.wait(20)
            count(beta.name)

        at_once(2, lambda number: transaction.atomic((count_first, count_last)[number])())
        run_as_owner("DELETE FROM trading_dayloss")  # counted without the ledger
