"""Settlement from waiting orders to delivered coins, step by step in this process, against the exchange simulator."""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from model_bakery import baker
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import Attempt, AttemptState, Batch, BatchState
from settlement.services import claiming, outcomes, sending
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import take_next_step
from settlement.venues.protocol import Executed, NotPlaced
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.settlement.conftest import attempts, batches, end_pauses, new_venue, states
from trading.exceptions import OrderNotCancellable
from trading.models import Order, OrderState
from trading.pools import read_counters
from trading.services.cancelling import cancel_order
from trading.services.coins import save_coin
from trading.services.settling import ClaimLimits, claim_orders
from wallets.models import Transaction, Wallet, WalletRole
from wallets.runtime import clock
from wallets.services.ledger.crediting import OrderCredit, refund_customers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]


def inventory():
    return Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance


class TestLargeOrders:
    def test_are_bought_and_delivered(self, place, settle, shopper, simulator):
        order = place("60.00")
        assert settle().state == BatchState.SETTLED
        order.refresh_from_db()
        assert (order.state, shopper.holding("ABAN")) == (OrderState.COMPLETED, order.amount)
        [bought] = simulator.book("ABAN")
        # The order needs 15 coins, and the venue keeps a commission of 0.1 % of the bought coins.
        assert (bought["executedQty"], bought["clientOrderId"]) == ("15.02", attempts()[0].client_order_id)
        assert inventory() == Decimal("15.02") - Decimal("0.01502") - 15

    def test_that_wait_together_are_bought_in_one_purchase(self, place, settle, simulator):
        for _ in range(4):
            place("12.00")
        assert settle().orders_count == 4
        assert (states(), len(simulator.book())) == ([OrderState.COMPLETED] * 4, 1)

    def test_lose_their_claim_jobs_when_claimed(self, place, claim):
        place("12.00")
        place("13.00")
        claim()
        assert list(ProcrastinateJob.objects.values_list("task_name", flat=True)) == ["settlement.settle_batch"]

    def test_use_the_surplus_of_the_last_purchase_first(self, place, settle, simulator, venue):
        place("60.00")
        settle()
        place("40.00")
        settle()
        first, second = simulator.book("ABAN")
        surplus = Decimal(first["executedQty"]) * Decimal("0.999") - 15
        assert (
            Decimal(second["executedQty"])
            >= (10 - surplus) / Decimal("0.999")
            > Decimal(second["executedQty"]) - Decimal("0.01")
        )

    def test_are_delivered_from_inventory_when_it_suffices(self, place, settle, claim, simulator):
        place("4.00")
        Order.objects.update(settle_by="2000-01-01T00:00Z")
        settle()
        assert inventory() > Decimal("0.2"), "the purchase was as large as the venue's minimum notional"
        place("0.40")
        Order.objects.filter(state="aggregated").update(settle_by="2000-01-01T00:00Z")
        assert claim().state == BatchState.SETTLED
        assert (states(), len(simulator.book())) == ([OrderState.COMPLETED] * 2, 1)

    @pytest.mark.parametrize(("price", "is_delivered"), [("3.82", True), ("3.60", False), ("0.05", False)])
    def test_at_a_fixed_price_far_below_its_cost_are_not_delivered_from_inventory(
        self, place, settle, claim, simulator, coin, price, is_delivered
    ):
        place("4.00")
        Order.objects.update(settle_by="2000-01-01T00:00Z")
        settle()
        stock = inventory()
        coin.fixed_price = Decimal(price)
        save_coin(coin=coin)
        placed = place("0.40" if Decimal(price) > 1 else "0.01")
        assert placed.amount < stock
        Order.objects.filter(state="aggregated").update(settle_by="2000-01-01T00:00Z")
        batch = claim()
        assert batch.state == (BatchState.SETTLED if is_delivered else BatchState.OPEN)
        assert states() == ["completed", "completed" if is_delivered else "settling"]
        assert inventory() == stock - (placed.amount if is_delivered else 0)
        assert batch.attempts.count() == (0 if is_delivered else 1)

    def test_wait_while_an_attempt_is_in_flight(self, place, claim, venue, simulator):
        place("12.00")
        first = claim()
        place("13.00")
        assert claim() is None
        assert ProcrastinateJob.objects.filter(task_name="settlement.claim_waiting_orders").count() == 0
        take_next_step(batch_id=first.pk, get_venue=lambda _: venue)
        assert ProcrastinateJob.objects.filter(task_name="settlement.claim_waiting_orders").count() == 1, (
            "the end of the attempt requests a claim"
        )
        assert claim().orders_count == 1

    def test_delivered_from_inventory_leave_a_claim_for_the_rest(self, place, settle, claim, settings):
        place("4.00")
        Order.objects.update(settle_by="2000-01-01T00:00Z")
        settle()
        configure(settings, "SETTLEMENT", batch_max_orders=1)
        configure(settings, "POOLS", threshold=Decimal("0.10"))
        for _ in range(2):
            place("0.20")
        claim()
        assert states() == ["completed", "completed", "pending"]
        assert ProcrastinateJob.objects.filter(task_name="settlement.claim_waiting_orders").count() == 1

    def test_beyond_a_batchs_maximum_wait_for_the_next_claim(self, place, claim, settings):
        configure(settings, "SETTLEMENT", batch_max_orders=2)
        for _ in range(3):
            place("12.00")
        assert claim().orders_count == 2
        assert states() == ["settling", "settling", "pending"]


