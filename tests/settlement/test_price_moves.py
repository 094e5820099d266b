"""Orders that wait while the market moves: refunded alone after a rise, and given back what a fall saves."""

import random
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from model_bakery import baker

from settlement.models import Attempt, AttemptState, Batch, BatchState, InterventionAction, Pause
from settlement.selectors.batches import sum_purchases
from settlement.services.asking import is_past_its_window
from settlement.services.claiming import claim_waiting_orders
from settlement.services.funding import record_funds
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import Figures, request_intervention
from settlement.services.outcomes import presume_not_placed
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt.markets import markets
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from tests.settlement.conftest import end_pauses, states
from tests.trading.test_price_rules import add_rule
from trading.models import CoinPrice, Order, PoolPolicy
from trading.pools import read_counters
from trading.rounding import rebate_for
from trading.services.asked_orders import OrderRequest
from trading.services.coins import save_coin
from trading.services.placing import place_order
from trading.services.prices import record_price
from wallets.models import Transaction, Wallet, WalletRole
from wallets.runtime import clock
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]


def sold_at_market(name, price, **fields):
    """Make a coin with a market price and a spread of 0.5 %, which no longer has the fixed price it began with."""
    coin = make_coin(name, price, **fields)
    coin.fixed_price = None
    save_coin(coin=coin)
    add_rule(coin=coin)
    return coin


@pytest.fixture
def coin(db):
    """The coin ABAN with a market price of 4.00 and a spread of 0.5 %."""
    return sold_at_market("ABAN", "4.00")


@pytest.fixture
def buy(coin, shopper):
    def by_total(total, *, of=None, crypto="ABAN"):
        order_request = OrderRequest(coin_name=crypto, total=Decimal(total))
        return place_order(buyer=(of or shopper).principal, order_request=order_request).order

    return by_total


@pytest.fixture
def market(venue, simulator, coin):
    """Move the venue's price, and with `is_read` the price that we have read."""

    def move(price, *, is_read=False):
        simulator.set_prices(ABAN=price)
        if is_read:
            record_price(coin=coin, value=venue.read_ask(coin="ABAN"), source="test", now=clock.database_now())

    return move


def grow_old(*orders):
    """Let orders, or all, have been placed half an hour ago."""
    chosen = [order.pk for order in orders] or list(Order.objects.values_list("pk", flat=True))
    run_as_owner(
        f"UPDATE trading_order SET price_at = price_at - interval '30 minutes' WHERE id IN ({','.join(map(str, chosen))})"
    )


@pytest.fixture
def claim(coin):
    return lambda: claim_waiting_orders(coin_id=coin.pk, now=clock.database_now())


def step(batch, venue):
    take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
    batch.refresh_from_db()


def reasons():
    return list(Order.objects.order_by("id").values_list("state", "reason"))


BOUGHT = ("completed", None)
MOVED = ("refunded", "price_moved")


