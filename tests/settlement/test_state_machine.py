"""Random sequences of actions by customers, workers and a faulty venue, compared with a simple model."""

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import count

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from settlement.models import IN_FLIGHT, Attempt, Batch
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.venues.ccxt.markets import markets
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import Shopper, make_coin
from tests.settlement.conftest import end_pauses, resume_parked_batches
from tests.wallets.bank import camt, entry, import_file
from tests.wallets.payees import add as add_payee
from tests.wallets.payees import ask, decide, make_staff, pay_from
from tests.wallets.returned import money_taken, receive, spend
from trading.exceptions import OrderNotCancellable
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.placing import place_order
from trading.services.repurchasing import Repurchase, repurchase
from wallets.exceptions import (
    AccountFrozen,
    CustomerOwes,
    IdempotencyKeyReused,
    InsufficientFunds,
    NotCorrectable,
    NotFound,
    OwesLess,
    PayoutDecided,
    PayoutNotCancellable,
    ProposalRefused,
    ReturnRefused,
)
from wallets.models import Deposit, Payout, Receivable, Return, Transaction, TransactionKind, Wallet, WalletRole
from wallets.payment_references import payment_reference
from wallets.runtime.idempotency import IdempotencyKey, idempotency_key
from wallets.services.accounts import unfreeze_within_transaction
from wallets.services.cash import deposit, withdraw
from wallets.services.correcting import correct_movement, give_goodwill
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.money_kinds import WRITE_OFF
from wallets.services.payouts.ending import cancel_payout
from wallets.services.payouts.exporting import export_payouts
from wallets.services.proposals import propose
from wallets.services.returns.taking import take_return
from wallets.services.returns.winning import win_return_back

PRICE, COMMISSION, THRESHOLD = Decimal(4), Decimal("0.001"), Decimal(10)
CENTS = strategies.integers(1, 4000).map(lambda cents: Decimal(cents) / 100)
AMOUNTS = strategies.integers(1, 1200).map(lambda hundredths: Decimal(hundredths) / 100)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

NEXT = {
    "approved": ("requested",),
    "rejected": ("requested", "approved"),
    "cancelled": ("requested", "approved"),
    "paid": ("sent",),
    "failed": ("sent",),
    "returned": ("sent", "paid"),
}
"""Each state that somebody can give a payout, with the states before."""


def make_iban(number):
    """Return an IBAN of its own for each story, whose statements follow one another."""
    body = f"WEST{number:014}"
    return f"GB{98 - int(''.join(str(int(letter, 36)) for letter in f'{body}GB00')) % 97:02}{body}"


def charge_of(amount):
    return (amount * PRICE).quantize(Decimal("0.01"), rounding=ROUND_CEILING)