class TestPools:
    def test_are_bought_in_one_purchase_when_full(self, place, settle, claim, simulator, make_shopper):
        other = make_shopper()
        for total in ("2.00", "3.00", "4.00"):
            place(total)
        assert claim() is None
        place("2.00", of=other)
        assert settle().orders_count == 4
        assert (states(), len(simulator.book())) == ([OrderState.COMPLETED] * 4, 1)
        assert other.holding("ABAN") == Decimal("0.5")
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": 0}

    def test_are_claimed_after_their_counter_was_lost(self, place, claim):
        place("6.00")
        from wallets.runtime.redis_store import with_redis

        with_redis(lambda client: client.flushall())
        place("5.00")
        assert claim().orders_count == 2

    def test_counters_are_corrected_by_a_claim_that_finds_a_pool_not_full(self, place, claim):
        place("6.00")
        from wallets.runtime.redis_store import with_redis

        with_redis(lambda client: client.set("pool:ABAN", 999_999))
        assert claim() is None
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": Decimal("6.00")}

    def test_are_bought_at_settle_by(self, place, claim, now, settings, simulator, venue):
        place("1.00")
        batch = claim(now + settings.POOLS.max_age)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == [OrderState.COMPLETED]
        assert Decimal(simulator.book()[0]["executedQty"]) * 4 >= 5, "topped up to the venue's minimum notional"

    def test_are_refunded_at_settle_by_if_the_coins_policy_says_so(self, place, claim, now, settings, coin, shopper):
        coin.pool_policy = "refund"
        coin.save()
        place("1.00")
        assert claim(now + settings.POOLS.max_age).state == BatchState.REFUNDED
        assert (states(), shopper.wallet.balance) == ([OrderState.REFUNDED], Decimal(100))

    def test_do_not_include_cancelled_orders(self, place, claim, shopper, now):
        first = place("6.00")
        place("6.00")
        cancel_order(customer=shopper.principal, order_id=first.pk, now=now)
        assert claim() is None
        place("6.00")
        assert claim().orders_count == 2


def test_cancelling_an_order_that_is_being_claimed_is_refused_at_once(place, coin, shopper, now):
    order = place("60.00")
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        batch = baker.make(Batch, coin=coin)
        claim_orders(coin_id=coin.pk, batch_id=batch.pk, limits=ClaimLimits(most=10, with_pool=False), now=now)

        def cancel():
            try:
                cancel_order(customer=shopper.principal, order_id=order.pk, now=now)
            finally:
                connection.close()

        with pytest.raises(OrderNotCancellable):
            pool.submit(cancel).result(timeout=30)
    assert (states(), shopper.wallet.balance) == (["settling"], 40)


def test_a_claim_skips_an_order_that_is_being_cancelled(place, claim, coin):
    doomed, other = place("60.00"), place("12.00")
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Order.objects.select_for_update().get(pk=doomed.pk)

        def run():
            try:
                return claim()
            finally:
                connection.close()

        assert pool.submit(run).result(timeout=30).orders_count == 1
    other.refresh_from_db()
    assert other.state == "settling"