class TestARise:
    def test_before_the_claim_refunds_the_old_order_alone(self, buy, market, claim, venue, shopper):
        grow_old(buy("20.00"))
        market("4.08", is_read=True)
        buy("20.00")
        step(claim(), venue)
        assert reasons() == [MOVED, BOUGHT]
        assert shopper.wallet.balance == 100 - Order.objects.last().charge
        assert Transaction.objects.filter(kind="refund").get().amount == Order.objects.first().charge

    def test_before_the_send_refunds_the_old_order_alone(self, buy, market, claim, venue):
        old, new = buy("20.00"), buy("20.00")
        grow_old(old)
        batch = claim()
        market("4.08")
        step(batch, venue)
        assert reasons() == [MOVED, ("settling", None)], "the ask is beyond the other one's bound too, but it is new"
        assert Attempt.objects.get().state == AttemptState.NEW
        market("4.02")
        step(batch, venue)
        assert reasons() == [MOVED, BOUGHT]
        assert Order.objects.get(pk=new.pk).rebate == 0

    def test_below_the_bound_refunds_nobody(self, buy, market, claim, venue):
        buy("20.00")
        grow_old()
        market("4.04", is_read=True)  # 1 %, of which half is the spread
        step(claim(), venue)
        assert reasons() == [BOUGHT]
        assert Attempt.objects.get().cost / Attempt.objects.get().executed < Order.objects.get().price * Decimal("1.01")

    def test_does_not_stop_a_batch_because_of_the_price_of_one_cent_of_coins(
        self, buy, market, claim, venue, shopper, coin
    ):
        dust = place_order(
            buyer=shopper.principal, order_request=OrderRequest(coin_name="ABAN", amount=Decimal("0.0001"))
        ).order
        Order.objects.filter(pk=dust.pk).update(settle_by=clock.now())
        # As if it had been placed before a rise. A price that was just read is kept for a moment.
        run_as_owner(f"UPDATE trading_order SET market_price = 3.80, price = 3.82 WHERE id = {dust.pk}")
        buy("20.00")
        grow_old()
        batch = claim()
        assert batch.orders_count == 2
        step(batch, venue)
        assert reasons() == [BOUGHT, BOUGHT], "for a cent, so little costs less at any of these prices"

    def test_refunds_a_whole_batch_and_closes_it(self, buy, market, claim, venue, shopper):
        buy("20.00")
        buy("30.00")
        grow_old()
        batch = claim()
        market("4.15")
        step(batch, venue)
        assert (reasons(), batch.state, shopper.wallet.balance) == ([MOVED, MOVED], BatchState.REFUNDED, 100)
        assert Attempt.objects.get().state == AttemptState.NOT_PLACED
        step(batch, venue)
        assert Transaction.objects.filter(kind="refund").count() == 2

    def test_refunds_nobody_while_a_purchase_may_have_been_executed(self, buy, market, claim, venue, simulator):
        buy("20.00")
        grow_old()
        batch = claim()
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        step(batch, venue)
        assert Attempt.objects.get().state == AttemptState.SENT
        market("4.15")
        step(batch, venue)
        assert reasons() == [BOUGHT], "it was bought before the rise"

    def test_refunds_nobody_after_a_denial_that_is_still_rechecked(self, buy, market, claim, venue):
        buy("20.00")
        grow_old()
        batch = claim()
        deny_first_purchase(batch)
        market("4.15")
        step(batch, venue)
        assert states() == ["settling"]
        assert not Transaction.objects.filter(kind="refund").exists()

    def test_refunds_once_when_claims_and_steps_run_at_once(self, buy, market, coin, shopper, make_shopper):
        others = [make_shopper() for _ in range(3)]
        for other in others:
            buy("20.00", of=other)
        grow_old()
        market("4.15", is_read=True)
        at_once(4, lambda _: claim_waiting_orders(coin_id=coin.pk, now=clock.database_now()))
        assert reasons() == [MOVED] * 3
        assert [other.wallet.balance for other in others] == [100] * 3
        assert not Batch.objects.exists()

    def test_refunds_no_order_from_before_price_rules(self, buy, market, claim, venue):
        buy("20.00")
        grow_old()
        run_as_owner("UPDATE trading_order SET market_price = NULL, spread_rate = NULL, price_rule_id = NULL")
        market("4.15", is_read=True)
        step(claim(), venue)
        assert reasons() == [BOUGHT], "MAX_LOSS alone bounds it"

    def test_that_is_not_believed_refunds_nobody(self, buy, market, claim, venue):
        buy("20.00")
        grow_old()
        batch = claim()
        market("40.00")
        step(batch, venue)
        assert states() == ["settling"]
        assert not Transaction.objects.filter(kind="refund").exists()

    def test_that_only_staff_can_accept_refunds_the_old_order(self, buy, market, claim, venue, shopper):
        buy("20.00")
        grow_old()
        batch = claim()
        for _ in range(3):
            market("6.00", is_read=True)
        assert CoinPrice.objects.get().suspended_at
        step(batch, venue)
        assert (reasons(), batch.state, shopper.wallet.balance) == ([MOVED], BatchState.REFUNDED, 100)

    def test_refunds_nobody_while_the_readings_say_something_else(self, buy, market, claim, venue):
        buy("20.00")
        grow_old()
        batch = claim()
        for _ in range(3):
            market("6.00", is_read=True)
        market("7.00")
        step(batch, venue)
        assert states() == ["settling"]
        assert not Transaction.objects.filter(kind="refund").exists()

    def test_refunds_a_backlog_in_parts(self, buy, market, claim, monkeypatch):
        monkeypatch.setattr("trading.services.price_moves._MOST_AT_ONCE", 1)
        buy("20.00")
        buy("20.00")
        grow_old()
        market("4.15", is_read=True)
        assert claim() is None
        assert reasons() == [MOVED, ("pending", None)]
        assert claim() is None
        assert reasons() == [MOVED, MOVED]


class TestAPriceThatIsNotBelieved:
    """Nothing is bought until the wait is over. The venue refuses nothing: the price has moved."""

    @pytest.fixture
    def batch(self, buy, claim):
        buy("20.00")
        return claim()

    @pytest.fixture
    def end_the_wait(self, batch, venue, settings):
        def run():
            step(batch, venue)
            assert states() == ["settling"]
            configure(settings, "TO_DO", settling_limit=timedelta(0))
            Pause.objects.all().delete()
            step(batch, venue)

        return run

    def test_refunds_with_price_moved_after_a_fall_of_90_percent(self, market, end_the_wait, shopper):
        for _ in range(3):
            market("0.40", is_read=True)
        assert CoinPrice.objects.get().suspended_at
        end_the_wait()
        assert (reasons(), shopper.wallet.balance) == ([MOVED], 100)

    def test_refunds_with_price_moved_before_any_reading_has_seen_the_fall(self, market, end_the_wait):
        market("0.40")
        end_the_wait()
        assert reasons() == [MOVED]

    def test_refunds_with_price_moved_if_the_suspended_coin_has_no_ask_at_all(self, market, end_the_wait, simulator):
        for _ in range(3):
            market("0.40", is_read=True)
        simulator.set_status(ABAN="BREAK")
        markets.forget()
        end_the_wait()
        assert reasons() == [MOVED]

    def test_is_no_matter_of_a_market_that_is_closed(self, end_the_wait, simulator):
        simulator.set_status(ABAN="BREAK")
        markets.forget()
        end_the_wait()
        assert reasons() == [("refunded", "refused_by_the_exchange")]


