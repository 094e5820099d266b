import threading
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.configure import configure
from tests.conftest import make_coin
from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from trading import jobs
from trading.exceptions import AboveMaximum, BelowMinimum, OrderNotCancellable, PriceUnavailable, UnknownCoin
from trading.models import CoinPrice, Order, OrderState
from trading.services.asked_orders import OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.coins import save_coin, stop_selling
from trading.services.placing import place_order
from trading.services.prices import record_price
from wallets.exceptions import AccountFrozen, IdempotencyKeyReused, InsufficientFunds, NotFound, TokenInvalid
from wallets.models import Transaction, User, Wallet
from wallets.runtime import clock
from wallets.runtime.idempotency import idempotency_key
from wallets.runtime.redis_store import with_redis
from wallets.services.ledger.locking import lock_dollar_wallet

pytestmark = pytest.mark.django_db


def order_request_of(amount=None, total=None, coin_name="ABAN", key=None):
    amount, total = amount and Decimal(amount), total and Decimal(total)
    return OrderRequest(
        coin_name=coin_name,
        amount=amount,
        total=total,
        key=idempotency_key(key=key, request={"amount": amount, "total": total}),
    )


def nothing_happened(shopper, balance="100.00"):
    return (
        shopper.wallet.balance == Decimal(balance)
        and not Order.objects.exists()
        and not Transaction.objects.filter(kind="purchase").exists()
        and not ProcrastinateJob.objects.exists()
    )


class TestPlaceOrder:
    def test_charges_the_wallet_and_enqueues_the_claim(self, shopper, coin, now):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now).order
        assert (order.state, order.charge) == (OrderState.PENDING, Decimal("12.00"))
        assert shopper.wallet.balance == Decimal("88.00")
        movement = Transaction.objects.get(order_id=order.pk)
        assert (movement.kind, movement.amount, movement.balance_after) == ("purchase", 12, 88)
        job = ProcrastinateJob.objects.get()
        assert (job.task_name, job.args) == ("settlement.claim_waiting_orders", {"coin_id": coin.pk})

    def test_stores_the_price_and_its_source(self, shopper, coin, now):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now).order
        assert (order.price, order.price_source) == (Decimal(4), "fixed")
        assert order.price_at == CoinPrice.objects.get(coin=coin).read_at

    def test_by_total_never_charges_more_than_the_total(self, shopper, now):
        make_coin("ETH", "3333.33333333")
        order = place_order(
            buyer=shopper.principal, order_request=order_request_of(total="99.99", coin_name="ETH"), now=now
        ).order
        assert order.amount == Decimal("0.02999700")
        assert order.charge <= Decimal("99.99")

    def test_pools_orders_below_the_threshold(self, shopper, coin, now):
        for expected_jobs, total in [(1, "4.00"), (1, "5.96"), (2, "0.04"), (3, "0.04")]:
            placed = place_order(buyer=shopper.principal, order_request=order_request_of(total=total), now=now)
            assert placed.order.state == OrderState.POOLED
            assert placed.order.settle_by is not None
            # The first order enqueues a claim too, because there is no counter yet.
            assert ProcrastinateJob.objects.count() == expected_jobs
        assert placed.pool_total == Decimal("10.04")

    def test_does_not_pool_an_order_at_the_threshold(self, shopper, coin, now):
        assert (
            place_order(buyer=shopper.principal, order_request=order_request_of(total="10.00"), now=now).order.is_pooled
            is False
        )

    def test_leaves_no_trace_when_funds_are_short(self, shopper, coin, now):
        with pytest.raises(InsufficientFunds):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=26), now=now)
        assert nothing_happened(shopper)

    @pytest.mark.parametrize(
        ("request_", "error"),
        [
            (order_request_of(amount="0.5"), BelowMinimum),
            (order_request_of(amount=6), AboveMaximum),
            (order_request_of(total="0.01"), BelowMinimum),
            (order_request_of(amount=1, coin_name="NONE"), UnknownCoin),
            (order_request_of(amount=1, coin_name="a\0b"), UnknownCoin),
        ],
    )
    def test_leaves_no_trace_outside_the_limits(self, shopper, now, request_, error):
        make_coin("ABAN", "4.00", minimum=Decimal(1), maximum=Decimal(5))
        with pytest.raises(error):
            place_order(buyer=shopper.principal, order_request=request_, now=now)
        assert nothing_happened(shopper)

    def test_refuses_a_price_that_is_too_old(self, shopper, coin, now, settings):
        coin.fixed_price = None
        coin.save()
        record_price(coin=coin, value=Decimal(4), source="test", now=now)
        with pytest.raises(PriceUnavailable):
            place_order(
                buyer=shopper.principal,
                order_request=order_request_of(amount=3),
                now=now + settings.PRICES.max_age + settings.PRICES.max_age,
            )
        assert nothing_happened(shopper)

    def test_accepts_a_fixed_price_of_any_age(self, shopper, coin, now, settings):
        later = now + 1000 * settings.PRICES.max_age
        assert place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=later).order

    def test_refuses_frozen_and_disabled_customers(self, shopper, coin, now):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        with pytest.raises(AccountFrozen):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now)
        Wallet.objects.filter(owner=shopper.user).update(frozen=False)
        User.objects.filter(pk=shopper.user.pk).update(is_active=False)
        with pytest.raises(TokenInvalid):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now)
        assert nothing_happened(shopper)

    @pytest.mark.parametrize("key", [None, "a-key"])
    def test_takes_at_most_three_statements(self, shopper, coin, now, key):
        place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now)  # this caches the offer
        with CaptureQueriesContext(connection) as captured:
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=3, key=key), now=now)
        inner = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
        statements = [query["sql"] for query in captured if not query["sql"].startswith(inner)]
        assert len(statements) <= 3, statements

    def test_works_without_redis(self, shopper, coin, now, settings, without_redis):
        placed = place_order(buyer=shopper.principal, order_request=order_request_of(total="2.00"), now=now)
        assert placed.order.state == OrderState.POOLED
        assert ProcrastinateJob.objects.count() == 1, (
            "without a counter, only a claim can find out whether the pool is full"
        )