class TestClaimsThatWaitForTheSameCoin:
    """Claims in one process, while another connection holds the coin's lock, as a booking does."""

    @pytest.fixture
    def claims_at_once(self, claim, coin, monkeypatch):
        def run(*, meanwhile, count=5):
            begun = []
            real = claiming.lock_inventory
            monkeypatch.setattr(claiming, "lock_inventory", lambda **of: begun.append(1) or real(**of))

            def elsewhere(call):
                try:
                    return call()
                finally:
                    connection.close()

            with ThreadPoolExecutor(count + 1) as pool:
                with transaction.atomic():
                    real(asset=coin.name)
                    results = [pool.submit(elsewhere, claim) for _ in range(count)]
                    time.sleep(0.5)
                    pool.submit(elsewhere, meanwhile).result()
                wait(results)
            return results, len(begun)

        return run

    def test_make_one_claim_that_includes_orders_placed_meanwhile(self, place, claims_at_once):
        place("12.00")
        results, begun = claims_at_once(meanwhile=lambda: place("13.00"))
        assert [result.result().orders_count for result in results if result.result()] == [2]
        assert begun == 1

    def test_fail_together_and_can_be_repeated(self, place, claims_at_once, claim, monkeypatch):
        place("12.00")
        fails = lambda **_: 1 / 0  # noqa: E731  a stand-in
        with monkeypatch.context() as patched:
            results, _ = claims_at_once(meanwhile=lambda: patched.setattr(claiming, "read_waiting_orders", fails))
        assert {type(result.exception()) for result in results} == {ZeroDivisionError}
        assert claim().orders_count == 1


