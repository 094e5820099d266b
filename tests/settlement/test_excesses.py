"""What a venue really did beyond a request is booked on a row of its own, after trades and balance confirm it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from model_bakery import baker

from settlement.exceptions import InterventionRefused
from settlement.gate import CannotBeTrue
from settlement.models import (
    AccountMove,
    AccountMoveKind,
    Attempt,
    AttemptState,
    BalanceReading,
    Batch,
    BatchState,
    Excess,
    Finding,
    InterventionAction,
    Pause,
    PauseKind,
)
from settlement.services.account_moves import book_move
from settlement.services.disbelieving import weigh_adopted
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import Figures, request_intervention
from settlement.services.intervening.weighing import ensure_beyond, ensure_plausible, why_not
from settlement.services.outcomes import presume_not_placed
from settlement.services.reconciling.balances import compare_balances
from settlement.services.reconciling.comparing import reconcile
from settlement.venues.protocol import Executed
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.settlement.conftest import attempts, end_pauses, states
from tests.simulators import opened_book
from wallets.models import Transaction, Wallet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]

TENFOLD = {"on": "place", "action": "partial", "fraction": "10"}


@pytest.fixture(autouse=True)
def bound_of_a_purchase(settings):
    """Let a purchase cost 5 % more than its order paid, so that there is room between its bound and what is untrue."""
    most = settings.SETTLEMENT.max_loss
    configure(settings, "SETTLEMENT", max_loss_of_an_order=most, buy_slack=most)


@pytest.fixture
def overfilled(place, settle, simulator):
    """A purchase of which the venue really executed ten times the quantity."""
    simulator.fail(TENFOLD)
    place("60.00")
    batch = settle()
    simulator.fail()
    assert (attempts()[0].state, attempts()[0].reason) == ("parked", "executed 150.2, asked for 15.02")
    return batch


@pytest.fixture
def book_excess(venue, admin_user):
    def run(batch):
        wanted = request_intervention(
            batch=batch,
            action=InterventionAction.BOOK_EXCESS,
            reason="the venue confirms it",
            requested_by=admin_user,
            now=timezone.now(),
        )
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
        wanted.refresh_from_db()
        return wanted.outcome, wanted.detail

    return run


def inventory():
    return Wallet.objects.get(role="inventory", asset="ABAN").balance


class TestAnExcess:
    def test_is_booked_on_a_row_of_its_own(self, overfilled, book_excess, shopper, venue, now):
        outcome, detail = book_excess(overfilled)
        assert outcome == "done", detail
        assert "what was beyond its request is surplus of the house" in detail
        [attempt], [excess] = attempts(), Excess.objects.all()
        assert (attempt.state, attempt.executed, attempt.cost) == ("filled", Decimal("15.02"), Decimal("60.08"))
        assert (excess.quantity, excess.cost, excess.commission) == (
            Decimal("135.18"),
            Decimal("540.72"),
            Decimal("0.13518"),
        )
        assert excess.intervention.requested_by.username == "admin"
        assert (states(), shopper.holding("ABAN")) == (["completed"], 15)
        assert inventory() == Decimal("150.2") - Decimal("0.1502") - 15
        assert Transaction.objects.filter(reference=f"excess:{attempt}:fill").exists()
        overfilled.refresh_from_db()
        assert (overfilled.state, Pause.objects.count()) == (BatchState.SETTLED, 0)
        result = reconcile(venue=venue, since=now - timedelta(days=1), now=timezone.now())
        assert (result.findings, result.unasked) == ([], [])

    def test_is_booked_if_the_venue_says_that_we_asked_for_so_much(self, overfilled, book_excess, simulator):
        simulator.fail({"on": "query", "action": "lie", "changes": {"origQty": "150.2"}})
        outcome, detail = book_excess(overfilled)
        assert outcome == "done", detail
        assert Excess.objects.get().quantity == Decimal("135.18")

    def test_is_booked_once(self, overfilled, book_excess):
        assert book_excess(overfilled)[0] == "done"
        with pytest.raises(InterventionRefused):
            book_excess(overfilled)
        assert Excess.objects.count() == 1

    def test_of_an_attempt_that_was_given_up_is_booked(self, place, settle, simulator, book_excess):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("60.00")
        batch = settle()
        [attempt] = attempts()
        presume_not_placed(attempt=attempt, reason="given up")
        beyond = Executed(
            venue_order_id="1",
            status="closed",
            final=True,
            quantity=Decimal("15.02"),
            cost=Decimal("60.08"),
            commission=Decimal("0.01502"),
        )
        assert why_not(attempt, beyond) == ""
        assert book_excess(batch)[0] == "refused", "the venue did what was asked for"
        attempt.refresh_from_db()
        assert attempt.state == AttemptState.FILLED, "as a late fill"
        assert not Excess.objects.exists()

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ({"on": "query", "action": "down"}, "trades do not confirm it"),
            ({"on": "trades", "action": "lie", "changes": {"0.qty": "99"}}, "trades do not confirm it"),
            ({"on": "query", "action": "lie", "changes": {"status": "NEW"}}, "trades do not confirm it"),
            ({"on": "trades", "action": "lie", "changes": {"0.commissionAsset": "BNB"}}, "commission in BNB"),
        ],
    )
    def test_that_the_trades_do_not_confirm_is_refused(self, overfilled, book_excess, simulator, rule, words):
        simulator.fail(rule)
        outcome, detail = book_excess(overfilled)
        assert (outcome, states(), inventory()) == ("refused", ["settling"], 0)
        assert words in detail
        assert not Excess.objects.exists()

    def test_that_the_balance_does_not_confirm_is_refused(self, overfilled, book_excess, simulator):
        simulator.set_account(balances={"ABAN": "150.04979999"})
        outcome, detail = book_excess(overfilled)
        assert (outcome, states()) == ("refused", ["settling"])
        assert "The account holds 150.04979999 ABAN, less than 150.0498" in detail
        simulator.set_account(balances={"ABAN": "150.0498"})
        assert book_excess(overfilled)[0] == "done"

    def test_is_refused_during_a_ban_that_the_question_for_the_balance_began(self, overfilled, book_excess, simulator):
        simulator.fail({"action": "rate_limit", "status": 418, "retry_after": "60", "times": 1})
        outcome, _ = book_excess(overfilled)
        assert (outcome, states(), Excess.objects.exists()) == ("refused", ["settling"], False)
        assert Pause.objects.filter(kind=PauseKind.BAN, until__gt=timezone.now() + timedelta(seconds=30)).exists()
        simulator.fail()
        end_pauses()
        assert book_excess(overfilled)[0] == "done"
        assert not Pause.objects.filter(kind=PauseKind.BAN).exists(), "the answer ended the ban"

    def test_that_no_balance_confirms_is_refused(self, overfilled):
        [attempt] = attempts()
        beyond = Executed(
            venue_order_id="1",
            status="expired",
            final=True,
            quantity=Decimal(150),
            cost=Decimal(600),
            commission=Decimal(0),
        )
        with pytest.raises(InterventionRefused, match="did not say what the account holds"):
            ensure_beyond(attempt=attempt, execution=beyond, held=None)

    def test_needs_the_coins_of_earlier_purchases_in_the_account_too(self, place, settle, simulator, make_shopper):
        place("60.00", of=make_shopper())
        settle()
        simulator.fail(TENFOLD)
        place("60.00")
        settle()
        earlier, attempt = attempts()
        beyond = Executed(
            venue_order_id="2",
            status="expired",
            final=True,
            quantity=Decimal(150),
            cost=Decimal(600),
            commission=Decimal(0),
        )
        needed = earlier.executed - earlier.commission + 150
        with pytest.raises(InterventionRefused, match="less than"):
            ensure_beyond(attempt=attempt, execution=beyond, held=needed - Decimal("0.00000001"))
        ensure_beyond(attempt=attempt, execution=beyond, held=needed)

    def test_beyond_the_price_bound_is_not_proven_by_coins(self, overfilled):
        [attempt] = attempts()

        def told(cost):
            return Executed(
                venue_order_id="1",
                status="expired",
                final=True,
                quantity=Decimal(150),
                cost=cost,
                commission=Decimal(0),
            )

        ensure_beyond(attempt=attempt, execution=told(Decimal(630)), held=Decimal(150))
        with pytest.raises(InterventionRefused, match="prove no cost beyond the price bound"):
            ensure_beyond(attempt=attempt, execution=told(Decimal("630.00000001")), held=Decimal(150))

    def test_cannot_be_changed_or_deleted(self, overfilled, book_excess):
        book_excess(overfilled)
        for change in (lambda: Excess.objects.update(cost=1), lambda: Excess.objects.all()._raw_delete("default")):
            with by_owner(), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change()


class TestACostBeyondThePriceBound:
    """The venue takes 90.12 for 15.02 coins, of which each may cost 4.20."""

    @pytest.fixture
    def overcharged(self, coin, place, settle, simulator, venue, tmp_path, request):
        if "before" not in request.node.name:
            compare_balances(venue=venue)
        changes = {"cummulativeQuoteQty": "90.12", "fills.0.price": "6"}
        simulator.fail({"on": "place", "action": "lie", "changes": changes})
        place("60.00")
        batch = settle()
        simulator.fail()
        with opened_book(tmp_path / "book.sqlite") as book:
            book.execute("UPDATE trade SET price = '6', quote = '90.12'")
            book.execute("UPDATE venue_order SET quote = '90.12'")
        simulator.set_account(balances={"USDT": "999999909.88"})
        Attempt.objects.update(ended_at=timezone.now() - timedelta(minutes=1))
        assert attempts()[0].state == "parked"
        assert attempts()[0].reason.startswith("cost 90.12")
        return batch

    def test_is_booked_if_the_account_paid_it(self, overcharged, book_excess, shopper, venue, now):
        outcome, detail = book_excess(overcharged)
        assert outcome == "done", detail
        [attempt], [excess] = attempts(), Excess.objects.all()
        assert (attempt.cost, excess.cost, excess.quantity) == (Decimal("63.084"), Decimal("27.036"), 0)
        assert (states(), shopper.holding("ABAN")) == (["completed"], 15)
        result = reconcile(venue=venue, since=now - timedelta(days=1), now=timezone.now())
        assert (result.findings, result.unasked) == ([], [])
        assert BalanceReading.objects.get(asset="USDT").difference == 0

    @pytest.mark.parametrize("funds", ["999999939.92", "999999909.87", "999999909.89"])
    def test_is_refused_if_the_account_paid_something_else(self, overcharged, book_excess, simulator, funds):
        simulator.set_account(balances={"USDT": funds})
        outcome, detail = book_excess(overcharged)
        assert (outcome, states(), inventory()) == ("refused", ["settling"], 0)
        assert f"the account would hold 999999909.88 USDT, not {funds}" in detail
        assert not Excess.objects.exists()

    def test_is_booked_if_staff_have_booked_what_was_moved(self, overcharged, book_excess, simulator, admin_user, now):
        simulator.set_account(balances={"USDT": "1000000909.88"})
        assert book_excess(overcharged)[0] == "refused"
        book_move(
            move=AccountMove(
                venue="binance", asset="USDT", kind=AccountMoveKind.MOVE, amount=Decimal(1000), reason="sent by bank"
            ),
            booked_by=admin_user,
            now=now,
        )
        assert book_excess(overcharged)[0] == "done"

    def test_is_refused_without_a_balance(self, overcharged, book_excess, simulator):
        simulator.fail({"on": "account", "action": "lie", "changes": {"balances.*.free": "NaN"}})
        outcome, detail = book_excess(overcharged)
        assert outcome == "refused"
        assert "did not say" in detail

    def test_is_refused_while_another_purchase_is_in_doubt(self, overcharged, book_excess):
        other = make_coin("ETH", "3000.00")
        batch, moment = baker.make(Batch, coin=other), timezone.now()
        baker.make(
            Attempt,
            batch=batch,
            coin=other,
            state=AttemptState.SENT,
            quantity=1,
            limit_price=3000,
            signed_at=moment,
            valid_until=moment,
        )
        outcome, detail = book_excess(overcharged)
        assert outcome == "refused"
        assert "another purchase is under way or in doubt" in detail
        Attempt.objects.filter(coin=other).update(state="empty", ended_at=moment - timedelta(minutes=1))
        assert book_excess(overcharged)[0] == "done"
        Batch.objects.filter(pk=batch.pk).update(state="settled", closed_at=moment)

    def test_is_refused_before_the_comparison_has_begun(self, overcharged, book_excess):
        outcome, detail = book_excess(overcharged)
        assert outcome == "refused"
        assert "USDT has no opening yet" in detail


class TestCoinsThatWereMovedOut:
    def test_are_not_missed_when_an_excess_is_booked(
        self, coin, venue, place, settle, simulator, book_excess, admin_user, now
    ):
        compare_balances(venue=venue)
        simulator.fail(TENFOLD)
        place("60.00")
        batch = settle()
        simulator.fail()
        simulator.set_account(balances={"ABAN": "0.0498"})
        assert book_excess(batch)[0] == "refused"
        book_move(
            move=AccountMove(
                venue="binance",
                asset="ABAN",
                kind=AccountMoveKind.MOVE,
                amount=Decimal(-150),
                reason="to the cold wallet",
            ),
            booked_by=admin_user,
            now=now,
        )
        assert book_excess(batch)[0] == "done"


class TestStatedFigures:
    @pytest.mark.parametrize(
        ("changes", "is_refused"),
        [
            ({}, False),
            ({"cost": "63.14"}, False),
            ({"quantity": "15.03"}, True),
            ({"commission": "15.02"}, True),
            ({"cost": "63.15"}, True),
        ],
    )
    def test_stay_within_the_request(self, overfilled, changes, is_refused):
        stated = {"quantity": "15.02", "cost": "60.08", "commission": "0.01502"} | changes
        figures = Figures(**{name: Decimal(value) for name, value in stated.items()})
        try:
            ensure_plausible(attempts()[0], figures)
        except InterventionRefused:
            assert is_refused
        else:
            assert not is_refused


class TestAnAdoptedOrder:
    TOLD = Executed(
        venue_order_id="1",
        status="expired",
        final=True,
        quantity=Decimal(15),
        cost=Decimal(60),
        commission=Decimal(0),
        asked=Decimal(15),
        limit_price=Decimal("4.2"),
    )

    def test_passes_by_the_request_that_it_repeats(self):
        weigh_adopted(execution=self.TOLD)

    @pytest.mark.parametrize(
        "changes", [{"asked": None}, {"limit_price": None}, {"quantity": Decimal(16)}, {"cost": Decimal(64)}]
    )
    def test_is_not_believed_without_it_or_beyond_it(self, changes):
        with pytest.raises(CannotBeTrue):
            weigh_adopted(execution=replace(self.TOLD, **changes))
        assert not Finding.objects.filter(kind="late_fill").exists()