@pytest.mark.django_db(transaction=True)
class TestOrderThatWaitsForItsWallet:
    """It is judged by what holds after the wait."""

    @pytest.fixture
    def place_while(self, shopper, coin):
        """Place an order whose wallet is locked, call `change`, unlock the wallet, and return the order."""
        coin.fixed_price = None
        save_coin(coin=coin)

        def place(change):
            locked = threading.Event()

            def hold():
                with transaction.atomic():
                    lock_dollar_wallet(principal=shopper.principal)
                    locked.set()
                    wait_for(somebody_waits_for_a_lock)
                    at_once(1, lambda _: change())  # commits while the lock is held

            def order():
                assert locked.wait(20)
                return place_order(buyer=shopper.principal, order_request=order_request_of(amount=3)).order

            return at_once(2, lambda number: (hold, order)[number]())[1]

        return place

    def test_has_the_new_price(self, shopper, place_while):
        order = place_while(lambda: CoinPrice.objects.update(value=Decimal("5.00")))
        assert (order.market_price, order.price, order.charge) == (5, Decimal("5.03003004"), Decimal("15.10"))
        assert shopper.wallet.balance == Decimal("84.90")

    def test_is_refused_if_its_price_is_too_old_by_then(self, shopper, place_while, settings):
        # No price is older than the limit until the wait has lasted long enough.
        configure(settings, "PRICES", max_age=timedelta(seconds=1))
        CoinPrice.objects.update(read_at=clock.database_now())
        with pytest.raises(PriceUnavailable):
            place_while(lambda: time.sleep(1.2))
        assert nothing_happened(shopper)

    def test_is_refused_if_its_coin_is_no_longer_sold(self, shopper, coin, place_while):
        with pytest.raises(UnknownCoin):
            place_while(lambda: stop_selling(coin=coin))
        assert nothing_happened(shopper)