class TestAMovedOrderWhileAnEarlierPurchaseIsInDoubt:
    """Two orders in one batch: the older one has moved, the other one has not. The first purchase is still rechecked."""

    @pytest.fixture
    def orders(self, buy, market):
        """Two orders of a batch; at an ask of 4.08 only the second may still be bought."""
        old = buy("20.00")
        market("4.04", is_read=True)
        new = buy("30.00")
        grow_old(old)
        return old, new

    @pytest.fixture
    def batch(self, orders, claim):
        batch = claim()
        assert batch.orders_count == 2
        deny_first_purchase(batch)
        return batch

    def test_is_left_aside_and_the_others_are_bought(self, orders, batch, market, venue):
        old, new = orders
        market("4.08")
        step(batch, venue)
        assert reasons() == [("settling", None), BOUGHT]
        _, bought, _ = Attempt.objects.order_by("number")
        assert new.amount <= bought.executed - bought.commission < new.amount + Decimal("0.02")
        assert bought.budget < new.subtotal * Decimal("1.06") + settings.SETTLEMENT.max_top_up
        assert Decimal("4.08") <= bought.limit_price <= new.price * Decimal("1.01")
        assert old.price * Decimal("1.01") < bought.limit_price
        assert not Transaction.objects.filter(kind="refund").exists()

    def test_is_bought_when_the_ask_comes_back(self, batch, market, venue):
        market("4.08")
        step(batch, venue)
        step(batch, venue)
        assert (reasons(), batch.state) == ([("settling", None), BOUGHT], BatchState.OPEN)
        market("4.02")
        step(batch, venue)
        assert (reasons(), batch.state) == ([BOUGHT, BOUGHT], BatchState.SETTLED)

    def test_is_refunded_when_the_doubt_ends(self, orders, batch, market, venue, shopper):
        market("4.08")
        step(batch, venue)
        step(batch, venue)
        Attempt.objects.update(recheck_at=None)
        step(batch, venue)
        assert (reasons(), batch.state) == ([MOVED, BOUGHT], BatchState.REFUNDED)
        assert shopper.wallet.balance == 100 - orders[1].charge
        assert not Attempt.objects.filter(state__in=["new", "sent"]).exists()

    def test_is_named_on_the_to_do_page_and_not_parked_meanwhile(self, batch, market, venue, settings):
        market("4.08")
        step(batch, venue)
        configure(settings, "TO_DO", settling_limit=timedelta(0))
        step(batch, venue)
        last = Attempt.objects.order_by("number").last()
        assert (batch.state, last.state, reasons()[0]) == (BatchState.OPEN, AttemptState.NEW, ("settling", None))
        assert last.next_step_at > clock.now(), "it is not tried without end"
        [concern] = [row for row in list_to_do(now=clock.now()) if row.kind is ConcernKind.WAITING]
        assert f"batch {batch.pk}" in concern.subject
        assert "until an earlier purchase is no longer in doubt" in concern.reason
        Attempt.objects.update(recheck_at=None)
        step(batch, venue)
        assert (reasons()[0], batch.state) == (MOVED, BatchState.REFUNDED)

    def test_keeps_no_order_of_another_batch_waiting(self, batch, market, venue, buy, claim):
        market("4.08", is_read=True)
        step(batch, venue)
        step(batch, venue)
        Attempt.objects.filter(state=AttemptState.NEW).update(next_step_at=clock.now() + timedelta(minutes=1))
        buy("20.00")
        other = claim()
        step(other, venue)
        assert (reasons(), other.state) == ([("settling", None), BOUGHT, BOUGHT], BatchState.SETTLED)
        Batch.objects.update(resume_at=None)
        claim()
        market("4.02")
        step(batch, venue)
        assert (reasons()[0], batch.state) == (BOUGHT, BatchState.SETTLED)

    def test_gets_nothing_of_a_reserve_that_suffices_for_the_others(
        self, buy, market, claim, venue, simulator, settings
    ):
        configure(settings, "SETTLEMENT", max_top_up=Decimal(100))
        simulator.set_filters("ABAN", step="8")
        buy("14.00")
        step(claim(), venue)  # leaves four and a half coins in inventory
        simulator.set_filters("ABAN", step="0.01")
        markets.forget()
        old = buy("12.00")
        market("4.04", is_read=True)
        buy("14.00")
        grow_old(old)
        batch = claim()
        assert 4 < batch.reserved < 5
        deny_first_purchase(batch)
        market("4.08")
        step(batch, venue)
        assert reasons()[1:] == [("settling", None), BOUGHT]
        assert len(simulator.book()) == 1
        Attempt.objects.update(recheck_at=None)
        step(batch, venue)
        assert reasons()[1:] == [MOVED, BOUGHT]

    @pytest.fixture
    def lost(self, orders, claim, market, venue, simulator, settings):
        """The first purchase, which the venue has filled and denies. The second has bought the order that can pay."""
        configure(settings, "VENUE", recv_window=timedelta(seconds=0.5))
        configure(settings, "SETTLEMENT", not_found_margin=timedelta(0), not_found_times=1)
        denials = [{"on": on, "action": "not_found", "symbol": "ABANUSDT"} for on in ("query", "list", "trades")]
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1}, *denials)
        batch = claim()
        step(batch, venue)
        first = Attempt.objects.select_related("batch").get()
        wait_for(lambda: is_past_its_window(attempt=first), seconds=10)
        step(batch, venue)
        assert (batch.denials, Attempt.objects.count()) == (1, 2)
        market("4.08")
        step(batch, venue)
        assert reasons() == [("settling", None), BOUGHT]
        return first

    def test_is_delivered_if_the_purchase_in_doubt_turns_up(self, lost, venue, simulator):
        simulator.fail()
        recheck_attempt(attempt_id=lost.pk, get_venue=lambda _: venue)
        lost.batch.refresh_from_db()
        assert (reasons(), lost.batch.state, len(simulator.book())) == ([BOUGHT, BOUGHT], BatchState.SETTLED, 2)

    def test_is_looked_for_again_before_the_venue_can_refuse_it(self, lost, market, venue, simulator):
        market("4.02")
        simulator.fail({"on": "place", "action": "reject"})
        step(lost.batch, venue)
        assert (reasons(), lost.batch.state, len(simulator.book())) == ([BOUGHT, BOUGHT], BatchState.SETTLED, 2)
        assert not Transaction.objects.filter(kind="refund").exists()

    def test_is_refunded_without_a_doubt_and_a_new_one_beyond_its_bound_is_left_aside(
        self, buy, market, claim, venue, make_shopper
    ):
        """Without a doubt: the old one is refunded, the new one waits until its price is no longer valid."""
        old, _ = buy("20.00"), buy("20.00", of=make_shopper())
        market("4.04", is_read=True)
        buy("30.00")
        grow_old(old)
        batch = claim()
        market("4.08")
        step(batch, venue)
        assert reasons() == [MOVED, ("settling", None), BOUGHT]
        grow_old()
        step(batch, venue)
        assert (reasons(), batch.state) == ([MOVED, MOVED, BOUGHT], BatchState.REFUNDED)


