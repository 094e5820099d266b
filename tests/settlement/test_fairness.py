"""Who is bought first: what the venue's account can pay, small orders beside large ones, and long backlogs."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from model_bakery import baker

from settlement.clock import database_now
from settlement.models import IN_FLIGHT, Attempt, AttemptState, Batch, BatchState, Pause, VenueAccount
from settlement.services.account_feed import read_account
from settlement.services.claiming import claim_waiting_orders
from settlement.services.funding import read_available, record_funds
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import at_once, wait_for
from tests.settlement.conftest import attempts, end_pauses, states
from trading.exceptions import OrderNotCancellable
from trading.models import Order
from trading.services.cancelling import cancel_order
from wallets.models import Wallet, WalletRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance", "unlimited")]


@pytest.fixture
def unlimited(settings):
    """No order is held for review."""
    configure(settings, "RISK", max_orders=10**6, max_value=Decimal(10**9))


@pytest.fixture
def rich(make_shopper):
    return make_shopper("1000000.00")


@pytest.fixture
def buy(place, rich):
    """Place an order by total for a rich customer."""
    return lambda total, **more: place(total, of=rich, **more)


@pytest.fixture
def fund(simulator, venue):
    """Leave the account at the venue with so much, and read it."""

    def run(free):
        simulator.set_account(balances={"USDT": free})
        read_account(venue=venue, now=database_now())

    return run


@pytest.fixture
def work(coin, venue):
    """Do what workers do, until `done` or nothing can be done."""

    def run(done=lambda: False, *, most=40):
        for _ in range(most):
            if done():
                return
            batch_id = Attempt.objects.filter(coin=coin, state__in=IN_FLIGHT).values_list("batch_id", flat=True).first()
            if batch_id:
                take_next_step(batch_id=batch_id, get_venue=lambda _: venue)
                continue
            before = (Attempt.objects.count(), Batch.objects.exclude(closed_at=None).count())
            claim_waiting_orders(coin_id=coin.pk, now=database_now())
            if before == (Attempt.objects.count(), Batch.objects.exclude(closed_at=None).count()):
                return

    return run


def state_of(order):
    return Order.objects.get(pk=order.pk).state


def delivered_equals_bought():
    bought = sum((each.executed - each.commission for each in attempts()), Decimal(0))
    delivered = sum(Order.objects.filter(state="completed").values_list("amount", flat=True), Decimal(0))
    return bought == delivered + Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance


class TestFunds:
    def test_that_do_not_pay_an_order_pay_the_smaller_ones_behind_it(self, buy, fund, work, rich):
        fund("1000")
        large, small, other = buy("5000.00"), buy("12.00"), buy("12.00")
        work()
        assert [state_of(order) for order in (large, small, other)] == ["pending", "completed", "completed"]
        [concern] = [each for each in list_to_do(now=timezone.now()) if each.kind is ConcernKind.FLOAT]
        assert "one of 5000.00 USD" in concern.reason
        assert delivered_equals_bought()
        cancel_order(customer=rich.principal, order_id=large.pk)
        assert state_of(large) == "cancelled"

    def test_pay_the_order_that_was_passed_over_before_later_ones(self, buy, fund, work):
        passed = buy("500.00")
        fund("300")
        first = buy("200.00")
        work()
        assert (state_of(passed), state_of(first)) == ("pending", "completed")
        later = buy("200.00")
        fund("600")
        claim_waiting_orders(coin_id=passed.coin_id, now=database_now())
        assert (state_of(passed), state_of(later)) == ("settling", "pending")
        work(lambda: state_of(passed) == "completed")
        assert state_of(later) == "pending"

    def test_are_filled_with_whole_orders_behind_one_that_does_not_fit(self, buy, fund, work):
        fund("1000")
        placed = [buy(total) for total in ("600.00", "500.00", "300.00", "200.00")]
        claim_waiting_orders(coin_id=placed[0].coin_id, now=database_now())
        # 600 and 300 may cost 945.95, and 5 more for the venue's filters; the other two fit neither with nor after them.
        assert [state_of(order) for order in placed] == ["settling", "pending", "settling", "pending"]
        assert round(Attempt.objects.get().budget, 2) == Decimal("950.95")

    def test_are_set_aside_for_one_coin_and_missing_for_another(self, buy, fund, work, coin, simulator, venue):
        simulator.set_prices(BETA="4.00")
        beta = make_coin("BETA", "4.00")
        fund("1000")
        first, second = buy("600.00"), buy("600.00", crypto="BETA")
        claim_waiting_orders(coin_id=coin.pk, now=database_now())
        assert claim_waiting_orders(coin_id=beta.pk, now=database_now()) is None
        assert (state_of(first), state_of(second)) == ("settling", "pending")
        work(lambda: state_of(first) == "completed")
        assert claim_waiting_orders(coin_id=beta.pk, now=database_now()) is None, "the purchase was paid since"
        fund("1000")
        batch = claim_waiting_orders(coin_id=beta.pk, now=database_now())
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert state_of(second) == "completed"

    def test_are_set_aside_once_by_claims_at_the_same_time(self, buy, fund, simulator):
        coins = [make_coin(name, "4.00") for name in ("BETA", "CETA", "DETA")]
        fund("1000")
        for each in coins:
            buy("600.00", crypto=each.name)
        at_once(3, lambda number: claim_waiting_orders(coin_id=coins[number].pk, now=database_now()))
        assert Attempt.objects.filter(state__in=IN_FLIGHT).count() == 1
        assert read_available(venue="binance", now=database_now()) < 400

    def test_come_back_when_an_attempt_ends_without_a_purchase(self, buy, fund, work, simulator):
        fund("1000")
        buy("600.00")
        simulator.fail({"on": "place", "action": "reject"})
        work()
        assert states() == ["refunded"]
        assert read_available(venue="binance", now=database_now()) == 1000

    def test_that_are_unknown_or_known_no_longer_leave_the_venue_to_refuse(self, buy, simulator, work, settings):
        simulator.set_account(balances={"USDT": "100"})
        record_funds(
            venue="binance",
            free=Decimal(50),
            read_at=database_now() - settings.SETTLEMENT.float_max_age - timedelta(seconds=1),
        )
        buy("600.00")
        work(most=1)
        assert attempts()[0].budget is None  # nothing is set aside; the fence sets it when it is sent
        work(most=1)
        assert attempts()[0].state == AttemptState.NOT_PLACED
        assert Pause.objects.get().reason.endswith("insufficient balance for requested action.")

    def test_that_shrank_after_a_batch_was_made_pay_the_whole_orders_that_fit(self, buy, fund, simulator, work, coin):
        simulator.set_account(balances={"USDT": "100"})
        placed = [buy(total) for total in ("60.00", "50.00", "30.00")]
        work(most=2)
        assert states() == ["settling"] * 3
        end_pauses()
        Attempt.objects.filter(state="new").update(state="not_placed", ended_at=timezone.now(), excused=True)
        fund("100")
        work()
        assert [state_of(order) for order in placed] == ["completed", "settling", "completed"]
        fund("100")
        work()
        assert (states(), Batch.objects.get().state) == (["completed"] * 3, BatchState.SETTLED)
        assert delivered_equals_bought()

    @pytest.mark.parametrize("free", ["-1", "NaN", "1e30", None])
    def test_that_are_no_plausible_number_change_nothing(self, fund, venue, monkeypatch, free):
        fund("1000")
        answer = {} if free is None else {"USDT": {"free": free}}
        monkeypatch.setattr(venue._client, "fetch_balance", lambda: answer)
        read_account(venue=venue, now=database_now())
        assert VenueAccount.objects.get().free == 1000

    def test_read_earlier_do_not_replace_a_later_reading(self, coin, now):
        record_funds(venue="binance", free=Decimal(5), read_at=now)
        record_funds(venue="binance", free=Decimal(9), read_at=now - timedelta(seconds=1))
        assert VenueAccount.objects.get().free == 5

    def test_are_not_negative_and_budgets_are_positive(self, coin, now):
        record_funds(venue="binance", free=Decimal(50), read_at=now)
        batch = baker.make(Batch, coin=coin)
        for rows, change in (
            (VenueAccount.objects, {"free": -1}),
            (VenueAccount.objects, {"short_at": now}),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**change)
        of_nothing = {"batch": batch, "coin": coin, "number": 1, "next_step_at": now, "created_at": now, "budget": 0}
        with pytest.raises(IntegrityError), transaction.atomic():
            Attempt.objects.create(**of_nothing)
        batch.delete()

    def test_that_are_short_are_no_lost_job_to_the_sweep(self, buy, fund, work, now, caplog):
        fund("1000")
        buy("5000.00")
        work()
        sweep(now=database_now() + timedelta(seconds=30))
        assert "wait without a job" not in caplog.text


class TestOrdersOfDifferentSizes:
    def test_share_no_batch(self, buy, coin):
        placed = [buy(total) for total in ("5000.00", "12.00", "60.00", "250.00")]
        claim_waiting_orders(coin_id=coin.pk, now=database_now())
        assert [state_of(order) for order in placed] == ["settling", "pending", "pending", "pending"]

    def test_let_a_small_one_pass_while_a_large_one_is_bought_piece_by_piece(self, buy, work, simulator):
        simulator.fail({"on": "place", "action": "partial", "depth": "50"})
        large = buy("5000.00")
        work(lambda: len(simulator.book()) == 5)
        small = buy("12.00")
        work(lambda: state_of(small) == "completed")
        assert state_of(large) == "settling"
        assert len(simulator.book()) <= 5 + 4
        work(lambda: state_of(large) == "completed")
        assert delivered_equals_bought()

    def test_keep_no_large_one_waiting_for_ever_behind_small_ones(self, buy, work, simulator):
        simulator.fail({"on": "place", "action": "partial", "depth": "50"})
        large = buy("1000.00")
        for _ in range(20):
            if state_of(large) == "completed":
                break
            buy("12.00")
            work(most=2)
        assert state_of(large) == "completed"

    def test_let_a_small_one_pass_while_the_attempt_of_a_large_one_waits(self, buy, work, coin):
        large = buy("5000.00")
        claim_waiting_orders(coin_id=coin.pk, now=database_now())
        later = database_now() + timedelta(minutes=5)
        Attempt.objects.update(next_step_at=later)
        small = buy("12.00")
        claim_waiting_orders(coin_id=coin.pk, now=database_now())
        work(lambda: state_of(small) == "completed")
        assert (state_of(large), state_of(small)) == ("settling", "completed")
        assert Batch.objects.get(pk=Order.objects.get(pk=large.pk).batch_id).resume_at == later
        Batch.objects.filter(state="open").update(resume_at=database_now())
        work()
        assert state_of(large) == "completed"


class TestPartialFills:
    def test_complete_later_orders_that_fit_and_the_earlier_one_next(self, buy, work, simulator):
        simulator.fail({"on": "place", "action": "partial", "depth": "8", "times": 1})
        placed = [buy(total) for total in ("60.00", "12.00", "48.00", "12.00", "12.00")]
        work(lambda: len(simulator.book()) == 1 and not Attempt.objects.filter(state="sent").exists())
        assert [state_of(order) for order in placed] == ["settling", "completed", "settling", "completed", "settling"]
        work()
        assert set(states()) == {"completed"}
        assert delivered_equals_bought()


class TestUnclearPurchase:
    @pytest.fixture
    def unclear(self, buy, work, simulator, coin):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1}, {"on": "query", "action": "down"})
        first = buy("12.00")
        work(lambda: Attempt.objects.filter(state="sent").exists())
        return first

    def test_is_the_reason_of_orders_in_it_and_behind_it(self, unclear, buy, api, rich, work, simulator):
        behind, pooled = buy("13.00"), buy("2.00")
        for order in (unclear, behind, pooled):
            assert api("GET", f"orders/{order.pk}/", by=rich).json()["reason"] == "venue_unclear"
        assert {order["reason"] for order in api("GET", "orders/", by=rich).json()} == {"venue_unclear"}
        simulator.fail()
        work()
        assert api("GET", f"orders/{unclear.pk}/", by=rich).json()["reason"] is None
        assert api("GET", f"orders/{behind.pk}/", by=rich).json()["state"] == "completed"
        assert {order["reason"] for order in api("GET", "orders/", by=rich).json()} == {None}

    def test_lets_only_orders_that_no_batch_has_taken_be_cancelled(self, unclear, buy, rich):
        behind, pooled = buy("13.00"), buy("2.00")
        for order in (behind, pooled):
            cancel_order(customer=rich.principal, order_id=order.pk)
            assert Order.objects.get(pk=order.pk).reason == "cancelled_by_customer"
        with pytest.raises(OrderNotCancellable):
            cancel_order(customer=rich.principal, order_id=unclear.pk)
        assert state_of(unclear) == "settling"

    def test_is_no_matter_of_other_coins(self, unclear, api, rich, buy):
        make_coin("BETA", "4.00")
        other = buy("12.00", crypto="BETA")
        assert api("GET", f"orders/{other.pk}/", by=rich).json()["reason"] is None


_BACKLOG = """
WITH shopper AS (
    UPDATE wallets_wallet SET balance = balance - 12 * %(count)s WHERE owner_id = %(customer)s AND asset = 'USD'
    RETURNING id, balance
), placed AS (
    INSERT INTO trading_order (customer_id, coin_id, amount, price, price_source, price_at, total_price, state,
                               is_aggregated, created_at)
    SELECT %(customer)s, %(coin)s, 3, 4.00, 'test', now(), 12.00, 'pending', false, now()
      FROM generate_series(1, %(count)s)
    RETURNING id
)
INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id,
                                 balance_after, created_at)