class TestIdempotencyKey:
    def test_of_an_earlier_order_works_when_the_coin_is_no_longer_sold(self, shopper, coin, now):
        placed = place_order(buyer=shopper.principal, order_request=order_request_of("3", key="k"), now=now)
        stop_selling(coin=coin)
        with_redis(lambda client: client.flushall())
        again = place_order(buyer=shopper.principal, order_request=order_request_of("3", key="k"), now=now)
        assert (again.replayed, again.order.pk) == (True, placed.order.pk)
        with pytest.raises(IdempotencyKeyReused):
            place_order(buyer=shopper.principal, order_request=order_request_of("4", key="k"), now=now)
        for key in (None, "another"):
            with pytest.raises(UnknownCoin):
                place_order(buyer=shopper.principal, order_request=order_request_of("3", key=key), now=now)

    def test_repeated_returns_the_first_order(self, shopper, coin, now):
        first = place_order(buyer=shopper.principal, order_request=order_request_of(amount=3, key="k"), now=now)
        again = place_order(buyer=shopper.principal, order_request=order_request_of(amount="3.00", key="k"), now=now)
        assert (first.replayed, again.replayed) == (False, True)
        assert again.order.pk == first.order.pk
        assert shopper.wallet.balance == Decimal("88.00")
        assert ProcrastinateJob.objects.count() == 1

    def test_of_an_earlier_order_works_when_a_new_order_would_be_refused(self, shopper, coin, now, settings):
        first = place_order(buyer=shopper.principal, order_request=order_request_of(amount=25, key="k"), now=now)
        coin.fixed_price = None
        coin.save()
        with_redis(lambda client: client.flushall())
        later = now + 2 * settings.PRICES.max_age
        with pytest.raises(PriceUnavailable):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=1), now=later)
        again = place_order(buyer=shopper.principal, order_request=order_request_of(amount=25, key="k"), now=later)
        assert again.order.pk == first.order.pk

    def test_refuses_a_different_request(self, shopper, coin, now):
        place_order(buyer=shopper.principal, order_request=order_request_of(amount=3, key="k"), now=now)
        with pytest.raises(IdempotencyKeyReused):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=4, key="k"), now=now)
        assert Order.objects.count() == 1

    def test_may_be_equal_for_two_customers(self, make_shopper, coin, now):
        one, other = make_shopper(), make_shopper()
        placed = [
            place_order(buyer=each.principal, order_request=order_request_of(amount=3, key="k"), now=now)
            for each in (one, other)
        ]
        assert placed[0].order.pk != placed[1].order.pk

    def test_can_be_used_again_after_a_refusal(self, shopper, coin, now):
        with pytest.raises(InsufficientFunds):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=26, key="k"), now=now)
        assert not place_order(
            buyer=shopper.principal, order_request=order_request_of(amount=25, key="k"), now=now
        ).replayed

    def test_is_unique_for_a_customer_in_the_database(self, shopper, coin, now):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(amount=3, key="k"), now=now).order
        order.pk = None
        with pytest.raises(IntegrityError, match="one_order_per_idempotency_key"), transaction.atomic():
            order.save(force_insert=True)


class TestCancelOrder:
    @pytest.mark.parametrize("total", ["2.00", "40.00"])
    def test_returns_the_charge(self, shopper, coin, now, total):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(total=total), now=now).order
        cancelled = cancel_order(customer=shopper.principal, order_id=order.pk, now=now)
        assert cancelled.state == OrderState.CANCELLED
        assert shopper.wallet.balance == Decimal("100.00")

    def test_removes_the_order_from_the_pool(self, shopper, coin, now):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(total="4.00"), now=now).order
        cancel_order(customer=shopper.principal, order_id=order.pk, now=now)
        assert place_order(
            buyer=shopper.principal, order_request=order_request_of(total="3.00"), now=now
        ).pool_total == Decimal("3.00")

    def test_returns_the_charge_only_once(self, shopper, coin, now):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now).order
        cancel_order(customer=shopper.principal, order_id=order.pk, now=now)
        with pytest.raises(OrderNotCancellable):
            cancel_order(customer=shopper.principal, order_id=order.pk, now=now)
        assert shopper.wallet.balance == Decimal("100.00")

    def test_refuses_other_customers(self, make_shopper, shopper, coin, now):
        order = place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now).order
        with pytest.raises(NotFound):
            cancel_order(customer=make_shopper().principal, order_id=order.pk, now=now)
        order.refresh_from_db()
        assert order.state == OrderState.PENDING


class TestWhatIsWritten:
    """The rows that SQL writes for an order are those that the ORM and Procrastinate would write."""

    @pytest.mark.parametrize("amount", ["3", "0.5"])
    def test_as_order_equals_the_returned_order(self, shopper, coin, now, amount):
        placed = place_order(
            buyer=shopper.principal, order_request=order_request_of(amount=amount, key="k"), now=now
        ).order
        written = Order.objects.get()
        for field in Order._meta.concrete_fields:
            assert getattr(written, field.attname) == getattr(placed, field.attname), field.name

    def test_as_job_equals_a_job_deferred_by_procrastinate(self, shopper, coin, now):
        place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now)
        jobs.request_claim(coin_id=coin.pk)
        ours, theirs = ProcrastinateJob.objects.order_by("id").values()
        assert {**ours, "id": 0} == {**theirs, "id": 0}