def deny_first_purchase(batch):
    """Let the batch's first purchase have been sent and denied, and be rechecked still; begin its second attempt."""
    now = clock.now()
    Attempt.objects.filter(batch=batch).update(
        state=AttemptState.NOT_PLACED,
        signed_at=now,
        valid_until=now,
        quantity=5,
        limit_price=4,
        ended_at=now,
        recheck_at=now + timedelta(hours=1),
    )
    Attempt.objects.create(batch=batch, coin=batch.coin, number=2, next_step_at=now, created_at=now)


class TestAPool:
    def test_that_is_no_longer_due_stays_pooled(self, buy, market, claim, shopper):
        old = buy("6.00")
        grow_old(old)
        market("4.15", is_read=True)
        buy("6.00")
        assert claim() is None
        assert reasons() == [MOVED, ("aggregated", None)]
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": Order.objects.last().subtotal}
        assert not Batch.objects.exists()

    def test_that_is_still_due_is_bought(self, buy, market, claim, venue):
        grow_old(buy("6.00"))
        market("4.15", is_read=True)
        buy("6.00")
        buy("6.00")
        step(claim(), venue)
        assert reasons() == [MOVED, BOUGHT, BOUGHT]
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": 0}

    def test_that_has_not_come_together_keeps_the_order(self, buy, market, claim):
        buy("6.00")
        grow_old()
        market("4.15", is_read=True)
        assert claim() is None
        assert states() == ["aggregated"], "the market may come back before the pool is due"

    def test_waits_again_if_it_is_no_longer_due_before_the_send(self, buy, market, claim, venue):
        old, new = buy("6.00"), buy("6.00")
        grow_old(old)
        batch = claim()
        market("4.08")
        step(batch, venue)
        assert reasons() == [MOVED, ("aggregated", None)]
        assert Order.objects.get(pk=new.pk).batch_id is None
        assert batch.state == BatchState.REFUNDED
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": new.subtotal}
        buy("6.00")
        market("4.00")
        step(claim(), venue)
        assert reasons() == [MOVED, BOUGHT, BOUGHT]

    def test_is_bought_early_as_soon_as_it_would_lose(self, buy, market, venue, claim):
        settle_by = buy("6.00").settle_by
        market("4.01", is_read=True)
        sweep(now=clock.database_now())
        assert Order.objects.get().settle_by == settle_by, "half of the spread is left"
        market("4.025", is_read=True)
        sweep(now=clock.database_now())
        assert Order.objects.get().settle_by < settle_by
        step(claim(), venue)
        assert reasons() == [BOUGHT]

    def test_that_staff_want_refunded_is_not_bought_early(self, buy, market, coin):
        coin.pool_policy = PoolPolicy.REFUND
        save_coin(coin=coin)
        settle_by = buy("6.00").settle_by
        market("4.10", is_read=True)
        sweep(now=clock.database_now())
        assert Order.objects.get().settle_by == settle_by

    def test_loses_fewer_than_one_in_a_hundred_orders_to_a_market_of_100_percent_a_year(self):
        """Orders that join at random and wait up to an hour; the sweep looks every 15 seconds. Arithmetic only."""
        chance, bound, even = random.Random(20), 1.005 * 1.01, 1.005
        deviation = (15 / (365 * 86400)) ** 0.5
        refunded = refunded_without_hurry = 0
        for _ in range(4000):
            market, is_bought = 1.0, False
            for _ in range(chance.randint(1, 240)):
                market *= 1 + chance.gauss(0, deviation)
                if not is_bought and market > even:
                    refunded += market > bound
                    is_bought = True
            refunded_without_hurry += market > bound
        assert refunded < 4
        assert refunded_without_hurry > 40, "what is bought only after its hour loses more than one in a hundred"


