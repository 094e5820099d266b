"""Orders of customers whose wallet somebody else has locked, and of all others meanwhile."""

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from tests.patience import stretched
from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from tests.trading.test_orders import order_request_of
from tests.trading.test_placing_together import asked, together
from trading.models import Order
from trading.services import placing
from trading.services.asked_orders import PASSED_OVER
from trading.services.placing import place_order
from trading.services.placing_together import place_group_of_customer
from wallets.exceptions import Busy, TokenInvalid
from wallets.models import TokenFamily, Transaction, User, Wallet
from wallets.selectors.accounts import Principal
from wallets.services.tokens import read_access_token
from wallets.verification import verify_balances

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def held(rows):
    """Hold the lock on rows in another session; yield a function that lets them go."""
    is_locked, lets_go = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(rows.select_for_update(no_key=True))
            is_locked.set()
            assert lets_go.wait(60)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_locked.wait(30)
        yield lets_go.set
    finally:
        lets_go.set()
        holder.join(30)


def wallet_of(shopper):
    return Wallet.objects.filter(owner=shopper.user, asset="USD")


def place(shopper, amount=3, **more):
    return place_order(buyer=shopper.principal, order_request=order_request_of(amount=amount, **more))


def in_line(shopper):
    """Return how many of the customer's orders wait for their group to begin."""
    group = placing._groups_of_customers._groups.get(shopper.principal)
    return len(group._waiting) if group else 0


def nothing_happened(shopper):
    return (
        shopper.wallet.balance == Decimal("100.00")
        and not Order.objects.filter(customer=shopper.user).exists()
        and not Transaction.objects.filter(customer=shopper.user, kind="purchase").exists()
    )


@pytest.fixture
def groups_of_customers(monkeypatch):
    """Return a list of the sizes of the groups that waited for their wallet."""
    sizes, really = [], placing.place_group_of_customer

    def judge(*, group):
        sizes.append(len(group))
        return really(group=group)

    monkeypatch.setattr(placing, "place_group_of_customer", judge)
    return sizes


class TestAGroup:
    @pytest.mark.parametrize("others", [0, 1, 3])
    @pytest.mark.parametrize("what", ["wallet", "account", "sign-in"])
    def test_passes_over_the_orders_of_a_customer_who_is_locked(self, make_shopper, coin, what, others):
        busy, free = make_shopper(), [make_shopper() for _ in range(others)]
        caller = read_access_token(busy.tokens.access)
        rows = {
            "wallet": wallet_of(busy),
            "account": User.objects.filter(pk=busy.user.pk),
            "sign-in": TokenFamily.objects.filter(pk=busy.family_id),
        }
        with held(rows[what]):
            judgements = together(asked(busy, 3, buyer=caller), *(asked(each, 3) for each in free))
        assert judgements[0] is PASSED_OVER
        assert all(judgement.placed for judgement in judgements[1:])
        assert nothing_happened(busy)
        assert [each.wallet.balance for each in free] == [88] * others
        assert together(asked(busy, 3, buyer=caller))[0].placed

    def test_of_one_customer_waits_for_the_lock(self, shopper, coin):
        with held(wallet_of(shopper)) as let_go:
            waiting = threading.Thread(
                target=lambda: (wait_for(somebody_waits_for_a_lock), let_go(), connection.close())
            )
            waiting.start()
            judgements = place_group_of_customer(group=[asked(shopper, 3), asked(shopper, 4)])
            waiting.join(30)
        assert [judgement.placed.order.charge for judgement in judgements] == [12, 16]
        assert shopper.wallet.balance == 72

    def test_of_one_customer_is_refused_if_the_account_was_disabled_meanwhile(self, shopper, coin):
        is_locked = threading.Event()

        def disable():
            with transaction.atomic():
                list(wallet_of(shopper).select_for_update(no_key=True))
                is_locked.set()
                wait_for(somebody_waits_for_a_lock)
                User.objects.filter(pk=shopper.user.pk).update(is_active=False)
            connection.close()

        disabler = threading.Thread(target=disable)
        disabler.start()
        assert is_locked.wait(30)
        judgements = place_group_of_customer(group=[asked(shopper, 3), asked(shopper, 4)])
        disabler.join(30)
        assert [type(judgement.refusal) for judgement in judgements] == [TokenInvalid] * 2
        assert nothing_happened(shopper)

    def test_of_a_caller_without_a_wallet_is_refused_in_the_end(self, shopper, coin):
        nobody = Principal(user_id=shopper.user.pk + 1000, token_version=0)
        with pytest.raises(TokenInvalid):
            place_order(buyer=nobody, order_request=order_request_of(amount=3))
        assert nothing_happened(shopper)

    def test_of_a_caller_whose_sign_in_is_another_ones_is_refused_in_the_end(self, make_shopper, coin):
        shopper, other = make_shopper(), make_shopper()
        stolen = Principal(user_id=shopper.user.pk, token_version=0, family_id=other.family_id)
        with pytest.raises(TokenInvalid):
            place_order(buyer=stolen, order_request=order_request_of(amount=3))
        assert nothing_happened(shopper)


