"""Orders that break a risk rule are held until staff decide about them, once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.exceptions import InterventionRefused
from settlement.models import Intervention, InterventionAction
from settlement.services.claiming import claim_waiting_orders
from settlement.services.intervening.requests import request_intervention
from settlement.services.sweeping import sweep
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.processes import at_once
from tests.staff import give_powers_before_the_rule, let_do_everything
from trading.exceptions import OrderNotCancellable, OrderNotHeld, OwnOrder, PriceUnavailable, TooManyHeld
from trading.models import Order, Review, RiskRule
from trading.pools import read_counters
from trading.risk import RecentOrders, find_breach
from trading.services.asked_orders import OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.placing import place_order
from trading.services.reviewing import refund_within_transaction, release_within_transaction
from wallets.exceptions import OwnAccount
from wallets.models import User
from wallets.runtime.idempotency import idempotency_key
from wallets.services.proposing import FREEZE, UNFREEZE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff(db):
    return User.objects.create_user("clerk", is_staff=True)


@pytest.fixture
def place(shopper, coin, now):
    def by_total(total="12.00", *, of=None, key=None, at=None):
        wanted = {"coin_name": "ABAN", "amount": None, "total": Decimal(total)}
        order_request = OrderRequest(**wanted, key=idempotency_key(key=key, request=wanted))
        return place_order(buyer=(of or shopper).principal, order_request=order_request, now=at or now).order

    return by_total


@pytest.fixture
def held(place, settings):
    """An order of 12.00, which is held because its value exceeds the limit."""
    configure(settings, "RISK", max_value=Decimal("11.99"))
    return place()


def recent(count=0, cancels=0, charge="0"):
    return RecentOrders(count=count, cancels=cancels, charge=Decimal(charge))


class TestFindBreach:
    @pytest.fixture(autouse=True)
    def limits(self, settings):
        configure(settings, "RISK", max_orders=3, max_cancels=1, max_value=Decimal("100.00"))

    @pytest.mark.parametrize(
        ("figures", "charge", "rule"),
        [
            (recent(), "100.00", None),
            (recent(), "100.01", RiskRule.VALUE),
            (recent(charge="60.00"), "40.00", None),
            (recent(charge="60.00"), "40.01", RiskRule.VALUE),
            (recent(count=2), "1", None),
            (recent(count=3), "1", RiskRule.ORDERS),
            (recent(cancels=1), "1", None),
            (recent(cancels=2), "1", RiskRule.CANCELS),
        ],
    )
    def test_returns_the_rule_that_is_broken(self, figures, charge, rule):
        breach = find_breach(recent=figures, charge=Decimal(charge), coin_name="ABAN")
        assert (breach and breach.rule) == rule

    @pytest.mark.parametrize(
        ("coin", "charge", "grounds"),
        [
            ("THIN", "10.00", None),
            ("THIN", "10.01", "10.01 USD of THIN, of which 10.00 are usual"),
            ("NEW", "0.01", "0.01 USD of NEW, of which 0.00 are usual"),
            ("ABAN", "99.00", None),
        ],
    )
    def test_holds_single_orders_of_coins_that_have_a_limit_of_their_own(self, settings, coin, charge, grounds):
        configure(settings, "RISK", max_value_of_coins={"THIN": Decimal("10.00"), "NEW": Decimal(0)})
        breach = find_breach(recent=recent(charge="1.00"), charge=Decimal(charge), coin_name=coin)
        assert (breach and (breach.rule, breach.grounds)) == (grounds and (RiskRule.VALUE, grounds))


class TestHolding:
    def test_holds_an_order_of_a_coin_with_a_limit_and_no_order_of_another_one(self, place, settings):
        configure(settings, "RISK", max_value_of_coins={"ABAN": Decimal("11.99")})
        assert [place("11.00").state, place("12.00").state, place("11.00").state] == ["pending", "held", "pending"]

    def test_charges_the_order_and_enqueues_no_job(self, held, shopper):
        assert (held.state, held.reason, shopper.wallet.balance) == ("held", "under_review", 88)
        review = Review.objects.get()
        assert (review.order, review.rule, review.decision) == (held, "value", None)
        assert not ProcrastinateJob.objects.exists()
        assert verify_everything() == []

    def test_keeps_a_small_order_out_of_the_pool(self, place, settings):
        configure(settings, "RISK", max_value=Decimal("1.00"))
        assert place("2.00").state == "held"
        assert read_counters(coin_names=["ABAN"]) == {}

    def test_counts_only_orders_within_the_window(self, place, settings, now):
        configure(settings, "RISK", max_orders=2)
        place(at=now - timedelta(seconds=3601))
        assert [place("1.00").state for _ in range(3)] == ["aggregated", "aggregated", "held"]

    def test_counts_only_orders_of_one_customer(self, place, settings, make_shopper):
        configure(settings, "RISK", max_orders=1)
        assert [place(of=make_shopper()).state for _ in range(3)] == ["pending"] * 3

    def test_counts_cancels(self, place, shopper, settings, now):
        configure(settings, "RISK", max_cancels=1)
        for _ in range(2):
            cancel_order(customer=shopper.principal, order_id=place().pk, now=now)
        assert place().state == "held"
        assert Review.objects.get().rule == "cancels"

    def test_does_not_count_the_value_of_cancelled_orders(self, place, shopper, settings, now):
        configure(settings, "RISK", max_value=Decimal("20.00"))
        cancel_order(customer=shopper.principal, order_id=place().pk, now=now)
        assert [place().state for _ in range(2)] == ["pending", "held"]

    def test_does_not_apply_to_a_repeated_request(self, place, settings):
        first = place(key="k")
        configure(settings, "RISK", max_value=Decimal("0.01"))
        assert (place(key="k").pk, place(key="k").state) == (first.pk, "pending")

    def test_counts_orders_that_are_placed_at_the_same_time(self, shopper, coin, now, settings):
        configure(settings, "RISK", max_orders=3)

        def order(_):
            try:
                order_request = OrderRequest(coin_name="ABAN", amount=None, total=Decimal("1.00"))
                return place_order(buyer=shopper.principal, order_request=order_request, now=now).order.state
            finally:
                connection.close()

        assert sorted(at_once(8, order)) == ["aggregated"] * 3 + ["held"] * 5


class TestHeldOrders:
    def test_are_not_claimed(self, held, coin, now, settings):
        configure(settings, "SETTLEMENT", sweep_after=timedelta(0))
        sweep(now=now + timedelta(hours=2))
        assert not ProcrastinateJob.objects.exists()
        assert claim_waiting_orders(coin_id=coin.pk, now=now + timedelta(hours=2)) is None
        held.refresh_from_db()
        assert held.state == "held"

    def test_cannot_be_cancelled_by_the_customer(self, held, shopper, now):
        with pytest.raises(OrderNotCancellable):
            cancel_order(customer=shopper.principal, order_id=held.pk, now=now)
        assert shopper.wallet.balance == 88

    def test_show_their_state_and_not_the_rule(self, api, held, shopper):
        answer = api("GET", f"orders/{held.pk}/", by=shopper).json()
        assert (answer["state"], answer["reason"], answer["pool"]) == ("held", "under_review", None)
        assert api("GET", "orders/?state=held", by=shopper).json() == [answer]

    def test_have_the_time_of_holding(self, held):
        with (
            by_owner(),
            pytest.raises(IntegrityError, match="held_orders_say_since_when"),
            transaction.atomic(),
        ):
            Order.objects.filter(pk=held.pk).update(held_at=None)


class TestRelease:
    def test_makes_a_large_order_pending(self, held, staff, now):
        order = release_within_transaction(order_id=held.pk, decided_by=staff, note="known customer", now=now)
        assert (order.state, order.reason) == ("pending", None)
        assert ProcrastinateJob.objects.count() == 1
        review = Review.objects.get()
        assert (review.decision, review.decided_by, review.note) == ("released", staff, "known customer")
        assert claim_waiting_orders(coin_id=held.coin_id, now=now).orders_count == 1

    def test_puts_a_small_order_into_its_pool(self, place, settings, staff, now):
        configure(settings, "RISK", max_value=Decimal("1.00"))
        held = place("2.00")
        later = now + timedelta(hours=3)
        order = release_within_transaction(order_id=held.pk, decided_by=staff, note="fine", now=later)
        assert (order.state, order.settle_by) == ("aggregated", later + settings.POOLS.max_age)
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": Decimal("2.00")}

    @pytest.mark.parametrize(("price", "outcome"), [("4.80", "pending"), ("4.81", "refunded"), ("3.19", "refunded")])
    def test_refunds_when_the_price_has_moved_too_far(self, held, staff, shopper, now, price, outcome):
        make_coin("ABAN", price)
        order = release_within_transaction(order_id=held.pk, decided_by=staff, note="fine", now=now)
        assert order.state == outcome
        if outcome == "refunded":
            assert (order.reason, shopper.wallet.balance) == ("price_moved", 100)
            assert Review.objects.get().decision == "refunded"
        assert verify_everything() == []

    def test_is_refused_without_a_current_price(self, held, staff, coin, now):
        coin.fixed_price = None
        coin.save()
        with by_owner():
            coin.current_price.delete()
        from wallets.runtime.redis_store import with_redis

        with_redis(lambda redis: redis.flushall())
        with pytest.raises(PriceUnavailable):
            release_within_transaction(order_id=held.pk, decided_by=staff, note="fine", now=now)
        assert Review.objects.get().decision is None


class TestManyHolds:
    """One customer must not fill the queue of reviews."""

    @pytest.fixture(autouse=True)
    def every_order_is_held(self, settings):
        configure(settings, "RISK", max_value=Decimal("0.01"), max_held=2)

    def test_refuse_a_further_order_and_leave_no_trace(self, place, shopper):
        for _ in range(2):
            place("1.00")
        with pytest.raises(TooManyHeld):
            place("1.00")
        assert (Order.objects.count(), Review.objects.count(), shopper.wallet.balance) == (2, 2, 98)
        assert verify_everything() == []

    def test_are_counted_whatever_their_age(self, place, now):
        for _ in range(2):
            place("1.00", at=now - timedelta(days=3))
        with pytest.raises(TooManyHeld):
            place("1.00")

    def test_do_not_refuse_orders_that_break_no_rule(self, place, settings):
        for _ in range(2):
            place("1.00")
        configure(settings, "RISK", max_value=Decimal(1000))
        assert place("1.00").state == "aggregated"

    def test_of_another_customer_do_not_count(self, place, make_shopper):
        for _ in range(2):
            place("1.00")
        assert place("1.00", of=make_shopper()).state == "held"

    def test_end_with_a_decision(self, place, staff, now):
        first = place("1.00")
        place("1.00")
        refund_within_transaction(order_id=first.pk, decided_by=staff, note="fine", now=now)
        assert place("1.00").state == "held"

    def test_are_counted_exactly_when_orders_arrive_at_once(self, shopper, coin, now):
        def order(_):
            order_request = OrderRequest(coin_name="ABAN", amount=None, total=Decimal("1.00"))
            try:
                return place_order(buyer=shopper.principal, order_request=order_request, now=now).order.state
            except TooManyHeld:
                return "refused"

        assert sorted(at_once(8, order)) == ["held"] * 2 + ["refused"] * 6
        assert Order.objects.count() == 2

    def test_do_not_refuse_a_repeated_request(self, place):
        first = place("1.00", key="k")
        place("1.00")
        assert place("1.00", key="k").pk == first.pk

    def test_are_a_403_over_http(self, api, place, shopper):
        for _ in range(2):
            place("1.00")
        answer = api("POST", "orders/", {"crypto": "ABAN", "total": "1.00"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (403, "too_many_held")


class TestOwnOrder:
    """Nobody decides about their own order, whatever their permissions."""

    @pytest.mark.parametrize("decide", [release_within_transaction, refund_within_transaction])
    def test_is_decided_by_others(self, held, shopper, now, decide):
        with pytest.raises(OwnOrder):
            decide(order_id=held.pk, decided_by=shopper.user, note="it is fine", now=now)
        held.refresh_from_db()
        assert (held.state, Review.objects.get().decision, shopper.wallet.balance) == ("held", None, 88)
        assert not ProcrastinateJob.objects.exists()

    def test_cannot_be_decided_in_the_admin(self, held, shopper, client):
        give_powers_before_the_rule(shopper.user)
        client.force_login(let_do_everything(shopper.user))
        fields = {"action": "release", "_selected_action": [held.pk], "reason": "it is fine"}
        page = client.post("/admin/trading/review/", fields, follow=True).content.decode()
        assert "Nobody decides about their own order" in page
        assert Review.objects.get().decision is None

    def test_is_a_rule_of_the_database(self, held, shopper, now):
        decided = {"decision": "released", "decided_by": shopper.user, "decided_at": now, "note": "it is fine"}
        with pytest.raises(IntegrityError, match="nobody_decides_about_their_own_order"), transaction.atomic():
            Review.objects.filter(order=held).update(**decided)
        other = User.objects.create_user("other")
        with (
            by_owner(),
            pytest.raises(IntegrityError, match="nobody_decides_about_their_own_order"),
            transaction.atomic(),
        ):
            Review.objects.filter(order=held).update(customer=other, **decided)
        assert Review.objects.get().decision is None

    def test_is_known_by_its_review(self, held, shopper):
        assert Review.objects.get().customer_id == shopper.user.pk

    def test_in_a_batch_stops_interventions(self, place, shopper, coin, now, staff):
        place()
        batch = claim_waiting_orders(coin_id=coin.pk, now=now)
        intervention = {"batch": batch, "reason": "mine", "now": now}
        with pytest.raises(InterventionRefused, match="order of yours"):
            request_intervention(action=InterventionAction.REFUND, requested_by=shopper.user, **intervention)
        with pytest.raises(IntegrityError, match="nobody_decides_about_their_own_orders"), transaction.atomic():
            Intervention.objects.create(
                batch=batch, action="refund", reason="mine", requested_by=shopper.user, requested_at=now
            )
        assert not Intervention.objects.exists()
        request_intervention(action=InterventionAction.LOOK_UP, requested_by=shopper.user, **intervention)
        request_intervention(action=InterventionAction.REFUND, requested_by=staff, **intervention)

    @pytest.mark.parametrize("frozen", [True, False])
    def test_is_not_the_only_thing_nobody_decides_about(self, shopper, frozen):
        shopper.user.wallets.update(frozen=not frozen)
        with pytest.raises(OwnAccount):
            kind = FREEZE if frozen else UNFREEZE
            kind.check(payload=kind.payload_of(owner_id=shopper.user.pk), asked_by=shopper.user)
        assert shopper.wallet.frozen is not frozen


class TestRefund:
    def test_returns_the_charge_even_to_a_frozen_customer(self, held, staff, shopper, now):
        shopper.user.wallets.update(frozen=True)
        order = refund_within_transaction(order_id=held.pk, decided_by=staff, note="stolen card", now=now)
        assert (order.state, order.reason, shopper.wallet.balance) == ("refunded", "refused_after_review", 100)
        assert (Review.objects.get().decision, Review.objects.get().note) == ("refunded", "stolen card")
        assert verify_everything() == []


class TestDecidingTwice:
    @pytest.mark.parametrize("first", [release_within_transaction, refund_within_transaction])
    @pytest.mark.parametrize("second", [release_within_transaction, refund_within_transaction])
    def test_one_after_the_other_has_one_effect(self, held, staff, now, first, second):
        state = first(order_id=held.pk, decided_by=staff, note="first", now=now).state
        with pytest.raises(OrderNotHeld):
            second(order_id=held.pk, decided_by=staff, note="second", now=now)
        held.refresh_from_db()
        assert (held.state, Review.objects.get().note) == (state, "first")

    def test_at_once_has_one_effect(self, place, settings, staff, shopper, now):
        configure(settings, "RISK", max_value=Decimal("11.99"))
        for _ in range(5):
            held = place()

            def decide(number, held=held):
                try:
                    call = release_within_transaction if number % 2 else refund_within_transaction
                    call(order_id=held.pk, decided_by=staff, note=f"by {number}", now=now)
                except OrderNotHeld:
                    return 0
                else:
                    return 1
                finally:
                    connection.close()

            assert sum(at_once(8, decide)) == 1
            held.refresh_from_db()
            review = Review.objects.get(order=held)
            assert {"released": "pending", "refunded": "refunded"}[review.decision] == held.state
        pending = Order.objects.filter(state="pending").count()
        assert ProcrastinateJob.objects.count() == pending
        assert shopper.wallet.balance == 100 - 12 * pending
        assert verify_everything() == []

    def test_a_decision_needs_a_person_and_a_note(self, held, now):
        with pytest.raises(IntegrityError, match="decisions_have_somebody"), transaction.atomic():
            Review.objects.filter(order=held).update(decision="released", decided_at=now)