class TestRefusals:
    def test_refund_the_orders(self, place, settle, simulator, shopper):
        simulator.fail({"on": "place", "action": "reject"})
        order = place("60.00")
        assert settle().state == BatchState.REFUNDED
        order.refresh_from_db()
        assert (order.state, order.reason) == (OrderState.REFUNDED, "refused_by_the_exchange")
        assert (shopper.wallet.balance, shopper.holding("ABAN"), simulator.book()) == (100, 0, [])

    def test_are_no_lists_that_lack_the_coin(self, place, venue, shopper, now):
        unlisted = make_coin("NOLIST", "4.00")
        place("60.00", crypto="NOLIST")
        batch = claim_waiting_orders(coin_id=unlisted.pk, now=now)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        assert (batch.state, states()) == (BatchState.OPEN, [OrderState.SETTLING])
        assert shopper.wallet.balance == 40

    @pytest.mark.parametrize(
        "rule",
        [
            {"action": "rate_limit"},
            {"action": "reject", "code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
        ],
    )
    def test_that_are_temporary_lead_to_another_attempt_with_a_new_id(self, place, settle, simulator, rule, venue):
        simulator.fail({"on": "place", "times": 1, **rule})
        place("60.00")
        batch = settle()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        first, second = attempts()
        assert (first.excused, second.state) == (True, AttemptState.NEW), "the venue is paused"
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        first, second = attempts()
        assert (first.state, second.state) == (AttemptState.NOT_PLACED, AttemptState.FILLED)
        assert first.client_order_id != second.client_order_id
        assert (batch.state, len(simulator.book())) == (BatchState.SETTLED, 1)

    def test_that_do_not_end_park_the_batch(self, place, settle, simulator, settings):
        configure(settings, "SETTLEMENT", max_attempts=3)
        simulator.fail({"on": "place", "action": "reject", "code": -1013, "msg": "Filter failure: LOT_SIZE"})
        place("60.00")
        batch = settle(steps=4)
        assert (batch.state, states()) == (BatchState.PARKED, [OrderState.SETTLING])
        assert [attempt.state for attempt in attempts()] == [AttemptState.NOT_PLACED] * 3

    def test_a_price_beyond_the_bound_lets_the_batch_wait(self, place, settle, simulator):
        simulator.set_prices(ABAN="4.30")
        place("60.00")
        assert settle().state == BatchState.OPEN
        assert (simulator.book(), states()) == ([], [OrderState.SETTLING])

    def test_commission_in_a_third_asset_parks_the_batch(self, place, settle, simulator):
        simulator.set_account(balances={"BNB": "1000"}, commission_asset="BNB")
        place("60.00")
        assert settle().state == BatchState.PARKED
        assert attempts()[0].reason == "commission in BNB"

    def test_commission_in_dollars_is_part_of_the_cost(self, place, settle, simulator):
        simulator.set_account(commission_asset="USDT")
        place("60.00")
        assert settle().state == BatchState.SETTLED
        cost = Transaction.objects.get(kind="fill_cost").amount
        assert cost == Decimal("15.02") * 4 * Decimal("1.001")


class TestPartialFills:
    def test_complete_whole_orders_and_buy_the_missing_coins_again(self, place, settle, simulator):
        simulator.fail({"on": "place", "action": "partial", "fraction": "0.5", "times": 1})
        for _ in range(4):
            place("12.00")
        settle()
        assert states() == ["completed", "completed", "settling", "settling"]
        take_next_step(batch_id=batches()[0].pk, get_venue=lambda _: new_venue())
        assert states() == ["completed"] * 4
        assert [attempt.state for attempt in attempts()] == [AttemptState.FILLED] * 2

    def test_of_no_coins_park_the_batch_after_three_attempts(self, place, settle, simulator):
        simulator.fail({"on": "place", "action": "partial", "fraction": "0"})
        place("60.00")
        batch = settle(steps=4)
        assert [attempt.state for attempt in attempts()] == [AttemptState.EMPTY] * 3
        assert batch.state == BatchState.PARKED

    def test_split_a_purchase_beyond_the_venues_maximum(self, place, settle, simulator):
        simulator._put("/control/filters", {"ABANUSDT": {"maximum": "8"}})
        place("30.00")
        place("30.00")
        settle(steps=3)
        assert states() == ["completed"] * 2
        assert [order["origQty"] for order in simulator.book()] == ["8", "7.02"]

    def test_complete_an_order_after_many_purchases(self, place, settle, simulator, settings):
        configure(settings, "SETTLEMENT", max_attempts=2)
        simulator._put("/control/filters", {"ABANUSDT": {"maximum": "2"}})
        place("60.00")
        assert settle(steps=8).state == BatchState.SETTLED
        assert len(simulator.book()) == 8

    def test_a_filter_failure_makes_the_next_attempt_read_the_filters_again(self, place, settle, simulator):
        place("12.00")
        settle()
        simulator._put("/control/filters", {"ABANUSDT": {"step": "2", "minimum": "2"}})
        place("12.00")
        batch = settle(steps=2)
        assert (batch.state, attempts()[1].state) == (BatchState.SETTLED, AttemptState.NOT_PLACED)


class TestLostAnswers:
    @pytest.mark.parametrize("action", ["accept_then_drop", "accept_then_500", "garbage", "accept_then_hang"])
    def test_are_found_and_booked_once(self, place, settle, simulator, settings, action, shopper):
        configure(settings, "VENUE", read_timeout_seconds=0.5)
        simulator.fail({"on": "place", "action": action, "times": 1, "wait": 1})
        order = place("60.00")
        batch = settle()
        assert (batch.state, attempts()[0].state) == (BatchState.OPEN, AttemptState.SENT)
        assert ProcrastinateJob.objects.filter(task_name="settlement.settle_batch", scheduled_at__isnull=False).exists()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        order.refresh_from_db()
        assert (order.state, shopper.holding("ABAN"), len(simulator.book())) == ("completed", order.amount, 1)
        assert attempts()[0].lookups == 1

    def test_are_not_taken_as_not_placed_before_the_window_has_passed(self, place, settle, simulator, settings):
        configure(settings, "SETTLEMENT", not_found_times=1)
        simulator.fail({"on": "place", "action": "drop", "times": 1})
        place("60.00")
        settle(steps=3)
        [attempt] = attempts()
        assert (attempt.state, attempt.lookups, attempt.not_found) == (AttemptState.SENT, 2, 0)

    def test_are_taken_as_not_placed_after_the_window_and_several_lookups(self, place, settle, simulator, settings):
        configure(settings, "VENUE", recv_window=timedelta(seconds=0.5))
        configure(settings, "SETTLEMENT", not_found_margin=timedelta(0), not_found_times=3)
        simulator.fail({"on": "place", "action": "drop", "times": 1})
        place("60.00")
        batch = settle(steps=2)
        assert attempts()[0].not_found == 0
        time.sleep(0.6)
        for _ in range(2):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        assert (attempts()[0].state, attempts()[0].not_found) == (AttemptState.SENT, 2)
        for _ in range(2):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        first, second = attempts()
        assert (first.state, second.state, len(simulator.book())) == (
            AttemptState.NOT_PLACED,
            AttemptState.FILLED,
            1,
        )

    def test_are_not_resolved_by_a_lookup_without_an_answer(self, place, settle, simulator):
        simulator.fail(
            {"on": "place", "action": "accept_then_drop", "times": 1},
            {"on": "query", "action": "drop", "times": 1},
        )
        place("60.00")
        batch = settle(steps=2)
        assert attempts()[0].state == AttemptState.SENT
        take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        assert states() == ["completed"]

    def test_to_questions_before_sending_leave_the_attempt_new(self, place, claim, venue, simulator):
        place("60.00")
        batch = claim()
        simulator.fail({"action": "down"})
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert attempts()[0].state == AttemptState.NEW
        simulator.fail()
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]