class TestAFall:
    def test_gives_back_what_it_saved_beyond_the_spread(self, buy, market, claim, venue, shopper):
        order = buy("60.00")
        before = shopper.wallet.balance
        market("3.80", is_read=True)
        step(claim(), venue)
        attempt, done = Attempt.objects.get(), Order.objects.get()
        cost = attempt.cost * order.amount / (attempt.executed - attempt.commission)
        assert done.rebate == rebate_for(subtotal=order.subtotal, cost=cost, spread_rate=Decimal("0.005"))
        assert Decimal("2.90") < done.rebate < Decimal("3.10"), "5 % of 60.00"
        assert shopper.wallet.balance == before + done.rebate
        booked = Transaction.objects.get(kind="price_improvement")
        assert (booked.reference, booked.amount) == (f"order:{order.pk}:rebate", done.rebate)
        assert (booked.source.role, booked.destination) == ("clearing", shopper.wallet)
        assert (done.price, done.subtotal, done.charge) == (order.price, order.subtotal, order.charge)

    def test_is_shown_to_the_customer(self, buy, market, claim, venue, shopper, api):
        order = buy("60.00")
        assert api("GET", f"orders/{order.pk}/", by=shopper).json()["rebate"] == "0.00"
        market("3.80")
        step(claim(), venue)
        rebate = Order.objects.get().rebate
        assert api("GET", f"orders/{order.pk}/", by=shopper).json()["rebate"] == f"{rebate}"
        improved = api("GET", "transactions/", by=shopper).json()[0]
        assert (improved["kind"], improved["type"], improved["amount"]) == (
            "price_improvement",
            "deposit",
            f"{rebate}",
        )
        assert improved["order_id"] == order.pk

    def test_of_less_than_two_percent_gives_nothing_back(self, buy, market, claim, venue):
        buy("60.00")
        market("3.93")
        step(claim(), venue)
        assert (states(), Order.objects.get().rebate) == (["completed"], 0)
        assert not Transaction.objects.filter(kind="price_improvement").exists()

    def test_gives_nothing_back_from_inventory_that_cost_more(self, buy, market, claim, venue, simulator):
        simulator.set_filters("ABAN", step="1")
        buy("14.00")
        step(claim(), venue)  # leaves half a coin in inventory, at 4.00 a coin
        buy("1.50")
        market("3.80", is_read=True)
        Order.objects.filter(state="aggregated").update(settle_by=clock.now())
        claim()
        assert states() == ["completed", "completed"]
        assert Attempt.objects.count() == 1
        assert not Transaction.objects.filter(kind="price_improvement").exists()

    @pytest.mark.parametrize(
        ("total", "purchases"), [("70.00", 2), ("60.00", 1)], ids=["with a purchase", "from stock"]
    )
    def test_gives_away_nothing_that_inventory_has_gained(
        self, buy, market, claim, venue, simulator, settings, total, purchases
    ):
        configure(settings, "SETTLEMENT", max_top_up=Decimal(100))
        simulator.set_filters("ABAN", step="20")
        market("3.85", is_read=True)
        buy("14.00")
        step(claim(), venue)  # leaves sixteen coins in inventory, at 3.85 a coin
        simulator.set_filters("ABAN", step="0.01")
        markets.forget()
        market("4.00", is_read=True)
        buy(total)
        step(claim(), venue)  # buys nothing if stock suffices
        assert states() == ["completed", "completed"]
        assert Attempt.objects.filter(state=AttemptState.FILLED).count() == purchases
        assert Order.objects.last().rebate == 0, "the market has not fallen since"

    def test_beyond_what_is_believed_gives_nothing_back_until_two_persons_say_so(
        self, buy, market, claim, venue, simulator, shopper, admin_user
    ):
        """A cost of a wrong scale would give nearly all orders their dollars back, with their coins."""
        buy("60.00")
        cheap = {"cummulativeQuoteQty": {"times": "0.5"}, "fills.*.price": {"times": "0.5"}}
        simulator.fail({"on": "place", "action": "lie", "changes": cheap})
        batch = claim()
        step(batch, venue)
        assert (states(), shopper.wallet.balance) == (["settling"], Decimal("40.00"))
        assert Attempt.objects.get().reason == "cost 29.86 for 14.93, at least 47.776"
        said = {"cummulativeQuoteQty": {"times": "0.5"}}
        simulator.fail(
            {"on": "query", "action": "lie", "changes": said},
            {"on": "trades", "action": "lie", "changes": {"*.price": {"times": "0.5"}, "*.quoteQty": {"times": "0.5"}}},
        )

        def decide(action, figures=None):
            wanted = request_intervention(
                batch=batch,
                action=action,
                reason="so on the venue's pages",
                requested_by=admin_user,
                now=clock.database_now(),
                figures=figures,
            )
            carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
            wanted.refresh_from_db()
            return wanted.outcome, wanted.detail

        assert "if the venue's own pages say so too, mark it as filled" in decide(InterventionAction.LOOK_UP)[1]
        assert states() == ["settling"]
        figures = Figures(quantity=Decimal("14.93"), cost=Decimal("29.86"), commission=Decimal("0.01493"))
        assert decide(InterventionAction.MARK_FILLED, figures)[0] == "done"
        assert states() == ["completed"]
        assert Order.objects.get().rebate == 30

    def test_gives_nothing_back_of_a_fixed_price(self, market, claim, venue, coin, buy):
        coin.fixed_price = Decimal("4.00")
        save_coin(coin=coin)
        buy("60.00")
        market("3.80")
        step(claim(), venue)
        assert (states(), Order.objects.get().rebate) == (["completed"], 0)

    def test_lets_the_limit_follow_the_ask(self, buy, market, claim, venue):
        buy("60.00")
        market("3.40")
        step(claim(), venue)
        attempt = Attempt.objects.get()
        assert Decimal("3.40") < attempt.limit_price <= Decimal("3.45"), "BUY_SLACK above the ask, far below the price"
        assert states() == ["completed"]

    def test_is_shared_to_the_cent_by_the_orders_of_a_batch(self, buy, market, claim, venue, make_shopper):
        for total in ("11.11", "23.45", "37.77"):
            buy(total, of=make_shopper())
        market("3.80")
        step(claim(), venue)
        attempt = Attempt.objects.get()
        for order in Order.objects.all():
            cost = attempt.cost * order.amount / (attempt.executed - attempt.commission)
            assert abs(order.rebate - (order.subtotal - cost * Decimal("1.005"))) <= Decimal("0.01")

    def test_cannot_be_told_of_an_order_that_is_not_completed(self, buy):
        buy("60.00")
        with pytest.raises(DatabaseError, match="a_rebate_is_part_of_what_a_completed_order_paid"):
            Order.objects.update(rebate=Decimal("1.00"))

    def test_that_the_ledger_does_not_know_is_a_violation(self, buy, market, claim, venue):
        buy("60.00")
        market("3.80")
        step(claim(), venue)
        rebate = Order.objects.get().rebate
        Order.objects.update(rebate=0)
        assert {violation.rule for violation in verify_everything()} == {3, 5}
        Order.objects.update(rebate=rebate)