class TestAWalletThatIsHeld:
    def test_has_its_orders_placed_together_when_it_is_let_go(self, shopper, coin, groups_of_customers):
        """Those that come while the first group waits are the next one."""

        def call(number):
            if number < 5:
                return place(shopper, key=f"key-{number}")
            wait_for(lambda: sum(groups_of_customers) + in_line(shopper) == 5)
            wait_for(somebody_waits_for_a_lock)
            return let_go()

        with held(wallet_of(shopper)) as let_go:
            placed = at_once(6, call)[:5]
        assert len({each.order.pk for each in placed}) == 5
        assert (len(groups_of_customers), sum(groups_of_customers)) == (2, 5)
        assert shopper.wallet.balance == 40
        assert verify_balances() == []
        assert not placing._groups_of_customers.has(shopper.principal)

    def test_does_not_keep_other_customers_waiting(self, make_shopper, coin):
        """Its own orders come again and again meanwhile, and are placed when it is let go."""
        busy, others = make_shopper("1000.00"), [make_shopper("10000.00") for _ in range(4)]
        seconds, placed_by_busy = [], []

        def call(number):
            if number < 4:
                return placed_by_busy.extend(place(busy) for _ in range(2))
            if number == 8:
                time.sleep(3)
                return let_go()
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                begun = time.monotonic()
                place(others[number - 4], 1)
                seconds.append(time.monotonic() - begun)
                time.sleep(0.02)  # a customer with more than 200 orders an hour is held for a review
            return None

        with held(wallet_of(busy)) as let_go:
            at_once(9, call)
        assert len(seconds) > 20
        assert sorted(seconds)[int(len(seconds) * 0.99)] < stretched(0.2)
        assert (len(placed_by_busy), busy.wallet.balance) == (8, 904)
        assert verify_balances() == []

    def test_ends_in_busy_if_it_is_held_for_long(self, make_shopper, coin):
        """Each order has waited three times for as long as Postgres lets a statement wait, and is nowhere left."""
        busy, other = make_shopper(), make_shopper()

        def call(number):
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '300ms'")
            if number == 4:
                return place(other)
            begun = time.monotonic()
            with pytest.raises(Busy):
                place(busy)
            return time.monotonic() - begun

        with held(wallet_of(busy)):
            *waited, placed = at_once(5, call)
            assert nothing_happened(busy)
            assert min(waited) > 0.9
            assert max(waited) < stretched(2)
        assert placed.order.customer_id == other.user.pk
        assert place(busy).order.customer_id == busy.user.pk

    def test_keeps_no_more_than_half_of_the_threads(self, shopper, coin, monkeypatch):
        """The others are told after a moment to come again."""
        monkeypatch.setattr(placing._groups_of_customers, "_crowd", 2)
        monkeypatch.setattr(placing._groups_of_customers, "_patience", timedelta(milliseconds=50))
        outcomes = []

        def call(number):
            if number == 6:
                wait_for(lambda: outcomes.count("busy") == 4)
                return let_go()
            try:
                place(shopper)
            except Busy:
                outcomes.append("busy")
            else:
                outcomes.append("placed")

        with held(wallet_of(shopper)) as let_go:
            at_once(7, call)
        assert (outcomes.count("placed"), outcomes.count("busy")) == (2, 4)
        assert (shopper.wallet.balance, Order.objects.count()) == (76, 2)