SELECT 'USD', 12, shopper.id, clearing.id, 'purchase', 'order:' || placed.id || ':charge', placed.id, %(customer)s,
       shopper.balance + 12 * (%(count)s - row_number() OVER (ORDER BY placed.id)), now()
  FROM placed, shopper, wallets_wallet clearing
 WHERE clearing.owner_id IS NULL AND clearing.role = 'clearing' AND clearing.asset = 'USD'
 ORDER BY placed.id
"""


class TestBacklog:
    def test_of_twenty_thousand_in_a_thin_market_delays_an_order_by_few_purchases(
        self, rich, buy, work, coin, simulator
    ):
        depth, ahead, behind = 4000, 20_000, 5000
        simulator.fail({"on": "place", "action": "partial", "depth": str(depth)})
        place_many(ahead, by=rich, coin=coin)
        last = buy("12.00")
        place_many(behind, by=rich, coin=coin)
        work(lambda: state_of(last) == "completed", most=200)
        assert state_of(last) == "completed"
        assert len(simulator.book()) <= Decimal("1.5") * (ahead * 3 / Decimal(depth))
        run_as_owner("ANALYZE trading_order, wallets_transaction")  # the books are checked at the end


def place_many(count, *, by, coin):
    if count:
        with connection.cursor() as cursor:
            cursor.execute(_BACKLOG, {"count": count, "customer": by.user.pk, "coin": coin.pk})


class TestWorker:
    def test_delivers_small_orders_beside_a_large_one_that_cannot_be_paid_until_the_float_comes(
        self, buy, simulator, venue, make_worker
    ):
        simulator.set_account(balances={"USDT": "1000"})
        read_account(venue=venue, now=database_now())  # and not counted, so the large order is taken
        large, small = buy("5000.00"), buy("12.00")
        make_worker(EXCHANGE_URL=simulator.url, FLOAT_REFRESH_CRON="* * * * * *")
        wait_for(lambda: state_of(small) == "completed", seconds=30)
        assert state_of(large) == "pending"
        simulator.set_account(balances={"USDT": "6000"})
        wait_for(lambda: state_of(large) == "completed", seconds=30)
        assert verify_everything() == []