def put_in_stock(coin, quantity, *, price):
    """Put coins into inventory that no batch has bought, as adopting an unknown order does."""
    coins, each, now = Decimal(quantity), Decimal(price), clock.database_now()
    attempt = baker.make(
        Attempt,
        coin=coin,
        state=AttemptState.FILLED,
        quantity=coins,
        limit_price=each,
        budget=coins * each,
        executed=coins,
        cost=coins * each,
        signed_at=now,
        valid_until=now,
        ended_at=now,
    )
    with transaction.atomic():
        lock_inventory(asset=coin.name)
        reference = f"attempt:{attempt.client_order_id}"
        book_fill(venue="", asset=coin.name, cost=coins * each, quantity=coins, reference=reference, now=now)


class TestAFallBetweenTwoPurchases:
    """The rebate goes by all purchases of the batch whose coins an order gets, not by the last one."""

    @pytest.fixture
    def fill(self, simulator):
        """Let the venue fill only a part of the next purchase."""
        return lambda fraction: simulator.fail({"on": "place", "action": "partial", "fraction": fraction, "times": 1})

    @pytest.fixture
    def cheap_reserve(self, coin):
        """Coins that cost half as much, which a batch holds that waits for staff: they lower the average cost."""
        baker.make(Batch, coin=coin, state=BatchState.PARKED, reserved=100, reason="for staff")
        put_in_stock(coin, "100", price="2.00")

    def test_is_given_back_although_the_last_coins_were_dear(self, buy, market, claim, venue, fill):
        order = buy("60.00")
        market("3.80", is_read=True)
        fill("0.9")
        batch = claim()
        step(batch, venue)
        assert states() == ["settling"]
        market("3.96")
        step(batch, venue)
        bought, done = sum_purchases(batch_id=batch.pk), Order.objects.get()
        cost = bought.cost * order.amount / bought.received
        assert done.rebate == rebate_for(subtotal=order.subtotal, cost=cost, spread_rate=Decimal("0.005"))
        assert Decimal("2.60") < done.rebate < Decimal("2.90"), "5 % of nine tenths, and 1 % of the last one"

    def test_is_given_back_although_inventory_completes_the_order(self, buy, market, claim, venue, fill, coin):
        order = buy("60.00")
        market("3.80", is_read=True)
        fill("0.999")
        batch = claim()
        put_in_stock(coin, "1", price="4.00")
        step(batch, venue)
        assert (batch.state, batch.reason, states()) == (BatchState.SETTLED, "from_inventory", ["completed"])
        assert Decimal("2.00") < Order.objects.get().rebate < Decimal("3.10"), "the coin in inventory was dearer"
        assert Order.objects.get().charge == order.charge

    def test_is_given_back_when_the_purchase_turns_up_late(self, buy, market, claim, venue, simulator):
        buy("60.00")
        market("3.80", is_read=True)
        batch = claim()
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        step(batch, venue)
        attempt = Attempt.objects.get()
        presume_not_placed(attempt=attempt, reason="given up")
        recheck_attempt(attempt_id=attempt.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]
        assert Decimal("2.90") < Order.objects.get().rebate < Decimal("3.10")

    def test_is_not_invented_by_a_cheap_last_purchase(self, buy, market, claim, venue, fill, cheap_reserve):
        buy("60.00")
        fill("0.9")
        batch = claim()
        step(batch, venue)
        market("3.80")
        step(batch, venue)
        assert states() == ["completed"]
        assert Order.objects.get().rebate == 0, "nine tenths of its coins were not cheaper at all"

    def test_is_not_given_to_an_order_whose_coins_were_bought_before_it(self, buy, market, claim, venue, fill):
        buy("20.00")
        buy("40.00")
        fill("0.4")
        batch = claim()
        step(batch, venue)
        assert states() == ["completed", "settling"]
        market("3.80")
        step(batch, venue)
        first, second = Order.objects.order_by("id")
        assert first.rebate == 0
        assert Decimal("1.60") < second.rebate < Decimal("2.00"), "a tenth of its coins was left from before the fall"

    def test_is_not_given_to_an_order_whose_coins_were_bought_after_it(
        self, buy, market, claim, venue, fill, cheap_reserve
    ):
        buy("20.00")
        buy("40.00")
        market("3.80", is_read=True)
        fill("0.4")
        batch = claim()
        step(batch, venue)
        market("4.00")
        step(batch, venue)
        first, second = Order.objects.order_by("id")
        assert Decimal("0.90") < first.rebate < Decimal("1.10")
        assert second.rebate == 0

    def test_is_not_looked_for_after_a_first_purchase(self, buy, market, claim, venue, monkeypatch):
        monkeypatch.setattr("settlement.services.ending.price_of_coins", None)
        buy("60.00")
        market("3.80", is_read=True)
        step(claim(), venue)
        assert Order.objects.get().rebate > 0