class Story(RuleBasedStateMachine):
    """The model holds customers' dollars and coins, the state of each order, the open batches and the surplus.

    Which batch has the turn is read from the database; what the turn means is the model's. Each story has a coin of its
    own: what an earlier story left in inventory would let the same steps lead elsewhere.
    """

    venue = simulator = None  # set by the test
    numbers = count(1)

    @initialize()
    def begin(self):
        name = f"STORY{next(self.numbers)}"
        self.simulator.fail()
        self.simulator.set_prices(**{name: f"{PRICE}"})
        markets.forget()
        self.coin = make_coin(name, PRICE)
        self.customers = [Shopper("100.00") for _ in range(3)]
        self.dollars = {customer: Decimal(100) for customer in self.customers}
        self.coins = dict.fromkeys(self.customers, Decimal(0))
        self.withdrawals = {}  # customer and key → amount
        self.payouts = {}  # id → [customer, amount, state]
        self.staff = make_staff(f"chief-{name}".lower())
        for customer in self.customers:
            add_payee(customer)
        self.frozen, self.debts = set(), dict.fromkeys(self.customers, Decimal(0))
        self.deposits = {}  # of the bank: id → [customer, what is left of it]
        self.returns = {}  # taken and not won back: id → [deposit, amount]
        self.repeated = set()  # references by which the bank has taken a payment back
        self.told = []  # by lines of statements: customer, reference, what is left of it
        self.balance = Decimal(0)  # of our account at the bank
        self.given = {}  # goodwill that was not corrected: movement's id → [customer, amount]
        self.spent = {}  # withdrawals that were not corrected, alike
        self.account = make_iban(next(self.numbers))
        self.orders = {}  # id → [customer, amount, state], in the order of placing
        self.surplus = Decimal(0)
        self.batches, self.reserved = (
            {},
            {},
        )  # by batch id: the orders that are not settled yet, and the coins set aside
        self.attempt, self.turn, self.sent = None, None, False  # in flight: its id, its batch, whether it was sent
        self.purchases = len(self.simulator.book())

    # Actions of customers

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def deposit(self, who, amount):
        customer = self.customers[who]
        try:
            deposit(principal=customer.principal, amount=amount, key=None, now=timezone.now())
        except AccountFrozen:
            assert customer in self.frozen
        else:
            assert customer not in self.frozen
            self.dollars[customer] += amount

    def _credit(self, customer, amount):
        """Let dollars reach a wallet, which pay first what its customer owes."""
        paid = min(amount, self.debts[customer])
        self.debts[customer] -= paid
        self.dollars[customer] += amount - paid

    @rule(who=strategies.integers(0, 2), amount=CENTS, key=strategies.sampled_from([None, "a", "b"]))
    def withdraw(self, who, amount, key):
        customer, earlier = self.customers[who], self.withdrawals.get((who, key))
        given = idempotency_key(key=key, request={"amount": amount})
        try:
            for _ in range(2 if key else 1):
                withdraw(principal=customer.principal, amount=amount, key=given, now=timezone.now())
        except AccountFrozen:
            assert customer in self.frozen
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

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def ask_for_payout(self, who, amount):
        customer = self.customers[who]
        try:
            payout = ask(customer, amount)
        except AccountFrozen:
            assert customer in self.frozen
            return
        except InsufficientFunds:
            assert amount > self.dollars[customer]
            return
        self.dollars[customer] -= amount
        self.payouts[payout.pk] = [customer, amount, "requested"]

    @precondition(lambda self: self.payouts)
    @rule(which=strategies.integers(0), deed=strategies.sampled_from([*NEXT, "approved", "sent"]))
    def go_on_with_payout(self, which, deed):
        payout_id = list(self.payouts)[which % len(self.payouts)]
        customer, amount, state = self.payouts[payout_id]
        if deed == "sent":
            export_payouts(by=self.staff)
            for payout in self.payouts.values():
                payout[2] = "sent" if payout[2] == "approved" else payout[2]
            return
        try:
            if deed == "cancelled":
                cancel_payout(principal=customer.principal, payout_id=payout_id)
            else:
                decide(Payout(pk=payout_id), deed, by=self.staff)
        except AccountFrozen:
            assert (customer in self.frozen, deed) == (True, "cancelled")
        except (PayoutNotCancellable, ProposalRefused, PayoutDecided):
            assert state not in NEXT[deed]
        else:
            if state != deed:
                assert state in NEXT[deed]
                self.payouts[payout_id][2] = deed
                if deed not in {"approved", "paid"}:
                    self._credit(customer, amount)

    @rule(who=strategies.integers(0, 2), amount=AMOUNTS, repeated=strategies.booleans())
    def order(self, who, amount, repeated):
        customer = self.customers[who]
        key = IdempotencyKey(value=f"{len(self.orders)}", request_hash=str(amount)) if repeated else None
        order_request = OrderRequest(coin_name=self.coin.name, amount=amount, total=None, key=key)
        try:
            placed = place_order(buyer=customer.principal, order_request=order_request, now=timezone.now())
        except AccountFrozen:
            assert customer in self.frozen
            return
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
        except AccountFrozen:
            assert customer in self.frozen
        except OrderNotCancellable:
            assert state not in {"pending", "aggregated"}
        else:
            assert state in {"pending", "aggregated"}
            self.orders[order_id][2] = "cancelled"
            self.dollars[customer] += charge_of(amount)

    # Actions of banks and staff

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def receive_from_bank(self, who, amount):
        customer = self.customers[who]
        found = receive(customer, timezone.now(), reference=f"line-{next(self.numbers)}", amount=amount)
        self.deposits[found.pk] = [customer, amount]
        self._credit(customer, amount)

    @precondition(lambda self: self.deposits)
    @rule(which=strategies.integers(0), amount=CENTS)
    def take_back(self, which, amount):
        deposit_id = list(self.deposits)[which % len(self.deposits)]
        customer, left = self.deposits[deposit_id]
        money = money_taken(timezone.now(), amount=amount, reference=f"return-{next(self.numbers)}")
        try:
            row = take_return(money=money, deposit_id=deposit_id)
        except ReturnRefused:
            assert amount > left
            return
        assert amount <= left
        self.deposits[deposit_id][1] -= amount
        self.returns[row.pk] = [deposit_id, amount]
        self._lose(customer, amount)

    def _lose(self, customer, amount):
        """Let a bank take dollars back: what is open is given back first, and what is missing is owed."""
        for payout in self.payouts.values():
            if payout[0] is customer and payout[2] in {"requested", "approved"}:
                payout[2] = "cancelled"
                self._credit(customer, payout[1])
        for order_id, (owner, bought, state) in self.orders.items():
            if owner is customer and state in {"pending", "aggregated"}:
                self.orders[order_id][2] = "cancelled"
                self._credit(customer, charge_of(bought))
        taken = min(amount, self.dollars[customer])
        self.dollars[customer] -= taken
        self.debts[customer] += amount - taken
        self.frozen.add(customer)

    @precondition(lambda self: self.returns)
    @rule(which=strategies.integers(0))
    def win_back(self, which):
        return_id = list(self.returns)[which % len(self.returns)]
        since = Deposit.objects.values_list("pk", flat=True)  # all are other payments
        win_return_back(return_id=return_id, others=list(since))
        deposit_id, amount = self.returns.pop(return_id)
        self.deposits[deposit_id][1] += amount
        self._credit(self.deposits[deposit_id][0], amount)

    @precondition(lambda self: self.deposits)
    @rule(which=strategies.integers(0))
    def correct(self, which):
        deposit_id = list(self.deposits)[which % len(self.deposits)]
        customer, left = self.deposits[deposit_id]
        movement = Transaction.objects.get(reference=f"deposit:{deposit_id}")
        try:
            correct_movement(movement_id=movement.pk, by=customer.user, approved_by=None, note="a slip")
        except NotCorrectable:
            assert left < movement.amount
        except InsufficientFunds:
            assert movement.amount > self.dollars[customer]
        else:
            assert left == movement.amount
            self.dollars[customer] -= movement.amount
            del self.deposits[deposit_id]
            self.returns = {pk: row for pk, row in self.returns.items() if row[0] != deposit_id}

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def give(self, who, amount):
        customer = self.customers[who]
        name = str(next(self.numbers))
        give_goodwill(customer_id=customer.user.pk, amount=amount, name=name)
        self.given[Transaction.objects.get(reference=f"goodwill:{name}").pk] = [customer, amount]
        self._credit(customer, amount)

    @precondition(lambda self: self.given)
    @rule(which=strategies.integers(0))
    def correct_goodwill(self, which):
        movement_id = list(self.given)[which % len(self.given)]
        customer, amount = self.given[movement_id]
        try:
            correct_movement(movement_id=movement_id, by=customer.user, approved_by=None, note="a slip")
        except InsufficientFunds:
            assert amount > self.dollars[customer]
        else:
            del self.given[movement_id]
            self.dollars[customer] -= amount
            with pytest.raises(NotCorrectable):
                correct_movement(movement_id=movement_id, by=customer.user, approved_by=None, note="again")

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def withdraw_as_before_payouts(self, who, amount):
        """Book a withdrawal as earlier releases did: a payout's own states correct a newer one."""
        customer = self.customers[who]
        try:
            spend(customer, amount)
        except InsufficientFunds:
            assert amount > self.dollars[customer]
            return
        assert amount <= self.dollars[customer]
        self.dollars[customer] -= amount
        of_customer = Transaction.objects.filter(customer=customer.user, kind=TransactionKind.WITHDRAWAL)
        self.spent[of_customer.latest("pk").pk] = [customer, amount]

    @precondition(lambda self: self.spent)
    @rule(which=strategies.integers(0))
    def correct_withdrawal(self, which):
        movement_id = list(self.spent)[which % len(self.spent)]
        customer, amount = self.spent.pop(movement_id)
        correct_movement(movement_id=movement_id, by=customer.user, approved_by=None, note="a slip")
        self._credit(customer, amount)
        with pytest.raises(NotCorrectable):
            correct_movement(movement_id=movement_id, by=customer.user, approved_by=None, note="again")

    @precondition(lambda self: any(self.debts.values()))
    @rule(which=strategies.integers(0), amount=AMOUNTS)
    def repurchase(self, which, amount):
        owing = [customer for customer in self.customers if self.debts[customer]]
        customer, worth = owing[which % len(owing)], amount * PRICE
        wanted = Repurchase(
            customer_id=customer.user.pk, coin_name=self.coin.name, amount=amount, name=str(next(self.numbers))
        )
        try:
            repurchase(wanted=wanted, bid=PRICE)
        except NotFound:
            assert amount > self.coins[customer]
        except OwesLess:
            assert worth > self.debts[customer]
        else:
            self.coins[customer] -= amount
            self.debts[customer] -= worth
            self.surplus += amount

    @precondition(lambda self: any(self.debts.values()))
    @rule(which=strategies.integers(0), amount=CENTS)
    def write_off(self, which, amount):
        owing = [customer for customer in self.customers if self.debts[customer]]
        customer = owing[which % len(owing)]
        payload = WRITE_OFF.payload_of(customer_id=customer.user.pk, amount=amount)
        try:
            propose(kind="write_off", payload=payload, reason="gone", asked_by=self.staff)
        except OwesLess:
            assert amount > self.debts[customer]
        else:
            self.debts[customer] -= amount

    @rule(who=strategies.integers(0, 2), amount=CENTS)
    def tell_of_deposit(self, who, amount):
        """Credit a statement with a payment to a customer."""
        customer, reference = self.customers[who], f"told-{next(self.numbers)}"
        text = payment_reference(subject=customer.user.subject)
        self._tell(entry(amount, reference=reference, text=text, more=self._number()), change=amount)
        self.told.append([customer, reference, amount])
        self._credit(customer, amount)

    @precondition(lambda self: self.told)
    @rule(which=strategies.integers(0), amount=CENTS, by=strategies.sampled_from(["bank", "payer", "thief"]))
    def tell_of_return(self, which, amount, by):
        """Credit a statement whose line takes a payment back: only the bank's own reference, or all of it, is believed."""
        told = self.told[which % len(self.told)]
        customer, reference, left = told
        thief = self.customers[(self.customers.index(customer) + 1) % len(self.customers)]
        named = thief if by == "thief" else customer
        text = f"{payment_reference(subject=named.user.subject)} {reference}"
        whole = Deposit.objects.get(source=self.account, reference=reference).amount
        amount = whole if by == "payer" else amount
        name = reference if by == "bank" else f"case-{next(self.numbers)}"
        waiting = Return.objects.filter(state="waiting").count()
        line = entry(amount, sign="DBIT", reversal=True, reference=name, text=text, more=self._number())
        self._tell(line, change=-amount)
        repeated = by == "bank" and reference in self.repeated
        if by == "bank":
            self.repeated.add(reference)
        if by == "thief" or amount > left or repeated:
            assert Return.objects.filter(state="waiting").count() == waiting + 1
        else:
            assert Return.objects.filter(state="waiting").count() == waiting
            told[2] -= amount
            self._lose(customer, amount)

    def _number(self):
        """Return what makes each entry another one, so that no two files are equal."""
        return f"<NtryRef>{next(self.numbers)}</NtryRef>"

    def _tell(self, line, *, change):
        content = camt(line, opening=self.balance, closing=self.balance + change, account=self.account)
        self.balance += change
        statement = import_file(content, by=self.staff).statement
        approve_statement(statement_id=statement.pk, by=self.staff, approved_by=None)
        credit_statement(statement_id=statement.pk)

    @precondition(lambda self: self.frozen)
    @rule(which=strategies.integers(0))
    def unfreeze(self, which):
        customer = sorted(self.frozen, key=lambda each: each.user.pk)[which % len(self.frozen)]
        try:
            unfreeze_within_transaction(owner_id=customer.user.pk)
        except CustomerOwes:
            assert self.debts[customer] > 0
        else:
            assert self.debts[customer] == 0
            self.frozen.remove(customer)

    # Actions of workers

    @rule(overdue=strategies.booleans(), times=strategies.integers(1, 2))
    def claim(self, overdue, times):
        now = timezone.now() + timedelta(days=1 if overdue else 0)
        for _ in range(times):
            claim_waiting_orders(coin_id=self.coin.pk, now=now)
            self._follow(overdue=overdue)

    def _follow(self, *, overdue=False):
        """Follow a claim: its new batch holds all waiting orders that are due, and one batch has the turn."""
        claimed = Order.objects.filter(pk__in=self._in_state("pending") + self._in_state("aggregated"))
        taken = dict(claimed.filter(batch_id__isnull=False).values_list("pk", "batch_id"))
        if taken:
            large, pool = self._in_state("pending"), self._in_state("aggregated")
            total = sum(charge_of(self.orders[order_id][1]) for order_id in pool)
            pool_is_due = total >= THRESHOLD or (pool and overdue)
            assert sorted(taken) == sorted(large + (pool if pool_is_due else []))
            [batch] = set(taken.values())
            self.batches[batch], self.reserved[batch] = sorted(taken), Decimal(0)
            for order_id in taken:
                self.orders[order_id][2] = "settling"
        for batch in Batch.objects.filter(pk__in=list(self.batches), reason="from_inventory"):
            self._take_surplus(batch.pk)
            assert self.reserved[batch.pk] >= self._needed(batch.pk)
            self._deliver(batch.pk)
        attempt = Attempt.objects.filter(state__in=IN_FLIGHT).first()
        if attempt and attempt.pk != self.attempt:
            self._take_surplus(attempt.batch_id)
        if attempt is None or attempt.pk != self.attempt:
            self.sent = False
        self.attempt, self.turn = (attempt.pk, attempt.batch_id) if attempt else (None, None)

    def _needed(self, batch):
        return sum((self.orders[order_id][1] for order_id in self.batches[batch]), Decimal(0))

    def _take_surplus(self, batch):
        taken = max(min(self._needed(batch) - self.reserved[batch], self.surplus), Decimal(0))
        self.reserved[batch] += taken
        self.surplus -= taken

    @precondition(lambda self: self.turn and not self.sent)
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
        self._follow()

    @precondition(lambda self: self.turn and self.sent)
    @rule(fault=strategies.sampled_from([None, "drop", "garbage", "not_found"]))
    def ask(self, fault):
        self.simulator.fail(*([{"on": "query", "action": fault, "times": 1}] if fault else []))
        self._step()
        if fault is None and len(self.simulator.book()) > self.purchases:
            self._expect_fill()
        self._follow()  # an attempt that was presumed not placed has ended

    @rule()
    def sweep(self):
        sweep(now=timezone.now())
        self._follow()

    def _step(self):
        end_pauses()
        attempt = Attempt.objects.get(state__in=IN_FLIGHT)
        take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: self.venue)
        resume_parked_batches()

    def _expect_fill(self):
        bought = self.simulator.book()[self.purchases :]
        assert len(bought) == 1, "one purchase for one attempt"
        self.purchases += 1
        self.reserved[self.turn] += Decimal(bought[0]["executedQty"]) * (1 - COMMISSION)
        self._deliver(self.turn)

    def _deliver(self, batch):
        """Deliver whole orders that fit, oldest first; coins that remain after the last one are the house's."""
        for order_id in list(self.batches[batch]):
            customer, amount, _ = order = self.orders[order_id]
            if amount <= self.reserved[batch]:
                self.batches[batch].remove(order_id)
                order[2] = "completed"
                self.coins[customer] += amount
                self.reserved[batch] -= amount
        if not self.batches[batch]:
            self._close(batch)

    def _expect_refund(self):
        for order_id in self.batches[self.turn]:
            customer, amount, _ = self.orders[order_id]
            self.orders[order_id][2] = "refunded"
            self._credit(customer, charge_of(amount))
        self._close(self.turn)

    def _close(self, batch):
        self.surplus += self.reserved.pop(batch)
        del self.batches[batch]

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
            assert balances.get((customer.user.pk, self.coin.name), 0) == self.coins[customer]
        owed = dict(Receivable.objects.values_list("customer_id", "amount"))
        for customer in self.customers:
            assert owed.get(customer.user.pk, 0) == self.debts[customer]
        found = dict(Order.objects.filter(pk__in=list(self.orders)).values_list("pk", "state"))
        assert found == {order_id: order[2] for order_id, order in self.orders.items()}
        states = dict(Payout.objects.filter(pk__in=list(self.payouts)).values_list("pk", "state"))
        assert states == {payout_id: payout[2] for payout_id, payout in self.payouts.items()}
        stock = Wallet.objects.get(owner=None, role=WalletRole.INVENTORY, asset=self.coin.name).balance
        assert stock == self.surplus + sum(self.reserved.values())

    @invariant()
    def the_ledger_balances(self):
        assert verify_everything() == []

    def teardown(self):
        """Check that all open orders end once the venue behaves."""
        self.simulator.fail()
        for _ in range(100):
            end_pauses()
            claim_waiting_orders(coin_id=self.coin.pk, now=timezone.now() + timedelta(days=1))
            attempt = Attempt.objects.filter(state__in=IN_FLIGHT).first()
            if attempt:
                take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: self.venue)
            elif not Order.objects.filter(state__in=["pending", "aggregated", "settling"]).exists():
                break
            resume_parked_batches()
        assert not Order.objects.filter(state__in=["pending", "aggregated", "settling"]).exists()
        assert verify_everything() == []


def test_every_story_ends_as_the_model_says(venue, simulator, settings_of_stories):
    simulator.set_account(balances={"USDT": "100000000"}, commission_rate=str(COMMISSION))
    venue._client.enableRateLimit = False
    Story.venue, Story.simulator = venue, simulator
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=25,
            phases=[Phase.generate],  # a story takes seconds: to shrink a failing one takes longer than to read it
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.fixture
def spread():
    """The simulator's own: bid and ask are not the set price."""
    return "0.0002"


@pytest.fixture
def settings_of_stories(settings):
    configure(settings, "RISK", max_orders=10**6, max_cancels=10**6)
    configure(settings, "DEPOSITS", self_service=True)
    pay_from(settings)
    # A pool of a cent is bought too, although the venue's smallest purchase costs five dollars more.
    configure(
        settings,
        "SETTLEMENT",
        not_found_margin=timedelta(milliseconds=50),
        not_found_times=1,
        max_top_up=Decimal(10),
    )
    configure(settings, "VENUE", recv_window=timedelta(milliseconds=300))