class TestRunningTwice:
    def test_an_order_has_one_outcome_in_the_ledger(self, place, settle, shopper):
        """Besides the checks of states, a unique reference enforces it."""
        order = place("60.00")
        settle()
        credit = OrderCredit(order_id=order.pk, customer_id=shopper.user.pk, amount=order.charge)
        with pytest.raises(IntegrityError, match="reference"), transaction.atomic():
            refund_customers(credits_=[credit], now=order.created_at)

    def test_a_coin_has_one_attempt_in_flight(self, place, claim, coin, now):
        """Besides the lock on the coin's inventory, a unique index enforces it."""
        place("60.00")
        batch = claim()
        with pytest.raises(IntegrityError, match="one_attempt_in_flight_per_coin"), transaction.atomic():
            Attempt.objects.create(batch=batch, coin=coin, number=2, next_step_at=now, created_at=now)

    def test_a_booking_counts_once(self, place, settle, venue, shopper):
        order = place("60.00")
        settle()
        [attempt] = attempts()
        again = Executed(
            venue_order_id="1",
            status="closed",
            final=True,
            quantity=Decimal("15.02"),
            cost=Decimal(60),
            commission=Decimal(0),
        )
        outcomes.book_execution(attempt=attempt, execution=again)
        outcomes.end_refused(attempt=attempt, from_state=AttemptState.SENT, reason="late")
        outcomes.end_not_placed(attempt=attempt, answer=NotPlaced(reason="late"))
        outcomes.presume_not_placed(attempt=attempt, reason="late")
        outcomes.park(attempt=attempt, from_state=AttemptState.SENT, reason="late")
        order.refresh_from_db()
        assert (order.state, shopper.holding("ABAN"), len(attempts())) == ("completed", order.amount, 1)
        assert attempts()[0].state == AttemptState.FILLED

    def test_an_attempt_is_sent_once(self, place, claim, venue, simulator):
        place("60.00")
        claim()
        [attempt] = attempts()
        attempt.quantity, attempt.limit_price = Decimal("15.02"), Decimal("4.1")
        first = sending._commit_to_sending(attempt, offset=timedelta(0), asks={})
        second = sending._commit_to_sending(attempt, offset=timedelta(0), asks={})
        assert first is not None
        assert second is None

    def test_a_step_of_a_settled_batch_does_nothing(self, place, settle, venue, simulator):
        place("60.00")
        batch = settle(steps=3)
        assert (batch.state, len(simulator.book())) == (BatchState.SETTLED, 1)


def test_no_connection_is_held_while_the_venue_is_asked(place, claim, venue, simulator, monkeypatch):
    held = []
    for name in ("read_rules", "read_ask", "read_time", "buy"):
        inner = getattr(venue, name)

        def watched(*args, inner=inner, **kwargs):
            held.append(connection.connection is not None)
            return inner(*args, **kwargs)

        monkeypatch.setattr(venue, name, watched)
    place("60.00")
    take_next_step(batch_id=claim().pk, get_venue=lambda _: venue)
    assert held == [False] * 4


def test_claiming_and_booking_take_a_constant_number_of_statements(place, make_shopper, claim, venue, monkeypatch):
    from django.test.utils import CaptureQueriesContext

    # A connection opened more than a second after the last measurement measures the clock: one more statement.
    monkeypatch.setattr(clock, "_MEASURE_ON_CONNECT_SECONDS", 3600)
    counts = []
    for orders in (2, 8):
        for _ in range(orders):
            place("12.00", of=make_shopper())
        with CaptureQueriesContext(connection) as claiming:
            batch = claim()
        with CaptureQueriesContext(connection) as settling:
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        counts.append((len(claiming), len(settling)))
    assert counts[0] == counts[1]
    assert verify_everything() == []