class TestCoinsFromInventory:
    """They are delivered only where they could be bought: at an ask that nobody knew who ordered, within the bound."""

    @pytest.fixture
    def stock(self, coin):
        put_in_stock(coin, "100", price="4.00")
        return lambda: Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance

    def test_are_delivered_at_the_ask_that_is_read_before_a_purchase(self, buy, claim, venue, simulator, stock):
        order = buy("60.00")
        batch = claim()
        assert (batch.state, states(), stock()) == (BatchState.OPEN, ["settling"], 100)
        step(batch, venue)
        assert (batch.state, batch.reason) == (BatchState.SETTLED, "from_inventory")
        assert (reasons(), stock(), simulator.book()) == ([BOUGHT], 100 - order.amount, [])
        assert batch.attempts.get().budget is None, "no dollars of the account were set aside"

    def test_are_delivered_by_the_claim_if_the_ask_was_read_after_the_order(self, buy, market, claim, stock):
        order = buy("60.00")
        market("4.02", is_read=True)
        batch = claim()
        assert (reasons(), stock(), batch.attempts.count()) == ([BOUGHT], 100 - order.amount, 0)

    def test_are_not_had_at_the_price_of_before_a_jump(self, buy, market, claim, venue, simulator, stock, shopper):
        market("4.30")
        buy("60.00")
        batch = claim()
        step(batch, venue)
        assert (states(), stock()) == (["settling"], 100), "its price is still valid, so it waits"
        grow_old()
        step(batch, venue)
        assert (reasons(), batch.state, shopper.wallet.balance) == ([MOVED], BatchState.REFUNDED, 100)
        assert (stock(), batch.reserved, simulator.book()) == (100, 0, [])

    def test_are_delivered_after_all_if_the_market_comes_back(self, buy, market, claim, venue, simulator, stock):
        market("4.30")
        order = buy("60.00")
        batch = claim()
        step(batch, venue)
        market("4.00")
        step(batch, venue)
        assert (reasons(), stock(), simulator.book()) == ([BOUGHT], 100 - order.amount, [])

    def test_are_not_delivered_by_a_claim_that_knows_of_the_jump(self, buy, market, claim, stock):
        buy("60.00")
        market("4.10", is_read=True)
        claim()
        assert (states(), stock()) == (["settling"], 100)

    def test_are_not_had_while_no_prices_come(self, buy, market, claim, venue, stock):
        buy("60.00")
        grow_old()
        CoinPrice.objects.update(read_at=clock.database_now() - timedelta(seconds=40))
        market("4.30")
        batch = claim()
        assert (states(), stock()) == (["settling"], 100)
        step(batch, venue)
        assert (reasons(), stock()) == ([MOVED], 100)

    def test_are_not_had_while_the_coin_is_suspended(self, buy, market, claim, venue, stock):
        buy("60.00")
        grow_old()
        market("4.60", is_read=True)
        assert CoinPrice.objects.get().suspended_at
        batch = claim()
        assert (states(), stock()) == (["settling"], 100)
        step(batch, venue)
        assert (reasons(), stock()) == ([MOVED], 100)

    def test_are_not_delivered_at_an_ask_that_is_not_believed(self, buy, market, claim, venue, stock):
        buy("60.00")
        batch = claim()
        market("0.40")
        step(batch, venue)
        assert (states(), stock()) == (["settling"], 100)

    def test_are_for_the_orders_that_have_not_moved(self, buy, market, claim, venue, stock):
        grow_old(buy("20.00"))
        new = buy("20.00")
        batch = claim()
        market("4.10")
        step(batch, venue)
        assert (reasons(), stock()) == ([MOVED, ("settling", None)], 100)
        market("4.00")
        step(batch, venue)
        assert (reasons(), stock()) == ([MOVED, BOUGHT], 100 - new.amount)

    def test_are_delivered_although_the_account_is_empty(self, buy, claim, venue, simulator, stock):
        record_funds(venue="binance", free=Decimal(0), read_at=clock.database_now())
        order = buy("60.00")
        step(claim(), venue)
        assert (reasons(), stock(), simulator.book()) == ([BOUGHT], 100 - order.amount, [])

    def test_wait_like_purchases_while_the_venue_is_away(self, buy, claim, venue, simulator, stock):
        order = buy("60.00")
        batch = claim()
        simulator.fail({"action": "down"})
        step(batch, venue)
        assert (states(), stock()) == (["settling"], 100)
        simulator.fail()
        end_pauses()
        step(batch, venue)
        assert (reasons(), stock()) == ([BOUGHT], 100 - order.amount)

    def test_complete_no_order_after_a_jump_of_which_a_part_is_bought(
        self, buy, market, claim, venue, simulator, coin, shopper
    ):
        buy("60.00")
        batch = claim()
        put_in_stock(coin, "100", price="4.00")
        simulator.fail({"on": "place", "action": "partial", "fraction": "0.9", "times": 1})
        step(batch, venue)
        assert states() == ["settling"]
        grow_old()
        market("4.30")
        step(batch, venue)
        assert (reasons(), shopper.wallet.balance) == ([MOVED], 100)

    def test_cost_no_statement_of_a_purchase(self, buy, claim, venue, monkeypatch):
        monkeypatch.setattr("settlement.services.stock.newest_order_at", None)
        buy("60.00")
        step(claim(), venue)
        assert reasons() == [BOUGHT]


