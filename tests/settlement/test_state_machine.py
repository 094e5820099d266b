"""Random sequences of actions by customers, workers and a faulty venue, compared with a simple model."""

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from settlement.models import IN_FLIGHT, Attempt
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import Shopper
from tests.settlement.conftest import end_pauses
from trading.exceptions import OrderNotCancellable
from trading.models import Order
from trading.services.cancelling import cancel_order
from trading.services.placing import OrderRequest, place_order
from wallets.exceptions import IdempotencyKeyReused, InsufficientFunds
from wallets.models import Wallet, WalletRole
from wallets.runtime.idempotency import IdempotencyKey, idempotency_key
from wallets.services.cash import deposit, withdraw

PRICE, COMMISSION, THRESHOLD = Decimal(4), Decimal("0.001"), Decimal(10)
CENTS = strategies.integers(1, 4000).map(lambda cents: Decimal(cents) / 100)
AMOUNTS = strategies.integers(1, 1200).map(lambda hundredths: Decimal(hundredths) / 100)

pytestmark = pytest.mark.django_db(transaction=True)


def charge_of(amount):
    return (amount * PRICE).quantize(Decimal("0.01"), rounding=ROUND_CEILING)


class Story(RuleBasedStateMachine):
    """The model holds customers' dollars and coins, the state of each order, the current batch and the surplus."""

    coin = venue = simulator = None  # set by the test

    @initialize()
    def begin(self):
        self.simulator.fail()
        self.customers = [Shopper("100.00") for _ in range(3)]
        self.dollars = {customer: Decimal(100) for customer in self.customers}
        self.coins = dict.fromkeys(self.customers, Decimal(0))
        self.withdrawals = {}  # customer and key → amount
        self.orders = {}  # id → [customer, amount, state], in the order of placing
        self.surplus = Wallet.objects.get(owner=None, role=WalletRole.INVENTORY, asset="ABAN").balance
        self.batch, self.reserved, self.sent, self.purchases = [], Decimal(0), False, len(self.simulator.book())

    # Actions of customers

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def deposit(self, who, amount):
        customer = self.customers[who]
        deposit(principal=customer.principal, amount=amount, key=None, now=timezone.now())
        self.dollars[customer] += amount

    @rule(who=strategies.integers(0, 2), amount=CENTS, key=strategies.sampled_from([None, "a", "b"]))
    def withdraw(self, who, amount, key):
        customer, earlier = self.customers[who], self.withdrawals.get((who, key))
        given = idempotency_key(key=key, request={"amount": amount})
        try:
            for _ in range(2 if key else 1):
                withdraw(principal=customer.principal, amount=amount, key=given, now=timezone.now())
        except IdempotencyKeyReused:
            assert earlier not in {None, amount}
        except InsufficientFunds:
            assert earlier is None
            assert amount > self.dollars[customer]
        else:
            assert earlier in {None, amount}
            if earlier is None:
                self.dollars[customer] -= amount
            if key:
                self.withdrawals[who, key] = amount

    @rule(who=strategies.integers(0, 2), amount=AMOUNTS, repeated=strategies.booleans())
    def order(self, who, amount, repeated):
        customer = self.customers[who]
        key = IdempotencyKey(value=f"{len(self.orders)}", request_hash=str(amount)) if repeated else None
        order_request = OrderRequest(coin_name="ABAN", amount=amount, total=None, key=key)
        try:
            placed = place_order(buyer=customer.principal, order_request=order_request, now=timezone.now())
        except InsufficientFunds:
            assert charge_of(amount) > self.dollars[customer]
            return
        if repeated:
            again = place_order(buyer=customer.principal, order_request=order_request, now=timezone.now())
            assert (again.replayed, again.order.pk) == (True, placed.order.pk)
        self.dollars[customer] -= charge_of(amount)
        state = "aggregated" if charge_of(amount) < THRESHOLD else "pending"
        self.orders[placed.order.pk] = [customer, amount, state]

    @precondition(lambda self: self.orders)
    @rule(which=strategies.integers(0))
    def cancel(self, which):
        order_id = list(self.orders)[which % len(self.orders)]
        customer, amount, state = self.orders[order_id]
        try:
            cancel_order(customer=customer.principal, order_id=order_id, now=timezone.now())
        except OrderNotCancellable:
            assert state not in {"pending", "aggregated"}
        else:
            assert state in {"pending", "aggregated"}
            self.orders[order_id][2] = "cancelled"
            self.dollars[customer] += charge_of(amount)

    # Actions of workers

    @rule(overdue=strategies.booleans(), times=strategies.integers(1, 2))
    def claim(self, overdue, times):
        now = timezone.now() + timedelta(days=1 if overdue else 0)
        for _ in range(times):
            claim_waiting_orders(coin_id=self.coin.pk, now=now)
            self._expect_claim(overdue=overdue)

    def _expect_claim(self, *, overdue):
        if self.batch:
            return
        large, pool = self._in_state("pending"), self._in_state("aggregated")
        total = sum(charge_of(self.orders[order_id][1]) for order_id in pool)
        pool_is_due = total >= THRESHOLD or (pool and overdue)
        self.batch = sorted(large + (pool if pool_is_due else []))
        for order_id in self.batch:
            self.orders[order_id][2] = "settling"
        needed = sum((self.orders[order_id][1] for order_id in self.batch), Decimal(0))
        self.reserved, self.sent = min(needed, self.surplus), False
        self.surplus -= self.reserved
        if self.batch and self.reserved == needed:
            self._deliver()

    @precondition(lambda self: self.batch and not self.sent)
    @rule(
        fault=strategies.sampled_from(
            [None, None, "partial", "refused", "drop", "accept_then_drop", "garbage", "accept_then_500", "rate_limit"]
        )
    )
    def send(self, fault):
        rule_ = {"on": "place", "action": fault, "times": 1}
        if fault == "refused":
            rule_ |= {"action": "reject", "code": -1121, "msg": "Invalid symbol."}
        if fault == "partial":
            rule_ |= {"fraction": "0.6"}
        self.simulator.fail(*([rule_] if fault else []))
        self._step()
        if fault in {None, "partial"}:
            self._expect_fill()
        elif fault == "refused":
            self._expect_refund()
        elif fault != "rate_limit":
            self.sent = True

    @precondition(lambda self: self.batch and self.sent)
    @rule(fault=strategies.sampled_from([None, "drop", "garbage", "not_found"]))
    def ask(self, fault):
        if Attempt.objects.get(state__in=IN_FLIGHT).state == "new":  # the sent attempt was presumed not placed
            self.sent = False
            return
        self.simulator.fail(*([{"on": "query", "action": fault, "times": 1}] if fault else []))
        self._step()
        if fault is None and len(self.simulator.book()) > self.purchases:
            self._expect_fill()

    @rule()
    def sweep(self):
        sweep(now=timezone.now())

    def _step(self):
        end_pauses()
        attempt = Attempt.objects.get(state__in=IN_FLIGHT)
        take_next_step(batch_id=attempt.batch_id, venue=self.venue)

    def _expect_fill(self):
        bought = self.simulator.book()[self.purchases :]
        assert len(bought) == 1, "one purchase for one attempt"
        self.purchases += 1
        self.reserved += Decimal(bought[0]["executedQty"]) * (1 - COMMISSION)
        self._deliver()

    def _deliver(self):
        """Deliver whole orders, oldest first; coins that remain after the last one are the house's."""
        while self.batch and self.orders[self.batch[0]][1] <= self.reserved:
            customer, amount, _ = order = self.orders[self.batch.pop(0)]
            order[2] = "completed"
            self.coins[customer] += amount
            self.reserved -= amount
        self.sent = False
        self._close_if_done()

    def _expect_refund(self):
        for order_id in self.batch:
            customer, amount, _ = self.orders[order_id]
            self.orders[order_id][2] = "refunded"
            self.dollars[customer] += charge_of(amount)
        self.batch = []
        self._close_if_done()

    def _close_if_done(self):
        if not self.batch:
            self.surplus, self.reserved = self.surplus + self.reserved, Decimal(0)

    def _in_state(self, state):
        return [order_id for order_id, order in self.orders.items() if order[2] == state]

    # Invariants after every step

    @invariant()
    def it_is_as_the_model_says(self):
        if not hasattr(self, "customers"):
            return
        wallets = Wallet.objects.filter(owner__in=[customer.user for customer in self.customers])
        balances = {
            (owner, asset): balance for owner, asset, balance in wallets.values_list("owner", "asset", "balance")
        }
        for customer in self.customers:
            assert balances[customer.user.pk, "USD"] == self.dollars[customer]
            assert balances.get((customer.user.pk, "ABAN"), 0) == self.coins[customer]
        found = dict(Order.objects.filter(pk__in=list(self.orders)).values_list("pk", "state"))
        assert found == {order_id: order[2] for order_id, order in self.orders.items()}
        stock = Wallet.objects.get(owner=None, role=WalletRole.INVENTORY, asset="ABAN").balance
        assert stock == self.surplus + self.reserved

    @invariant()
    def the_ledger_balances(self):
        assert verify_everything() == []

    def teardown(self):
        """Check that all open orders end once the venue behaves."""
        self.simulator.fail()
        for _ in range(50):
            end_pauses()
            claim_waiting_orders(coin_id=self.coin.pk, now=timezone.now() + timedelta(days=1))
            attempt = Attempt.objects.filter(state__in=IN_FLIGHT).first()
            if attempt is None:
                break
            take_next_step(batch_id=attempt.batch_id, venue=self.venue)
        assert not Order.objects.filter(state__in=["pending", "aggregated", "settling"]).exists()
        assert verify_everything() == []


def test_every_story_ends_as_the_model_says(coin, venue, simulator, settings_of_stories):
    simulator.set_account(balances={"USDT": "100000000"}, commission_rate=str(COMMISSION))
    venue._client.enableRateLimit = False
    Story.coin, Story.venue, Story.simulator = coin, venue, simulator
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.fixture
def settings_of_stories(settings):
    configure(settings, "RISK", max_orders=10**6, max_cancels=10**6)
    configure(settings, "DEPOSITS", self_service=True)
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(milliseconds=50), not_found_times=1)
    configure(settings, "VENUE", recv_window=timedelta(milliseconds=300))