PRICES = ["0.0000000012", "0.00000123", "1000000"]


class TestCoinsOfAnyPrice:
    @pytest.mark.parametrize("price", PRICES)
    def test_are_bought_and_held(self, price, simulator, venue, make_shopper, settings):
        simulator.set_prices(TINY=price)
        coin = sold_at_market("TINY", price, maximum="100000000000")
        buyer = make_shopper()
        place_order(buyer=buyer.principal, order_request=OrderRequest(coin_name="TINY", total=Decimal("60.00")))
        step(claim_waiting_orders(coin_id=coin.pk, now=clock.database_now()), venue)
        [order] = Order.objects.all()
        assert (order.state, buyer.holding("TINY")) == ("completed", order.amount)
        attempt = Attempt.objects.get()
        assert attempt.limit_price >= Decimal(price)
        assert attempt.limit_price <= Decimal(price) * Decimal("1.02")

    @pytest.mark.parametrize("price", PRICES)
    def test_are_refunded_after_a_rise(self, price, simulator, venue, make_shopper):
        simulator.set_prices(TINY=price)
        coin = sold_at_market("TINY", price, maximum="100000000000")
        buyer = make_shopper()
        place_order(buyer=buyer.principal, order_request=OrderRequest(coin_name="TINY", total=Decimal("60.00")))
        grow_old()
        batch = claim_waiting_orders(coin_id=coin.pk, now=clock.database_now())
        simulator.set_prices(TINY=f"{Decimal(price) * Decimal('1.04'):f}")
        step(batch, venue)
        assert (reasons(), buyer.wallet.balance) == ([MOVED], 100)


class TestAWorker:
    @pytest.mark.parametrize(
        ("place", "is_read", "state"), [("claim.refunded", True, "pending"), ("moved.refunded", False, "settling")]
    )
    def test_that_dies_while_it_refunds_leaves_no_order_in_doubt(
        self, buy, market, make_worker, venue_environment, tmp_path, place, is_read, state
    ):
        old = buy("20.00")
        grow_old(old)
        market("4.15", is_read=is_read)
        quick = {"SWEEP_CRON": "* * * * * *", "SWEEP_AFTER_SECONDS": "0", "STALLED_WORKER_SECONDS": "1"}
        dying = {"FAILPOINTS": f"{place}=kill", "FAILPOINTS_DIR": str(tmp_path)}
        doomed = make_worker(**venue_environment, **quick, **dying)
        assert wait_for(lambda: doomed.poll() is not None, seconds=60)
        assert states() == [state], "nothing is half done"
        make_worker(**venue_environment, **quick, RESCUE_CRON="* * * * * *")
        buy("20.00")
        assert wait_for(lambda: states()[0] == "refunded", seconds=60)
        assert reasons()[0] == MOVED
        assert Transaction.objects.filter(kind="refund").count() == 1

    def test_that_refunds_orders_keeps_another_run_from_buying_for_them(
        self, buy, market, claim, venue, simulator, make_worker, venue_environment, tmp_path
    ):
        old, new = buy("20.00"), buy("20.00")
        grow_old(old)
        batch = claim()
        market("4.15")
        frozen = make_worker(
            **venue_environment,
            FAILPOINTS="moved.refunded=stop",
            FAILPOINTS_DIR=str(tmp_path),
            SWEEP_AFTER_SECONDS="900",
        )
        assert wait_for(lambda: list(tmp_path.glob("moved.refunded*")), seconds=60)
        market("4.00")
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(at_once, 1, lambda _: take_next_step(batch_id=batch.pk, get_venue=lambda _: venue))
            assert wait_for(lambda: other.done() or somebody_waits_for_a_lock(), seconds=60)
            assert not simulator.book(), "the other run has seen both orders, and waits"
            frozen.send_signal(signal.SIGCONT)
            other.result(60)
        assert wait_for(lambda: reasons() == [MOVED, BOUGHT], seconds=60)
        assert len(simulator.book()) == 1
        assert Attempt.objects.get().executed < new.amount * Decimal("1.02")
